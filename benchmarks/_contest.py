"""Contestants that make the same calls, and the measure they share: CPU seconds of this process per
call.

Rounds are interleaved and medians taken, so that a noisy neighbour meets all contestants alike;
only ratios of one run mean anything. A contestant is a `Contestant`: to enter another stack, add
one to `contestants()`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from openai import AsyncOpenAI, DefaultAioHttpClient

from harness.domain.call import Call
from harness.domain.completion import Message, Request
from harness.domain.endpoint import base_url_endpoint
from harness.domain.policy import Timeouts
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat

PROMPT = "Explain what a superposition is, step by step. " * 20
MODEL = "deepseek-flash"

Ask = Callable[[int], Awaitable[object]]
"""Makes call number n, whose prompt no other call has, and waits for its answer."""
Opener = Callable[[str, bool], AbstractAsyncContextManager[Ask]]
"""Given a base URL and whether to stream."""


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    open: Opener


@dataclass(slots=True)
class Score:
    """`cpu_s` and `wall_s` of every round; one round makes `calls` calls."""

    name: str
    calls: int
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    @property
    def ms_per_call(self) -> float:
        return statistics.median(self.cpu_s) / self.calls * 1e3

    @property
    def median_wall_s(self) -> float:
        return statistics.median(self.wall_s)


async def contest(
    contestants: list[Contestant],
    *,
    base_url: str,
    stream: bool,
    calls: int,
    in_flight: int,
    rounds: int,
) -> list[Score]:
    """Everyone makes `calls` calls per round, `in_flight` at once; the first, unmeasured calls open
    the connections.
    """
    scores = [Score(contestant.name, calls) for contestant in contestants]
    numbers = itertools.count()
    async with AsyncExitStack() as opened:
        asks = [await opened.enter_async_context(c.open(base_url, stream)) for c in contestants]
        for ask in asks:
            await _make_calls(ask, numbers, calls=min(calls, in_flight), in_flight=in_flight)
        for _ in range(rounds):
            for ask, score in zip(asks, scores, strict=True):
                cpu, wall = time.process_time(), time.perf_counter()
                await _make_calls(ask, numbers, calls=calls, in_flight=in_flight)
                score.cpu_s.append(time.process_time() - cpu)
                score.wall_s.append(time.perf_counter() - wall)
    return scores


async def _make_calls(
    ask: Ask, numbers: itertools.count[int], *, calls: int, in_flight: int
) -> None:
    slots = asyncio.Semaphore(in_flight)

    async def one() -> None:
        async with slots:
            await ask(next(numbers))

    await asyncio.gather(*(one() for _ in range(calls)))


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def prompt(number: int) -> str:
    """A prompt that no other number has."""
    return f"{number}. {PROMPT}"


def request(number: int) -> Request:
    """The request with this prompt."""
    return Request(
        endpoint="benchmark", model=MODEL, messages=(Message(role="user", content=prompt(number)),)
    )


def _chat_messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt(number)}]


@asynccontextmanager
async def our_adapter(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    """`OpenAIChat` alone."""
    timeouts = Timeouts()
    async with build_http_client(timeouts, base_url=base_url) as client:
        chat = OpenAIChat(
            base_url_endpoint(base_url, api_key=None),
            timeouts=timeouts,
            http_client=client,
            wall_clock=_Clock(),
        )
        call = Call(run_id="benchmark", topic_id="t", span_id="s", stream=stream)
        yield lambda number: chat.complete(request(number), call)


def _sdk(client_options: Callable[[], dict[str, object]]) -> Opener:
    @asynccontextmanager
    async def opened(base_url: str, stream: bool) -> AsyncIterator[Ask]:
        options: dict[str, Any] = client_options()
        async with AsyncOpenAI(
            base_url=base_url, api_key="none", max_retries=0, **options
        ) as client:

            async def ask(number: int) -> object:
                messages: Any = _chat_messages(number)
                if not stream:
                    return await client.chat.completions.create(model=MODEL, messages=messages)
                pieces = []
                chunks = await client.chat.completions.create(
                    model=MODEL, messages=messages, stream=True
                )
                async for chunk in chunks:
                    if chunk.choices:
                        pieces.append(chunk.choices[0].delta.content or "")
                return "".join(pieces)

            yield ask

    return opened


@asynccontextmanager
async def raw_aiohttp(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    """The least that a client can do: the bytes are received, a plain answer is parsed, a stream is
    not.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> object:
            body = {"model": MODEL, "messages": _chat_messages(number), "stream": stream}
            async with session.post(f"{base_url}/chat/completions", json=body) as response:
                data = await response.read()
                return data if stream else json.loads(data)

        yield ask


BARE_SDK = Contestant("bare AsyncOpenAI, default client", _sdk(dict))
SDK_AIOHTTP = Contestant(
    "bare AsyncOpenAI, aiohttp client",
    _sdk(lambda: {"http_client": DefaultAioHttpClient(timeout=600)}),
)
OUR_ADAPTER = Contestant("harness, the endpoint adapter alone", our_adapter)
RAW_AIOHTTP = Contestant("raw aiohttp", raw_aiohttp)
