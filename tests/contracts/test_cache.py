"""What every `harness.ports.Cache` promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from harness.cache.memory import MemoryCache
from harness.cache.recorded_first import RecordedFirst
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.call import Call
from harness.domain.completion import (
    AtMost,
    Completion,
    FailedAttempt,
    Message,
    Request,
    Served,
    ToolCall,
    Usage,
)
from harness.domain.key import cache_key
from harness.domain.ledger import Spent
from harness.ports import Cache, OpenCall, Rejection, Resolution

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)

CacheFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[Cache]]


@pytest.fixture(params=["memory", "sqlite", "recorded first"])
def open_cache(request: pytest.FixtureRequest, tmp_path: Path) -> CacheFactory:
    @asynccontextmanager
    async def in_memory() -> AsyncIterator[Cache]:
        yield MemoryCache()

    @asynccontextmanager
    async def in_a_file() -> AsyncIterator[Cache]:
        async with SqliteCache.open(tmp_path / "cache.db") as cache:
            yield cache

    @asynccontextmanager
    async def under_a_recording() -> AsyncIterator[Cache]:
        yield RecordedFirst(MemoryCache(), MemoryCache())

    return {"memory": in_memory, "sqlite": in_a_file, "recorded first": under_a_recording}[
        request.param
    ]


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


async def test_an_unknown_key_is_a_miss(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        assert await cache.get(cache_key(a_request()), a_request()) is None


async def test_a_hit_is_the_stored_answer_with_its_run_and_its_time(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:
        await put(cache, a_request(), an_answer())
        hit = await cache.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion == an_answer()
    assert hit.run_id == "run-1"
    assert hit.created_at == NOON + timedelta(seconds=3)


async def test_an_entry_tells_of_the_paid_call_and_not_of_the_waits_around_it(
    open_cache: CacheFactory,
) -> None:
    failure = FailedAttempt(number=1, kind="server", message="503")
    served = Served(
        source="shared", attempts=2, failures=(failure,), queued_s=1, queued_run_s=2, paced_s=3, budget_s=4, outage_s=6,
        stored_s=5, ttft_reasoning_s=0.25, ttft_answer_s=0.5, latency_s=0.75,
    )  # fmt: skip
    async with open_cache() as cache:
        await put(cache, a_request(), replace(an_answer(), served=served))
        hit = await cache.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion.served == Served(
        attempts=2, ttft_reasoning_s=0.25, ttft_answer_s=0.5, latency_s=0.75
    )


def a_rejection(owner: str = "run-1/topic-1/1", reason: str = "it held no list") -> Rejection:
    call = Call(run_id="run-1", topic_id="topic-1", span_id="1")
    return Rejection(key=cache_key(a_request()), call=call, owner=owner, reason=reason)


async def test_a_rejected_answer_is_kept_as_it_is_with_the_reason(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        await put(cache, a_request(), an_answer())
        before = await cache.get(cache_key(a_request()), a_request())
        await cache.reject(a_rejection())
        hit = await cache.get(cache_key(a_request()), a_request())
        assert await cache.spent("run-1") == Spent(calls=1, cost=0.00125, tokens=46)
        assert [one.completion for one in await cache.recorded("topic-1")] == [an_answer()]
    assert before is not None
    assert hit is not None
    assert (before.rejected, hit.rejected) == (None, "it held no list")
    assert hit.completion == an_answer()


async def test_the_answer_that_takes_its_place_is_not_rejected(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        await put(cache, a_request(), an_answer())
        await cache.reject(a_rejection())
        await put(cache, a_request(), an_answer("A list."))
        hit = await cache.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert (hit.completion.content, hit.rejected) == ("A list.", None)


async def test_a_verdict_on_an_answer_that_is_gone_or_anothers_has_no_effect(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:
        await cache.reject(a_rejection())
        assert await cache.get(cache_key(a_request()), a_request()) is None
        await put(cache, a_request(), an_answer())
        await cache.reject(a_rejection(owner="another run/topic-1/1"))
        hit = await cache.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.rejected is None


async def test_a_newer_answer_replaces_the_older(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        await put(cache, a_request(), an_answer("old"))
        await put(cache, a_request(), an_answer("new"))
        hit = await cache.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion.content == "new"


async def test_an_entry_never_answers_another_request_under_its_key(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:
        await put(cache, a_request(), an_answer())
        assert await cache.get(cache_key(a_request()), a_request("Why is the sea blue?")) is None


async def test_equal_requests_in_other_words_share_an_entry(open_cache: CacheFactory) -> None:
    as_int, as_float = replace(a_request(), temperature=1), replace(a_request(), temperature=1.0)
    async with open_cache() as cache:
        await put(cache, as_int, an_answer())
        assert await cache.get(cache_key(as_float), as_float) is not None


async def test_text_with_half_a_surrogate_pair_comes_back_whole(open_cache: CacheFactory) -> None:
    request = a_request("cut emoji \ud83d and \\")
    async with open_cache() as cache:
        await put(cache, request, an_answer("also \ude00 here, \\\udc00"))
        hit = await cache.get(cache_key(request), request)
    assert hit is not None
    assert hit.completion.content == "also \ude00 here, \\\udc00"


async def test_what_was_stored_for_a_topic_is_found_by_it_and_belongs_to_who_asked_last(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:
        for text, topic_id, span_id in (
            ("a", "t1", "s1"),
            ("b", "t1", "s2"),
            ("c", "t2", "s1"),
            ("b", "t2", "s3"),
        ):
            request = a_request(text)
            call = Call(run_id="run-1", topic_id=topic_id, span_id=span_id)
            entry = replace(an_entry(request), call=call)
            await cache.resolve(await cache.open_call(request, entry), stored(an_answer(text)))
        of_first, of_second = await cache.recorded("t1"), await cache.recorded("t2")
        assert await cache.recorded("none") == []
    assert [(one.span_id, one.request, one.completion.content) for one in of_first] == [
        ("s1", a_request("a"), "a")
    ]
    assert {(one.span_id, one.completion.content) for one in of_second} == {
        ("s1", "c"),
        ("s3", "b"),
    }
    assert of_first[0].created_at == stored(an_answer()).closed_at


async def test_an_answer_not_to_be_kept_is_paid_and_not_found(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        number = await cache.open_call(a_request(), an_entry(a_request()))
        await cache.resolve(number, stored(an_answer(), keep=False))
        assert await cache.get(cache_key(a_request()), a_request()) is None
        assert (await cache.spent("run-1")).cost == 0.00125


async def test_a_failed_call_leaves_no_answer_even_where_text_had_arrived(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:
        number = await cache.open_call(a_request(), an_entry(a_request()))
        await cache.resolve(number, replace(failed(cost=0.0), completion=an_answer()))
        assert await cache.get(cache_key(a_request()), a_request()) is None


async def test_open_calls_are_listed_oldest_first_and_only_for_their_run(
    open_cache: CacheFactory,
) -> None:
    first, second, other = (
        an_entry(a_request(text), run_id=run) for text, run in [("a", "x"), ("b", "x"), ("c", "y")]
    )
    async with open_cache() as cache:
        for text, entry in [("a", first), ("b", second), ("c", other)]:
            await cache.open_call(a_request(text), entry)
        assert list(await cache.left_open("x")) == [first, second]
        assert list(await cache.left_open("z")) == []


async def test_a_resolved_call_is_no_longer_open(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        kept_open, resolved = an_entry(a_request("a")), an_entry(a_request("b"))
        await cache.open_call(a_request("a"), kept_open)
        await cache.resolve(await cache.open_call(a_request("b"), resolved), failed(cost=0.0))
        assert list(await cache.left_open("run-1")) == [kept_open]


async def test_a_call_cannot_be_resolved_twice(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        number = await cache.open_call(a_request(), an_entry(a_request()))
        await cache.resolve(number, failed(cost=0.0))
        with pytest.raises(ValueError, match="not open here"):
            await cache.resolve(number, failed(cost=0.0))


async def test_a_run_that_asked_nothing_has_spent_nothing(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        assert await cache.spent("run-1") == Spent()


async def test_spent_tells_known_costs_from_those_at_risk_and_those_without_a_price(
    open_cache: CacheFactory,
) -> None:
    rows: list[tuple[float | None, int, Resolution | None]] = [
        (1.0, 100, stored(replace(an_answer(), cost=0.25))),  # paid: 0.25 and 46 tokens
        (1.0, 100, failed(cost=0.0)),  # nothing was generated
        (1.0, 100, failed(cost=0.5, tokens=70)),  # failed, and the bill is known
        (2.0, 200, failed(cost=None, tokens=30)),  # a broken stream: 170 tokens more at most
        (4.0, 400, None),  # open
        (None, 800, None),  # open, at an endpoint without prices
        (None, 100, stored(replace(an_answer(), cost=None))),  # paid, no price known
        (None, 1600, failed(cost=None)),  # a broken stream at an endpoint without prices
        (
            8.0,
            3200,
            replace(stored(replace(an_answer(), cost=None)), tokens=0),
        ),  # an answer without usage
    ]
    async with open_cache() as cache:
        for index, (cost, tokens, resolution) in enumerate(rows):
            request = a_request(str(index))
            number = await cache.open_call(request, an_entry(request, cost=cost, tokens=tokens))
            if resolution is not None:
                await cache.resolve(number, resolution)
        await put(cache, a_request("the ninth"), an_answer())
        spent = await cache.spent("run-1")
    assert spent == Spent(
        calls=10,
        cost=0.25 + 0.5 + 0.00125,
        tokens=46 + 70 + 30 + 46 + 46,
        cost_at_risk=2.0 + 4.0 + 8.0,
        tokens_at_risk=170 + 400 + 800 + 1600 + 3200,
        open_calls=2,
        unpriced=3,
        untold=1,
        cost_untold=8.0,
        tokens_untold=3200,
    )


async def test_a_thousand_callers_at_once_each_get_their_own_answer(
    open_cache: CacheFactory,
) -> None:
    async with open_cache() as cache:

        async def one(index: int) -> str:
            request = a_request(str(index))
            await put(cache, request, an_answer(f"answer {index}"))
            hit = await cache.get(cache_key(request), request)
            assert hit is not None
            return hit.completion.content

        answers = await asyncio.gather(*(one(index) for index in range(1000)))
        assert answers == [f"answer {index}" for index in range(1000)]
        assert (await cache.spent("run-1")).calls == 1000


async def test_a_lease_is_taken_once_until_it_is_released(open_cache: CacheFactory) -> None:
    key, other = cache_key(a_request()), cache_key(a_request("other"))
    async with open_cache() as cache:
        assert [await cache.claim(key), await cache.claim(key), await cache.claim(other)] == [
            "taken",
            "held",
            "taken",
        ]
        cache.release(key)
        assert [await cache.claim(key), await cache.claim(other)] == ["taken", "held"]


async def test_of_many_who_claim_at_once_one_takes_the_lease(open_cache: CacheFactory) -> None:
    async with open_cache() as cache:
        claims = await asyncio.gather(*(cache.claim(cache_key(a_request())) for _ in range(50)))
    assert sorted(claims) == ["held"] * 49 + ["taken"]


async def test_an_answer_that_is_kept_releases_the_lease_and_the_next_claim_tells_of_it(
    open_cache: CacheFactory,
) -> None:
    key = cache_key(a_request())
    async with open_cache() as cache:
        await cache.claim(key)
        await put(cache, a_request(), an_answer())
        assert await cache.claim(key) == "found"


@pytest.mark.parametrize("resolution", [failed(cost=0.0), stored(an_answer(), keep=False)])
async def test_whatever_leaves_no_answer_leaves_the_lease_where_it_is(
    open_cache: CacheFactory, resolution: Resolution
) -> None:
    key = cache_key(a_request())
    async with open_cache() as cache:
        await cache.claim(key)
        await cache.resolve(await cache.open_call(a_request(), an_entry(a_request())), resolution)
        assert await cache.claim(key) == "held"
        cache.release(key)
        assert await cache.claim(key) == "taken"


async def test_releasing_what_is_not_leased_changes_nothing(open_cache: CacheFactory) -> None:
    key = cache_key(a_request())
    async with open_cache() as cache:
        cache.release(key)
        assert await cache.claim(key) == "taken"


async def test_what_was_judged_of_a_request_counts_in_place_of_its_worst_case(
    open_cache: CacheFactory,
) -> None:
    judged = AtMost(cost=0.5, tokens=40)
    rows = [
        replace(failed(cost=None), at_most=judged),
        replace(stored(replace(an_answer(), cost=None)), tokens=0, at_most=judged),
        # Without a price, tokens alone.
        replace(failed(cost=None), at_most=AtMost(cost=None, tokens=40)),
    ]
    async with open_cache() as cache:
        for index, resolution in enumerate(rows):
            request = a_request(str(index))
            worst = None if index == 2 else 8.0
            number = await cache.open_call(request, an_entry(request, cost=worst, tokens=3200))
            await cache.resolve(number, resolution)
        spent = await cache.spent("run-1")
    assert spent == Spent(
        calls=3,
        cost_at_risk=1.0,
        tokens_at_risk=120,
        unpriced=1,
        untold=1,
        cost_untold=0.5,
        tokens_untold=40,
    )
