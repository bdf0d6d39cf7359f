"""The promises of every `harness.ports.Journal`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from stores import STORES, a_rejection, a_request, an_answer, an_entry, failed, put, stored

from harness.domain.completion import (
    AtMost,
)
from harness.domain.key import cache_key
from harness.domain.ledger import Spent
from harness.ports import Cache, Resolution

CacheFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[Cache]]


@pytest.fixture(params=STORES)
def open_cache(request: pytest.FixtureRequest, tmp_path: Path) -> CacheFactory:
    return lambda: STORES[request.param](tmp_path)


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
        # An answer without usage.
        (8.0, 3200, replace(stored(replace(an_answer(), cost=None)), tokens=0)),
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
