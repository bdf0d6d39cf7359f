from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fakes import a_call, a_request, an_answer

from harness.cache.latencies import latencies_in
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.completion import Served
from harness.domain.key import cache_key
from harness.errors import CacheError
from harness.ports import OpenCall, Resolution
from harness.testing.virtual_time import EPOCH


async def a_cache(path: Path, *, latency_s: float) -> str:
    """A cache file with one answer that took so long; returns its key."""
    request = a_request()
    async with SqliteCache.open(path) as cache:
        entry = OpenCall(
            key=cache_key(request),
            call=a_call(),
            opened_at=EPOCH,
            cost_at_most=None,
            tokens_at_most=1,
        )
        number = await cache.open_call(request, entry)
        answer = an_answer(served=Served(latency_s=latency_s))
        await cache.resolve(
            number,
            Resolution(outcome="stored", closed_at=EPOCH, cost=None, tokens=1, completion=answer),
        )
    return cache_key(request)


async def test_an_answer_tells_how_long_it_took_when_it_was_paid_for(tmp_path: Path) -> None:
    key = await a_cache(tmp_path / "cache.db", latency_s=7.25)

    assert latencies_in(tmp_path / "cache.db", [key, "0" * 64]) == {key: 7.25}


async def test_an_answer_that_took_no_time_tells_nothing(tmp_path: Path) -> None:
    key = await a_cache(tmp_path / "cache.db", latency_s=0.0)

    assert latencies_in(tmp_path / "cache.db", [key]) == {}


async def test_reading_leaves_the_file_as_it_was_and_none_beside_it(tmp_path: Path) -> None:
    key = await a_cache(tmp_path / "cache.db", latency_s=7.25)
    before = (tmp_path / "cache.db").read_bytes()

    latencies_in(tmp_path / "cache.db", [key])

    assert (tmp_path / "cache.db").read_bytes() == before
    assert os.listdir(tmp_path) == ["cache.db"]


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to be taken for one" * 20]
)
def test_a_file_that_is_no_cache_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache.db").write_bytes(content)

    with pytest.raises(CacheError, match=r"cache\.db"):
        latencies_in(tmp_path / "cache.db", [])


def test_looking_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"cache\.db"):
        latencies_in(tmp_path / "cache.db", [])

    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "cache.db")) as other:
        other.execute("CREATE TABLE responses (key TEXT, value TEXT)")

    with pytest.raises(CacheError, match="not a cache of ours"):
        latencies_in(tmp_path / "cache.db", [])
