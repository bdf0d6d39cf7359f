"""A process that stood still does not take that for the server's silence; a wall clock that jumps
moves no deadline.
"""

from __future__ import annotations

import asyncio

import anyio
import pytest

from harness.endpoint.deadline import Deadline
from harness.testing.virtual_time import VirtualLoop

pytestmark = pytest.mark.harness_virtual_time


def stand_still(seconds: float) -> None:
    """Let time pass for which the loop did not run, as when the process was stopped and
    continued.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop._virtual_s += seconds


def later(delay_s: float, seconds: float) -> None:
    asyncio.get_running_loop().call_later(delay_s, stand_still, seconds)


async def waited(deadline: Deadline, seconds: float) -> float:
    """Wait so long for a server within a deadline; how long it lasted."""
    began = anyio.current_time()
    with deadline:
        await asyncio.sleep(seconds)
    return anyio.current_time() - began


@pytest.mark.parametrize("hours", [0.01, 1, 12])
async def test_a_call_that_was_under_way_when_the_process_was_stopped_goes_on(hours: float) -> None:
    later(7.0, hours * 3600)
    deadline = Deadline(first_token_s=30, idle_s=9, total_s=100)
    # The answer lies there when the process goes on; the loop comes to it after the timers.
    with deadline:
        await asyncio.sleep(20)
        deadline.heard()
        await asyncio.sleep(25)
    assert deadline.expired is None


async def test_many_deadlines_do_not_all_fire_at_once() -> None:
    later(7.0, 3600)
    deadlines = [
        Deadline(first_token_s=10 + number / 10, idle_s=9, total_s=100) for number in range(50)
    ]
    await asyncio.gather(*(waited(deadline, 20) for deadline in deadlines))
    assert {deadline.expired for deadline in deadlines} == {None}


async def test_a_server_that_is_really_silent_is_given_up_all_the_same() -> None:
    later(7.0, 3600)
    deadline = Deadline(first_token_s=30, idle_s=9, total_s=100)
    lasted_s = await waited(deadline, 10_000)
    assert deadline.expired == "first_token"
    # What was lost and at most what passes between two looks, besides the silence itself.
    assert 3600 + 30 - 7 <= lasted_s <= 3600 + 30 + 7


async def test_the_total_is_given_back_what_was_lost() -> None:
    later(7.0, 3600)
    deadline = Deadline(first_token_s=30, idle_s=9, total_s=100)
    began = anyio.current_time()
    with deadline:
        while True:
            await asyncio.sleep(1)
            deadline.heard()
    assert deadline.expired == "total"
    assert anyio.current_time() - began == pytest.approx(3700, abs=5)


async def test_a_second_standstill_is_not_forgiven() -> None:
    later(7.0, 3600)
    later(17.0 + 3600, 3600)
    deadline = Deadline(first_token_s=60, idle_s=9, total_s=10_000)
    await waited(deadline, 8000)
    assert deadline.expired == "first_token"


async def test_a_loop_that_is_a_little_late_moves_nothing() -> None:
    later(29.5, 0.9)
    deadline = Deadline(first_token_s=30, idle_s=9, total_s=100)
    lasted_s = await waited(deadline, 10_000)
    assert deadline.expired == "first_token"
    assert lasted_s == pytest.approx(30.4)


async def test_a_standstill_amid_an_answer_is_forgiven_like_one_before_it() -> None:
    tokens: list[float] = []
    deadline = Deadline(
        first_token_s=100,
        idle_s=30,
        total_s=1000,
        last_token_at=lambda: tokens[-1] if tokens else None,
    )
    later(7.0, 3600)
    with deadline:
        await asyncio.sleep(5)
        tokens.append(deadline.clock())
        deadline.begun()
        await asyncio.sleep(10)  # the process stands still meanwhile
        await asyncio.sleep(15)
        tokens.append(deadline.clock())
        await asyncio.sleep(29)
    assert deadline.expired is None


async def test_a_server_that_stalls_after_a_standstill_is_given_up() -> None:
    deadline = Deadline(first_token_s=100, idle_s=30, total_s=10_000, last_token_at=lambda: 0.0)
    later(7.0, 3600)
    lasted_s = await waited(deadline, 8000)
    assert deadline.expired == "idle"
    assert 3600 + 30 - 7 <= lasted_s <= 3600 + 30 + 7


async def test_the_first_token_starts_the_shorter_time_at_once() -> None:
    """Though the next look was due later."""
    tokens: list[float] = []
    deadline = Deadline(
        first_token_s=100,
        idle_s=2,
        total_s=1000,
        last_token_at=lambda: tokens[-1] if tokens else None,
    )
    with deadline:
        await asyncio.sleep(1)
        tokens.append(deadline.clock())
        deadline.begun()
        await asyncio.sleep(50)
    assert deadline.expired == "idle"
    assert anyio.current_time() == pytest.approx(3.0)


async def test_a_silence_may_be_waited_for_beyond_its_time_and_ends_with_the_total() -> None:
    deadline = Deadline(
        first_token_s=30, idle_s=9, total_s=1000, on_silence=lambda seconds: "wait on"
    )
    lasted_s = await waited(deadline, 10_000)
    assert deadline.expired == "total"
    assert lasted_s == pytest.approx(1000.0)
