"""Leases between several caches on one file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cache import sqlite_schema
from harness.cache.sqlite_cache import SqliteCache
from harness.cache.sqlite_file import open_file
from harness.cache.sqlite_thread import Database
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request, Usage
from harness.domain.key import cache_key
from harness.errors import CacheError
from harness.ports import OpenCall, Resolution

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
REQUEST = Request(endpoint="mock", model="m", messages=(Message(role="user", content="a"),))
KEY = cache_key(REQUEST)

KILLED = """
import asyncio, os, pathlib, sys
from harness.cache.sqlite_cache import SqliteCache
async def main():
    async with SqliteCache.open(pathlib.Path(sys.argv[1])) as cache:
        for key in sys.argv[2:]:
            assert await cache.claim(key) == "taken"
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
async def caches(path: Path) -> AsyncIterator[tuple[SqliteCache, SqliteCache]]:
    async with SqliteCache.open(path) as first, SqliteCache.open(path) as second:
        yield first, second


def leases(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM leases ORDER BY key")]


def files(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def claim_and_die(path: Path, *keys: str) -> None:
    """Another process takes these leases and is killed."""
    dead = subprocess.run([sys.executable, "-c", KILLED, str(path), *keys], check=False, timeout=30)
    assert dead.returncode == -9


async def store(cache: SqliteCache) -> None:
    call = Call(run_id="run", topic_id="t", span_id="1")
    entry = OpenCall(key=KEY, call=call, opened_at=NOON, cost_at_most=1.0, tokens_at_most=9)
    completion = Completion(
        model="m", content="b", finish_reason="stop", usage=Usage(output_tokens=1)
    )
    number = await cache.open_call(REQUEST, entry)
    await cache.resolve(
        number,
        Resolution(outcome="stored", closed_at=NOON, cost=0.5, tokens=1, completion=completion),
    )


async def test_a_lease_of_one_cache_holds_off_another(
    caches: tuple[SqliteCache, SqliteCache],
) -> None:
    first, second = caches
    assert [await first.claim(KEY), await second.claim(KEY)] == ["taken", "held"]
    second.release(KEY)
    assert await second.claim(KEY) == "held"
    first.release(KEY)
    await first.claim("another")
    assert [await second.claim(KEY), await first.claim(KEY)] == ["taken", "held"]


async def test_what_was_stored_before_the_claim_is_told(
    caches: tuple[SqliteCache, SqliteCache], path: Path
) -> None:
    first, second = caches
    await first.claim(KEY)
    await store(first)
    assert leases(path) == []
    assert await second.claim(KEY) == "found"
    assert leases(path) == [KEY]


async def test_one_who_stores_without_a_lease_takes_none_away(
    caches: tuple[SqliteCache, SqliteCache], path: Path
) -> None:
    first, second = caches
    await first.claim(KEY)
    await store(second)
    assert leases(path) == [KEY]


async def test_leases_end_with_the_cache_that_was_left(path: Path) -> None:
    async with SqliteCache.open(path) as stays:
        async with SqliteCache.open(path) as leaves:
            await leaves.claim(KEY)
        leaves.release(KEY)
        assert leases(path) == [KEY]
        assert await stays.claim(KEY) == "taken"
    assert files(path) == ["cache.db"]


async def test_leases_end_with_a_process_that_was_killed_and_nothing_of_it_stays(
    path: Path,
) -> None:
    claim_and_die(path, KEY, "another")
    assert len(leases(path)) == 2
    async with SqliteCache.open(path) as cache:
        assert await cache.claim(KEY) == "taken"
        assert leases(path) == [KEY]
    assert files(path) == ["cache.db"]


async def test_the_lease_of_one_who_dies_later_is_taken_over_later(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await cache.claim("mine")
        claim_and_die(path, KEY)
        assert await cache.claim(KEY) == "taken"


async def test_whoever_only_reads_or_writes_leaves_no_file(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await store(cache)
        assert await cache.get(KEY, REQUEST) is not None
        assert not [name for name in files(path) if "owner" in name]


async def test_owners_of_a_file_from_elsewhere_hold_nothing(path: Path) -> None:
    open_file(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO leases VALUES (?, '../../etc/passwd')", (KEY,))
    async with SqliteCache.open(path) as cache:
        assert await cache.claim(KEY) == "taken"


@pytest.mark.parametrize("passes", range(8))
async def test_a_claim_that_is_cancelled_at_any_moment_leaves_no_lease(
    path: Path, passes: int
) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        await cache.claim("mine")
        caller = asyncio.create_task(cache.claim(KEY))
        for _ in range(passes):
            await asyncio.sleep(0)
        if caller.cancel():
            with pytest.raises(asyncio.CancelledError):
                await caller
        else:
            cache.release(KEY)
        await cache.claim("the next")
        assert leases(path) == ["mine", "the next"]


async def test_a_cancelled_claim_takes_no_lease_from_one_who_has_it(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await cache.claim(KEY)
        caller = asyncio.create_task(cache.claim(KEY))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await cache.claim(KEY) == "held"


async def test_a_claim_waits_for_nothing_but_its_turn(path: Path) -> None:
    """All claims that come together are one transaction, as other writes are."""
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        statements: list[str] = []
        await database.run(lambda connection: connection.set_trace_callback(statements.append))
        await asyncio.gather(*(cache.claim(str(index)) for index in range(100)))
        assert statements.count("COMMIT") == 1


async def test_a_claim_does_not_wait_for_the_disk_and_everything_else_does(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        levels: list[int] = []

        def note_the_level_of_a_commit(statement: str) -> None:
            if statement.startswith("PRAGMA synchronous = "):
                levels.append({"NORMAL": 1, "FULL": 2}[statement.rsplit(maxsplit=1)[-1]])
            elif statement == "COMMIT":
                levels.append(0)

        await database.run(
            lambda connection: connection.set_trace_callback(note_the_level_of_a_commit)
        )
        await cache.claim(KEY)
        assert levels == [1, 0, 2]
        levels.clear()
        await asyncio.gather(cache.claim("another"), store(cache))
        assert levels == [0, 0]


async def test_a_cache_of_the_first_version_is_opened_and_upgraded_with_all_that_it_holds(
    path: Path,
) -> None:
    of_the_first_version(path)
    async with SqliteCache.open(path) as cache:
        assert await cache.claim(KEY) == "found"
        hit = await cache.get(KEY, REQUEST)
        assert hit is not None
        assert hit.completion.content == "b"
        assert (await cache.spent("run")).cost == 0.5
    with closing(sqlite3.connect(path)) as connection:
        assert sqlite_schema.version_of(connection) == sqlite_schema.VERSION


def of_the_first_version(path: Path) -> None:
    """What a program that knew no leases wrote."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {sqlite_schema.APPLICATION_ID}")
        for statement in sqlite_schema.MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        for statement in ROWS_OF_THE_FIRST_VERSION:
            connection.execute(statement)


ROWS_OF_THE_FIRST_VERSION = (
    """
    INSERT INTO calls VALUES (
        1, '238315ba96f1a141b1f2b2d00b8fc8cfe86aa5cbd1f2fb3694a91b975989b9c6', 'run', 't', '1',
        '2026-11-20T12:00:00.000000Z', '2026-11-20T12:00:00.000000Z', 'stored', 0.5, 1.0, 1, 9, NULL
    )
    """,
    """
    INSERT INTO responses VALUES (
        1, '238315ba96f1a141b1f2b2d00b8fc8cfe86aa5cbd1f2fb3694a91b975989b9c6',
        '{"endpoint":"mock","messages":[{"content":"a","role":"user"}],"model":"m"}',
        '{"model":"m","content":"b","finish_reason":"stop","usage":{"input_tokens":0,"output_tokens":1,'
        || '"reasoning_tokens":0,"cached_tokens":0},"served":{"attempts":1,"latency_s":0.0}}',
        '571144dadf1e59aa555d9beef355d154aad83b64ba09753e866666e25b189e5e',
        '2026-11-20T12:00:00.000000Z', 'run', 'mock', 'm', 248
    )
    """,
)


async def test_a_file_without_the_tables_of_its_version_is_damaged(path: Path) -> None:
    open_file(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE leases")
    with pytest.raises(CacheError, match="its tables are missing"):
        open_file(path)
