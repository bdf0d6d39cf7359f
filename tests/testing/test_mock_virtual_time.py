"""The loop whose clock jumps."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosqlite
import anyio
import pytest

from harness.testing import VirtualClock, VirtualLoop, run_virtual


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_night_passes_at_once() -> None:
    async def night() -> float:
        await asyncio.sleep(8 * 3600)
        await anyio.sleep(60)
        return now_s()

    began = time.monotonic()
    assert run_virtual(night) == 8 * 3600 + 60
    assert time.monotonic() - began < 5


def test_timers_fire_in_their_order_whatever_their_distance() -> None:
    async def collect() -> list[tuple[float, str]]:
        seen: list[tuple[float, str]] = []

        async def sleeper(delay_s: float, name: str) -> None:
            await anyio.sleep(delay_s)
            seen.append((now_s(), name))

        async with anyio.create_task_group() as group:
            for delay_s, name in (
                (100_000.0, "weeks"),
                (0.001, "soon"),
                (30.0, "later"),
                (30.0, "later too"),
            ):
                group.start_soon(sleeper, delay_s, name)
        return seen

    assert run_virtual(collect) == [
        (0.001, "soon"),
        (30.0, "later"),
        (30.0, "later too"),
        (100_000.0, "weeks"),
    ]


def test_deadlines_of_anyio_and_asyncio_are_virtual() -> None:
    async def deadlines() -> list[float]:
        with anyio.move_on_after(90) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        first_s = now_s()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await anyio.sleep(11)
        return [first_s, now_s()]

    assert run_virtual(deadlines) == [90, 100]


def test_waiting_for_nothing_is_a_deadlock() -> None:
    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(anyio.sleep_forever)


def test_two_tasks_that_wait_for_each_other_are_a_deadlock() -> None:
    async def embrace() -> None:
        left, right = asyncio.Event(), asyncio.Event()

        async def wait_then_set(mine: asyncio.Event, yours: asyncio.Event) -> None:
            await yours.wait()
            mine.set()

        await asyncio.gather(wait_then_set(left, right), wait_then_set(right, left))

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(embrace)


def test_the_clock_stands_while_a_thread_works() -> None:
    async def beside_a_thread() -> tuple[float, bool]:
        go = threading.Event()
        work = asyncio.get_running_loop().run_in_executor(None, go.wait, 10)
        asyncio.get_running_loop().call_soon(go.set)
        done = await work
        return now_s(), done

    assert run_virtual(beside_a_thread) == (0.0, True)


def test_a_timer_does_not_overtake_announced_work() -> None:
    async def race() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        done = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(done.set_result, None))
        loop.call_later(0.001, order.append, "timer")
        with loop.real():
            loop.call_soon(thread.start)
            await done
            order.append("thread")
        thread.join()
        await anyio.sleep(1)
        return order

    assert run_virtual(race) == ["thread", "timer"]


def test_a_database_behind_the_guard_costs_no_virtual_time(tmp_path: Path) -> None:
    async def rows() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with loop.real():
            database = await aiosqlite.connect(tmp_path / "a.db")
            await database.execute("create table t (at real)")
        for _ in range(5):
            await anyio.sleep(3600)
            with loop.real():
                await database.execute("insert into t values (?)", (now_s(),))
        with loop.real():
            found = list(await database.execute_fetchall("select at from t"))
            await database.close()
        assert [row[0] for row in found] == [3600.0 * hour for hour in range(1, 6)]
        return len(found), now_s()

    assert run_virtual(rows) == (5, 5 * 3600)


def test_the_wall_clock_goes_with_the_loop() -> None:
    epoch = datetime(2026, 12, 24, tzinfo=UTC)

    async def stamps() -> list[datetime]:
        clock = VirtualClock(epoch)
        first = clock.now()
        await anyio.sleep(86_400)
        return [first, clock.now()]

    assert run_virtual(stamps) == [epoch, epoch + timedelta(days=1)]


def test_arguments_results_and_errors_pass_through() -> None:
    async def divide(a: float, b: float) -> float:
        await anyio.sleep(1)
        return a / b

    assert run_virtual(divide, 6, 3) == 2
    with pytest.raises(ZeroDivisionError):
        run_virtual(divide, 1, 0)


@pytest.mark.parametrize("years", [0.1, 0.2, 1, 30, 100])
def test_a_wait_of_years_ends(years: float) -> None:
    begun_s, wait_s = 1 / 3, years * 365 * 86400 / 7

    async def wait() -> float:
        await anyio.sleep(begun_s)
        for _ in range(7):
            await anyio.sleep(wait_s)
        return asyncio.get_running_loop().time()

    assert run_virtual(wait) == pytest.approx(begun_s + 7 * wait_s, rel=1e-12)
