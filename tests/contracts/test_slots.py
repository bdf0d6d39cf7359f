"""The promises of every `harness.ports.Slots`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import pytest

from harness.domain.policy import Limits
from harness.engine.limiter import Limiter
from harness.engine.stopping import Stop
from harness.errors import RunStopped
from harness.ports import Slots

pytestmark = pytest.mark.harness_virtual_time

SlotsFactory: TypeAlias = Callable[[Limits, Stop], Slots]

SLOTS: dict[str, SlotsFactory] = {"in this process": Limiter}


@pytest.fixture(params=SLOTS)
def open_slots(request: pytest.FixtureRequest) -> SlotsFactory:
    return SLOTS[request.param]


async def test_no_more_are_in_flight_than_there_are_slots(open_slots: SlotsFactory) -> None:
    slots, peak = open_slots(Limits(in_flight=4), Stop()), 0

    async def one() -> None:
        nonlocal peak
        slot = await slots.acquire(priority=0, tokens=10)
        peak = max(peak, slots.in_flight)
        await asyncio.sleep(1.0)
        slots.succeeded(slot)
        slots.release(slot, tokens_used=10)

    await asyncio.gather(*(one() for _ in range(12)))
    assert (peak, slots.in_flight) == (4, 0)
    assert asyncio.get_running_loop().time() == 3.0


async def test_a_slot_tells_its_number_and_what_it_waited_for(open_slots: SlotsFactory) -> None:
    slots = open_slots(Limits(in_flight=1), Stop())
    first = await slots.acquire(priority=0, tokens=10)
    waiting = asyncio.create_task(slots.acquire(priority=0, tokens=10))
    await asyncio.sleep(2.0)
    slots.release(first, tokens_used=10)
    second = await waiting
    assert (first.number, first.queued_s, first.among) == (1, 0.0, 1)
    assert (second.number, second.queued_s, second.paced_s) == (2, 2.0, 0.0)
    assert second.sent_at == 2.0


async def test_of_those_who_wait_the_lowest_priority_goes_first(open_slots: SlotsFactory) -> None:
    slots, order = open_slots(Limits(in_flight=1), Stop()), []
    held = await slots.acquire(priority=0, tokens=1)

    async def one(priority: int) -> None:
        slot = await slots.acquire(priority=priority, tokens=1)
        order.append(priority)
        slots.release(slot, tokens_used=1)

    tasks = [asyncio.create_task(one(priority)) for priority in (5, 1, 3)]
    await asyncio.sleep(0.1)
    slots.release(held, tokens_used=1)
    await asyncio.gather(*tasks)
    assert order == [1, 3, 5]


async def test_requests_a_minute_are_kept(open_slots: SlotsFactory) -> None:
    slots = open_slots(Limits(in_flight=100, requests_per_minute=60), Stop())
    sent_at = []
    for _ in range(4):
        slot = await slots.acquire(priority=0, tokens=1)
        sent_at.append(slot.sent_at)
        slots.release(slot, tokens_used=1)
    assert sent_at == pytest.approx([0.0, 1.0, 2.0, 3.0])


async def test_a_pause_holds_everybody_back(open_slots: SlotsFactory) -> None:
    slots = open_slots(Limits(in_flight=100), Stop())
    slots.pause(30.0)
    assert (await slots.acquire(priority=0, tokens=1)).paced_s == 30.0


async def test_after_a_refusal_fewer_are_in_flight(open_slots: SlotsFactory) -> None:
    slots = open_slots(Limits(in_flight=8), Stop())
    held = [await slots.acquire(priority=0, tokens=1) for _ in range(8)]
    slots.refused(held[0], named=3, by_rate=False)
    assert slots.streak == 1
    for slot in held:
        slots.release(slot, tokens_used=1)
    asked = [asyncio.create_task(slots.acquire(priority=0, tokens=1)) for _ in range(8)]
    await asyncio.sleep(0.001)
    assert slots.in_flight == 3
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


async def test_who_is_cancelled_while_it_waits_has_no_slot(open_slots: SlotsFactory) -> None:
    slots = open_slots(Limits(in_flight=1), Stop())
    held = await slots.acquire(priority=0, tokens=1)
    gone = asyncio.create_task(slots.acquire(priority=0, tokens=1))
    await asyncio.sleep(0.1)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    slots.release(held, tokens_used=1)
    assert slots.in_flight == 0
    assert (await slots.acquire(priority=0, tokens=1)).queued_s == 0.0


async def test_the_end_of_the_run_is_told_to_all_who_wait(open_slots: SlotsFactory) -> None:
    stop = Stop()
    slots = open_slots(Limits(in_flight=1), stop)
    await slots.acquire(priority=0, tokens=1)
    waiting = [asyncio.create_task(slots.acquire(priority=0, tokens=1)) for _ in range(3)]
    await asyncio.sleep(0.1)
    stop.set("interrupted", "Ctrl-C")
    for end in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(end, RunStopped)
