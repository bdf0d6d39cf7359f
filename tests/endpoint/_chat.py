"""A server in a few lines: what it says, byte for byte and second for second, behind an
`OpenAIChat`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from harness.domain.attempt import Attempt, OnSilence
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, OnDelta, Request
from harness.domain.endpoint import Endpoint
from harness.domain.failures import CompletionError
from harness.domain.policy import Carrier, Timeouts
from harness.domain.request_form import DEEPSEEK_FORM
from harness.domain.secret import Secret
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat

CANARY = "sk-canary/9f8e+7d6c5b4a"
NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
ENDPOINT = Endpoint(
    identity="deepseek",
    base_url="https://api.deepseek.com",
    api_key=Secret(CANARY),
    form=DEEPSEEK_FORM,
    key_env="DEEPSEEK_API_KEY",
)
REQUEST = Request(
    endpoint="deepseek", model="deepseek-flash", messages=(Message(role="user", content="Why?"),)
)
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_cache_hit_tokens": 4,
    "prompt_cache_miss_tokens": 6,
    "completion_tokens_details": {"reasoning_tokens": 5},
}

Piece = bytes | float | Exception
"""Bytes to send, seconds to wait, or how the connection ends."""


class FixedClock:
    def now(self) -> datetime:
        return NOON


def call(
    *,
    stream: bool,
    on_delta: OnDelta | None = None,
    on_life: Callable[[], None] | None = None,
    on_silence: Callable[[float], OnSilence] | None = None,
) -> Call:
    return Call(
        run_id="run",
        topic_id="topic",
        span_id="span",
        stream=stream,
        on_delta=on_delta,
        attempt=Attempt(on_life=on_life, on_silence=on_silence),
    )


def chunk(delta: Mapping[str, Any] | None = None, **fields: Any) -> bytes:
    """One event of a stream; `finish_reason` goes into the choice, everything else beside it."""
    finish_reason = fields.pop("finish_reason", None)
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish_reason}
    body = {
        "id": "1",
        "model": "deepseek-flash",
        "system_fingerprint": "fp",
        "choices": [choice],
        "usage": None,
    }
    return event({**body, **fields})


def event(payload: Any) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
WHOLE_STREAM = (
    chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
    chunk({"content": None, "reasoning_content": "Light "}),
    chunk({"content": None, "reasoning_content": "scatters."}),
    chunk({"content": "Because ", "reasoning_content": None}),
    chunk({"content": "of Rayleigh – 瑞利 🌈.", "reasoning_content": None}),
    chunk({"content": "", "reasoning_content": None}, finish_reason="stop", usage=USAGE),
    DONE,
)


def plain(**fields: Any) -> bytes:
    message = {"role": "assistant", "content": "Because.", "reasoning_content": "Hm."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {
        "id": "1",
        "model": "deepseek-flash",
        "system_fingerprint": "fp",
        "choices": [choice],
        "usage": USAGE,
    }
    return json.dumps({**body, **fields}).encode()


def error_body(message: str, **fields: Any) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": "x", "param": None, "code": "y", **fields}}
    ).encode()


@dataclass(repr=False)  # what it says may be a secret that must not be shown by a traceback
class Server:
    """Says the same to every request, and remembers what it was asked."""

    pieces: Sequence[Piece]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    before_headers: Sequence[Piece] = ()
    seen: list[httpx2.Request] = field(default_factory=list)
    closed: int = 0

    def chat(
        self,
        endpoint: Endpoint = ENDPOINT,
        *,
        timeouts: Timeouts | None = None,
        carrier: Carrier = "aiohttp",
    ) -> OpenAIChat:
        timeouts = timeouts or Timeouts()
        client = build_http_client(
            timeouts, base_url=endpoint.base_url, transport=httpx2.MockTransport(self._handle)
        )
        return OpenAIChat(
            endpoint,
            timeouts=timeouts,
            http_client=client,
            wall_clock=FixedClock(),
            carrier=carrier,
        )

    async def answer(
        self,
        *,
        stream: bool = True,
        request: Request = REQUEST,
        endpoint: Endpoint = ENDPOINT,
        timeouts: Timeouts | None = None,
        on_delta: OnDelta | None = None,
        carrier: Carrier = "aiohttp",
    ) -> Completion:
        return await self.chat(endpoint, timeouts=timeouts, carrier=carrier).complete(
            request, call(stream=stream, on_delta=on_delta)
        )

    async def failure(
        self, *, stream: bool = True, timeouts: Timeouts | None = None
    ) -> CompletionError:
        with pytest.raises(CompletionError) as caught:
            await self.answer(stream=stream, timeouts=timeouts)
        return caught.value

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        async for _ in _played(self.before_headers):
            raise AssertionError("no bytes come before the headers")
        return httpx2.Response(self.status, headers=dict(self.headers), stream=_Stream(self))


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, server: Server) -> None:
        self._server = server

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _played(self._server.pieces)

    async def aclose(self) -> None:
        self._server.closed += 1


async def _played(pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        elif isinstance(piece, Exception):
            raise piece
        else:
            await asyncio.sleep(piece)


def streaming(*pieces: Piece, **headers: str) -> Server:
    return Server(pieces, headers={"content-type": "text/event-stream", **headers})
