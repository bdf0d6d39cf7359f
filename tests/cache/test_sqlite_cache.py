"""What the SQLite cache promises beyond the port: durability, batches, cancellation, and disks that
fail.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from harness.cache.sqlite_cache import SqliteCache
from harness.cache.sqlite_thread import Database
from harness.domain.call import Call
from harness.domain.completion import Completion, Json, Message, Request, Tool, Usage
from harness.domain.key import cache_key
from harness.errors import StorageError
from harness.ports import OpenCall, Rejection, Resolution
from harness.testing.virtual_time import run_virtual

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def a_request(text: str = "a") -> Request:
    return Request(endpoint="mock", model="m", messages=(Message(role="user", content=text),))


def an_entry(request: Request) -> OpenCall:
    call = Call(run_id="run", topic_id="t", span_id="1")
    return OpenCall(
        key=cache_key(request), call=call, opened_at=NOON, cost_at_most=1.0, tokens_at_most=100
    )


def an_answer(content: str = "b", cost: float = 0.5) -> Resolution:
    completion = Completion(
        model="m", content=content, finish_reason="stop", usage=Usage(output_tokens=3), cost=cost
    )
    return Resolution(outcome="stored", closed_at=NOON, cost=cost, tokens=3, completion=completion)


async def put(cache: SqliteCache, text: str = "a", content: str = "b") -> None:
    request = a_request(text)
    await cache.resolve(await cache.open_call(request, an_entry(request)), an_answer(content))


async def content_of(cache: SqliteCache, text: str = "a") -> str | None:
    hit = await cache.get(cache_key(a_request(text)), a_request(text))
    return None if hit is None else hit.completion.content


def sql(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """A statement of another program, committed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


class Hold:
    """Keeps the database's thread busy, so that what is asked meanwhile must wait."""

    def __init__(self, database: Database) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun, self._ended = asyncio.Event(), threading.Event()
        self._database = database

    def begin(self) -> None:
        self._task = asyncio.create_task(self._database.run(self._block))

    async def begun(self) -> None:
        await self._begun.wait()

    def end(self) -> None:
        self._ended.set()

    def _block(self, _: sqlite3.Connection) -> None:
        self._loop.call_soon_threadsafe(self._begun.set)
        assert self._ended.wait(30)


async def test_answers_and_the_journal_outlive_the_process_that_wrote_them(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache)
        await cache.open_call(a_request("open"), an_entry(a_request("open")))
    async with SqliteCache.open(path) as cache:
        assert await content_of(cache) == "b"
        assert list(await cache.left_open("run")) == [an_entry(a_request("open"))]
        assert (await cache.spent("run")).cost == 0.5


async def test_what_was_awaited_is_on_the_disk(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache)
        assert sql(path, "SELECT outcome, cost FROM calls") == [("stored", 0.5)]
        assert sql(path, "SELECT count(*) FROM responses") == [(1,)]


async def test_a_commit_waits_for_the_disk(path: Path) -> None:
    async with Database.open(path) as database:
        synchronous = await database.run(
            lambda connection: connection.execute("PRAGMA synchronous").fetchone()
        )
        journal_mode = await database.run(
            lambda connection: connection.execute("PRAGMA journal_mode").fetchone()
        )
    assert (synchronous, journal_mode) == ((2,), ("wal",))  # 2 is FULL


