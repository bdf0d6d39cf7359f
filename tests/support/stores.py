"""Answers, requests and stores for the contract of the ports `Answers`, `Journal` and `Leases`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.cache.memory import MemoryCache
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.call import Call
from harness.domain.completion import (
    Completion,
    Message,
    Request,
    Served,
    ToolCall,
    Usage,
)
from harness.domain.key import cache_key
from harness.ports import Cache, OpenCall, Rejection, Resolution

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


def a_request(text: str = "Why is the sky blue?") -> Request:
    return Request(
        endpoint="mock", model="deepseek-flash", messages=(Message(role="user", content=text),)
    )


def an_answer(content: str = "Rayleigh scattering.") -> Completion:
    return Completion(
        model="deepseek-flash",
        fingerprint="fp_1",
        content=content,
        reasoning="蓝色的光散射得更多 \u2028 …",
        finish_reason="stop",
        usage=Usage(input_tokens=12, output_tokens=34, reasoning_tokens=20, cached_tokens=8),
        tool_calls=(ToolCall(id="t1", name="look", arguments='{"at": 1}'),),
        trace_id="trace-1",
        cost=0.00125,
        owner="run-1/topic-1/1",
        served=Served(attempts=2, ttft_reasoning_s=0.5, ttft_answer_s=1.5, latency_s=2.5),
    )


def an_entry(
    request: Request, *, run_id: str = "run-1", cost: float | None = 0.5, tokens: int = 1000
) -> OpenCall:
    call = Call(run_id=run_id, topic_id="topic-1", span_id="1")
    return OpenCall(
        key=cache_key(request), call=call, opened_at=NOON, cost_at_most=cost, tokens_at_most=tokens
    )


def stored(completion: Completion, *, keep: bool = True) -> Resolution:
    return Resolution(
        outcome="stored",
        closed_at=NOON + timedelta(seconds=3),
        cost=completion.cost,
        tokens=completion.usage.total_tokens,
        completion=completion,
        keep=keep,
    )


def failed(*, cost: float | None, tokens: int = 0) -> Resolution:
    return Resolution(
        outcome="failed", closed_at=NOON, cost=cost, tokens=tokens, error="reset by peer"
    )


async def put(cache: Cache, request: Request, completion: Completion) -> None:
    await cache.resolve(await cache.open_call(request, an_entry(request)), stored(completion))


def a_rejection(owner: str = "run-1/topic-1/1", reason: str = "it held no list") -> Rejection:
    call = Call(run_id="run-1", topic_id="topic-1", span_id="1")
    return Rejection(key=cache_key(a_request()), call=call, owner=owner, reason=reason)


@asynccontextmanager
async def in_memory(directory: Path) -> AsyncIterator[Cache]:
    yield MemoryCache()


@asynccontextmanager
async def in_a_file(directory: Path) -> AsyncIterator[Cache]:
    async with SqliteCache.open(directory / "cache.db") as cache:
        yield cache


STORES = {"memory": in_memory, "sqlite": in_a_file}
