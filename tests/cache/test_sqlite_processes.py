"""The cache among real processes: several on one file, and ways to end that must not hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cache.sqlite_cache import SqliteCache
from harness.cache.sqlite_thread import Database
from harness.domain.ledger import Spent
from harness.errors import CacheError

PROGRAM = """
import asyncio, pathlib, sys
from datetime import UTC, datetime
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.completion import (Completion, Message, Request, Usage)
from harness.domain.call import Call
from harness.domain.key import cache_key
from harness.ports import OpenCall, Resolution

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATH = pathlib.Path(sys.argv[1])

async def put(cache, text):
    request = Request(endpoint="mock", model="m", messages=(Message(role="user", content=text),))
    call = Call(run_id=sys.argv[2], topic_id=text, span_id="1")
    entry = OpenCall(key=cache_key(request), call=call, opened_at=NOW, cost_at_most=1.0, tokens_at_most=9)
    number = await cache.open_call(request, entry)
    completion = Completion(model="m", content=text, finish_reason="stop", usage=Usage(output_tokens=1))
    await cache.resolve(number, Resolution(outcome="stored", closed_at=NOW, cost=0.5, tokens=1, completion=completion))
    hit = await cache.get(cache_key(request), request)
    assert hit is not None and hit.completion.content == text, text
"""

MANY_WRITES = """
async def main():
    async with SqliteCache.open(PATH) as cache:
        print("ready", flush=True)
        sys.stdin.readline()
        for start in range(0, 400, 20):
            await asyncio.gather(*(put(cache, str(index)) for index in range(start, start + 20)))
asyncio.run(main())
"""

RAISES = """
async def main():
    async with SqliteCache.open(PATH) as cache:
        await put(cache, "a")
        raise SystemExit(7)
asyncio.run(main())
"""

NEVER_CLOSES = """
async def main():
    manager = SqliteCache.open(PATH)
    globals()["kept"] = manager
    await put(await manager.__aenter__(), "a")
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
raise SystemExit(7)
"""

FAILS_TO_OPEN = """
async def main():
    async with SqliteCache.open(PATH.parent):
        raise AssertionError("a directory was opened")
try:
    asyncio.run(main())
except Exception as error:
    print(type(error).__name__)
    raise SystemExit(7)
"""

KILLED = """
import os
async def main():
    async with SqliteCache.open(PATH) as cache:
        await put(cache, "a")
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""


def command(program: str, path: Path, run_id: str = "run") -> list[str]:
    return [sys.executable, "-W", "error", "-c", PROGRAM + program, str(path), run_id]


def run(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(program, path), timeout=30, check=False, capture_output=True, text=True
    )


def run_at_once(program: str, path: Path, run_ids: Sequence[str]) -> list[int | None]:
    """A process for each run; they are let go when all of them stand ready. Their exit codes."""
    children = [
        subprocess.Popen(
            command(program, path, run_id), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for run_id in run_ids
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate()
    return [child.returncode for child in children]


async def spent(path: Path, run_id: str = "run") -> Spent:
    async with SqliteCache.open(path) as cache:
        return await cache.spent(run_id)


async def test_three_processes_write_one_file_at_once_without_a_lock_error(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    assert run_at_once(MANY_WRITES, path, ["x", "y", "z"]) == [0, 0, 0]
    for run_id in ("x", "y", "z"):
        assert await spent(path, run_id) == Spent(calls=400, cost=200.0, tokens=400)


@pytest.mark.parametrize(("program", "code"), [(RAISES, 7), (NEVER_CLOSES, 7), (KILLED, -9)])
async def test_a_process_ends_however_its_run_does_and_keeps_what_it_stored(
    tmp_path: Path, program: str, code: int
) -> None:
    path = tmp_path / "cache.db"
    assert run(program, path).returncode == code
    assert await spent(path) == Spent(calls=1, cost=0.5, tokens=1)


def test_a_cache_that_cannot_be_opened_leaves_no_noise(tmp_path: Path) -> None:
    ended = run(FAILS_TO_OPEN, tmp_path / "x")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "CacheError\n", "")


@pytest.mark.parametrize("passes", range(6))
async def test_opening_may_be_cancelled_at_any_moment_and_leaves_no_thread(
    tmp_path: Path, passes: int
) -> None:
    async def use() -> None:
        async with SqliteCache.open(tmp_path / "cache.db"):
            await asyncio.Event().wait()

    before = threading.active_count()
    task = asyncio.create_task(use())
    for _ in range(passes):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threading.active_count() == before


async def test_a_failed_opening_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(CacheError):
        async with Database.open(tmp_path):
            raise AssertionError("a directory was opened")
    assert threading.active_count() == before