async def test_callers_that_wait_together_share_one_transaction_and_one_select(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        statements: list[str] = []
        await database.run(lambda connection: connection.set_trace_callback(statements.append))
        await asyncio.gather(*(put(cache, str(index)) for index in range(100)))
        assert statements.count("COMMIT") == 2
        statements.clear()
        await asyncio.gather(*(content_of(cache, str(index)) for index in range(100)))
        assert len([text for text in statements if text.lstrip().startswith("SELECT")]) == 1


@pytest.mark.parametrize(
    "damage",
    [
        """value = replace(value, '"b"', '"B"')""",
        "value = '{}'",
        "value = '[[1]]'",
        "value = x'ff'",
        "value = ''",
        "digest = 'x'",
        "digest = 1",
        "run_id = CAST(x'ff' AS TEXT)",
        "run_id = 'another'",
        "created_at = '2026-11-20T13:00:00.000000Z'",
        "request = replace(request, 'mock', 'MOCK')",
    ],
)
async def test_a_damaged_entry_is_reported_and_a_miss_and_replaced(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(f"UPDATE responses SET {damage}")
        with caplog.at_level(logging.WARNING, "harness.cache"):
            assert await content_of(cache) is None
        assert cache_key(a_request()) in caplog.text
        await put(cache, content="again")
        assert await content_of(cache) == "again"


async def test_an_operation_at_fault_fails_alone(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        requests = [a_request(str(index)) for index in range(3)]
        numbers = [await cache.open_call(request, an_entry(request)) for request in requests]
        resolutions = [an_answer(), an_answer(cost=float("nan")), an_answer()]
        results = await asyncio.gather(
            *map(cache.resolve, numbers, resolutions), return_exceptions=True
        )
        assert [type(result) for result in results] == [type(None), ValueError, type(None)]
        assert [await content_of(cache, str(index)) for index in range(3)] == ["b", None, "b"]
        assert [entry.key for entry in await cache.left_open("run")] == [cache_key(requests[1])]


async def test_what_the_schema_refuses_is_an_error_of_ours_that_names_the_file(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        number = await cache.open_call(a_request(), an_entry(a_request()))
        nonsense = replace(an_answer(), outcome="maybe")  # type: ignore[arg-type]
        with pytest.raises(StorageError, match=r"cache\.db.*CHECK constraint failed"):
            await cache.resolve(number, nonsense)


async def test_the_answer_of_a_cancelled_caller_is_stored(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        number = await cache.open_call(a_request(), an_entry(a_request()))
        hold = Hold(database)
        hold.begin()
        await hold.begun()
        caller = asyncio.create_task(cache.resolve(number, an_answer()))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        hold.end()
        # Asked beside the write, so either may come first.
        assert await content_of(cache) in (None, "b")
        assert list(await cache.left_open("run")) == []


@pytest.mark.parametrize("passes", range(6))
async def test_a_request_that_a_cancelled_caller_never_sent_is_not_in_the_journal(
    path: Path, passes: int
) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        hold = Hold(database)
        hold.begin()
        await hold.begun()
        caller = asyncio.create_task(cache.open_call(a_request(), an_entry(a_request())))
        for _ in range(passes):
            await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        hold.end()
    assert sql(path, "SELECT * FROM calls") == []


async def test_a_request_whose_caller_is_cancelled_as_the_row_is_durable_is_taken_off_again(
    path: Path,
) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        hold = Hold(database)
        hold.begin()
        await hold.begun()
        caller = asyncio.create_task(cache.open_call(a_request(), an_entry(a_request())))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        after = threading.Event()
        follower = asyncio.create_task(database.run(lambda _: after.set()))
        await asyncio.sleep(0)
        hold.end()
        assert await_without_the_loop(after)
        assert sql(path, "SELECT count(*) FROM calls") == [(1,)]
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await follower
    assert sql(path, "SELECT * FROM calls") == []


def await_without_the_loop(event: threading.Event) -> bool:
    """The loop must not turn meanwhile: it would deliver what is under way."""
    return event.wait(30)


async def test_a_request_whose_caller_is_cancelled_before_the_row_was_written_is_never_written(
    path: Path,
) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        hold = Hold(database)
        hold.begin()
        await hold.begun()
        away = asyncio.create_task(cache.open_call(a_request("away"), an_entry(a_request("away"))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.create_task(cache.open_call(a_request(), an_entry(a_request())))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        hold.end()
        number = await away
    assert sql(path, "SELECT id FROM calls") == [(number,)]


async def two_answers_under_way(cache: SqliteCache, hold: Hold) -> list[asyncio.Task[None]]:
    """One in the hands of the busy thread, and one that waits behind it."""
    numbers = [
        await cache.open_call(a_request(text), an_entry(a_request(text)))
        for text in ("away", "waiting")
    ]
    hold.begin()
    await hold.begun()
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(cache.resolve(number, an_answer())))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_leaving_waits_for_what_was_handed_in_also_when_cancelled(path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with Database.open(path) as database, SqliteCache.on(database) as cache:
            hold = Hold(database)
            tasks = await two_answers_under_way(cache, hold)
            scope.cancel()
            asyncio.get_running_loop().call_later(0.01, hold.end)
            await anyio.sleep_forever()
    await asyncio.gather(*tasks)
    assert sql(path, "SELECT outcome FROM calls ORDER BY id") == [("stored",), ("stored",)]


async def test_who_still_waits_when_even_leaving_is_broken_off_is_told(path: Path) -> None:
    tasks: list[asyncio.Task[None]] = []
    leaving = asyncio.Event()

    async def use(database: Database, hold: Hold) -> None:
        async with SqliteCache.on(database) as cache:
            tasks.extend(await two_answers_under_way(cache, hold))
            leaving.set()

    async with Database.open(path) as database:
        hold = Hold(database)
        user = asyncio.create_task(use(database, hold))
        await leaving.wait()
        await asyncio.sleep(0)
        user.cancel()
        with pytest.raises(asyncio.CancelledError):
            await user
        with pytest.raises(StorageError, match="closed"):
            await tasks[1]
        hold.end()
        await tasks[0]
    assert sql(path, "SELECT outcome FROM calls ORDER BY id") == [("stored",), ("open",)]


async def test_a_lock_that_another_process_gives_up_is_waited_for(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun: list[str] = []

            def give_up_at_the_second_try(statement: str) -> None:
                begun.append(statement)
                if begun == ["BEGIN IMMEDIATE"] * 2:
                    other.execute("ROLLBACK")

            await database.run(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))
            await database.run(
                lambda connection: connection.set_trace_callback(give_up_at_the_second_try)
            )
            await put(cache)
            assert await content_of(cache) == "b"


async def test_a_lock_that_is_never_given_up_is_a_storage_error(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        await database.run(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match=r"cache\.db.*another process holds it locked"):
                await put(cache)


async def test_a_failure_that_no_caller_waited_for_is_raised_on_leaving(path: Path) -> None:
    async def cancel_a_failing_write(database: Database) -> None:
        async with SqliteCache.on(database) as cache:
            number = await cache.open_call(a_request(), an_entry(a_request()))
            await database.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
            caller = asyncio.create_task(cache.resolve(number, an_answer()))
            await asyncio.sleep(0)
            caller.cancel()

    async with Database.open(path) as database:
        with pytest.raises(StorageError, match="read-only"):
            await cancel_a_failing_write(database)


async def test_a_cache_that_was_left_takes_nothing_more(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await content_of(cache)


async def test_a_full_disk_is_a_storage_error_and_what_was_stored_stays_readable(
    path: Path,
) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        await put(cache, "first")
        await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 20"))
        with pytest.raises(StorageError, match=r"cache\.db.*disk is full"):
            await put(cache, "second", "x" * 100_000)
        assert await content_of(cache, "first") == "b"
        assert await content_of(cache, "second") is None


async def test_a_file_that_became_read_only_is_a_storage_error(path: Path) -> None:
    async with Database.open(path) as database, SqliteCache.on(database) as cache:
        await database.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
        with pytest.raises(StorageError, match=r"cache\.db.*read-only"):
            await put(cache)


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace_by_another(path: Path) -> None:
    move(path)
    path.write_bytes(b"")


def delete_the_log(path: Path) -> None:
    path.with_name("cache.db-wal").unlink()


@pytest.mark.parametrize("lose", [delete, move, replace_by_another, delete_the_log])
async def test_a_file_that_went_away_is_a_storage_error_and_no_silent_loss(
    path: Path, lose: Callable[[Path], None]
) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache, "first")
        lose(path)
        with pytest.raises(StorageError, match=r"cache\.db.*deleted, moved or replaced"):
            await put(cache, "second")


class Watched(Mapping[str, Json]):
    """Parameters that note which thread reads them."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def __getitem__(self, name: str) -> Json:
        return {"type": "object"}[name]

    def __iter__(self) -> Iterator[str]:
        self.threads.add(threading.get_ident())
        return iter(["type"])

    def __len__(self) -> int:
        return 1


async def test_requests_are_written_out_and_compared_off_the_event_loop(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        plain = replace(a_request(), tools=(Tool(name="f", parameters={"type": "object"}),))
        await cache.resolve(await cache.open_call(plain, an_entry(plain)), an_answer())
        watched = Watched()
        assert await cache.get(
            cache_key(plain), replace(plain, tools=(Tool(name="f", parameters=watched),))
        )
        assert len(watched.threads) == 1
        assert threading.get_ident() not in watched.threads


def test_virtual_time_stands_still_while_the_database_works(path: Path) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(3600, loop.stop)
        async with SqliteCache.open(path) as cache:
            await asyncio.gather(*(put(cache, str(index)) for index in range(20)))
            assert await content_of(cache, "7") == "b"
            await cache.spent("run")
        timer.cancel()
        return loop.time()

    assert run_virtual(main) == 0.0


REJECTION = Rejection(
    key=cache_key(a_request()),
    call=Call(run_id="run", topic_id="t", span_id="1"),
    owner="run/t/1",
    reason="no list \ud800",
)


async def test_the_journal_says_of_the_newest_row_of_the_call_that_its_answer_was_rejected(
    path: Path,
) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache, content="first")
        await put(cache, content="second")
        await cache.reject(REJECTION)
    rows = sql(path, "SELECT outcome, rejected, cost FROM calls ORDER BY id")
    assert rows == [("stored", None, 0.5), ("stored", r"no list \ud800", 0.5)]


async def test_a_verdict_on_an_answer_that_another_run_paid_for_leaves_the_journal_alone(
    path: Path,
) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache)
        await cache.reject(replace(REJECTION, owner=""))
    assert sql(path, "SELECT rejected FROM responses") == [(r"no list \ud800",)]
    assert sql(path, "SELECT rejected FROM calls") == [(None,)]


async def test_a_verdict_on_a_damaged_entry_disturbs_nobody(path: Path) -> None:
    async with SqliteCache.open(path) as cache:
        await put(cache)
    sql(path, "PRAGMA ignore_check_constraints = ON")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE responses SET value = 'torn'")
        connection.commit()
    async with SqliteCache.open(path) as cache:
        await cache.reject(REJECTION)
        assert await content_of(cache) is None
