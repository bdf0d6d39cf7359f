"""The promises of every `harness.ports.Leases`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest
from stores import STORES, a_request, an_answer, an_entry, failed, put, stored

from harness.domain.key import cache_key
from harness.ports import Cache, Resolution

CacheFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[Cache]]


@pytest.fixture(params=STORES)
def open_cache(request: pytest.FixtureRequest, tmp_path: Path) -> CacheFactory:
    return lambda: STORES[request.param](tmp_path)


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
