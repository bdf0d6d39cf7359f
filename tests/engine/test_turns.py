from __future__ import annotations

import asyncio

import pytest
from fakes import gathered

from harness.engine.stopping import Stop
from harness.engine.topic_slots import TopicSlots
from harness.engine.turns import Turns
from harness.errors import RunStopped


class OneAtATime:
    """The smallest owner of a queue: one thing that one can have."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.turns: Turns[str] = Turns(self.stop)
        self.stop.on_set(self.turns.refuse_all)
        self.free = True
        self.had: list[str] = []

    async def have(self, name: str, priority: int = 0) -> int:
        number = await self.turns.take(
            name, priority=priority, advance=self.advance, give_back=self.give_back
        )
        self.had.append(name)
        return number

    def give_back(self) -> None:
        self.free = True
        self.advance()

    def advance(self) -> None:
        if self.free and self.turns.first is not None:
            self.free = False
            self.turns.grant()


async def started(*tasks: asyncio.Task[int]) -> None:
    await asyncio.sleep(0)


async def test_a_free_thing_is_had_at_once() -> None:
    assert await OneAtATime().have("a") == 1


async def test_the_lowest_priority_goes_first_then_who_came_first() -> None:
    owner = OneAtATime()
    await owner.have("holder")
    tasks = [
        asyncio.create_task(owner.have(name, priority))
        for name, priority in [("c", 2), ("a", 1), ("b", 1)]
    ]
    await started(*tasks)
    assert len(owner.turns) == 3
    for _ in tasks:
        owner.give_back()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert owner.had == ["holder", "a", "b", "c"]
    assert [await task for task in tasks] == [4, 2, 3]
    assert owner.turns.granted == 4
    assert len(owner.turns) == 0


@pytest.mark.parametrize(
    ("switches", "order"),
    [([True], ["c", "a", "b", "later"]), ([True, True, False], ["later", "a", "b", "c"])],
)
async def test_all_who_wait_go_by_arrival_or_again_by_priority(
    switches: list[bool], order: list[str]
) -> None:
    owner = OneAtATime()
    await owner.have("holder")
    tasks = [
        asyncio.create_task(owner.have(name, priority))
        for name, priority in [("c", 2), ("gone", 3), ("a", 1), ("b", 1)]
    ]
    await started(*tasks)
    tasks.pop(1).cancel()
    for by_arrival in switches:
        owner.turns.go_by_arrival(by_arrival)
    tasks.append(asyncio.create_task(owner.have("later", 0)))
    await started(*tasks)
    for _ in tasks:
        owner.give_back()
        await gathered(*(task for task in tasks if task.done()), asyncio.sleep(0))
        await asyncio.sleep(0)
    assert owner.had == ["holder", *order]


async def test_one_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    owner = OneAtATime()
    await owner.have("holder")
    gone, stays = (asyncio.create_task(owner.have(name)) for name in ("gone", "stays"))
    await started(gone, stays)
    gone.cancel()
    await gathered(gone)
    owner.give_back()
    await stays
    assert owner.had == ["holder", "stays"]


async def test_one_who_is_cancelled_with_the_turn_granted_gives_it_back() -> None:
    owner = OneAtATime()
    await owner.have("holder")
    gone, stays = (asyncio.create_task(owner.have(name)) for name in ("gone", "stays"))
    await started(gone, stays)
    owner.give_back()
    gone.cancel()
    await gathered(gone)
    await stays
    assert owner.had == ["holder", "stays"]


async def test_a_stop_refuses_all_who_wait_and_all_who_come_later() -> None:
    owner = OneAtATime()
    await owner.have("holder")
    waiting = asyncio.create_task(owner.have("waiting"))
    gone = asyncio.create_task(owner.have("gone"))
    await started(waiting, gone)
    gone.cancel()
    owner.stop.set("interrupted", "Ctrl-C")
    assert [type(end) for end in await gathered(waiting, owner.have("late"))] == [
        RunStopped,
        RunStopped,
    ]
    assert owner.had == ["holder"]


async def test_a_turn_that_was_granted_when_the_run_ended_is_given_back() -> None:
    owner = OneAtATime()
    await owner.have("holder")
    waiting = asyncio.create_task(owner.have("waiting"))
    await started(waiting)
    owner.give_back()
    assert not owner.free
    owner.stop.set("interrupted", "Ctrl-C")
    with pytest.raises(RunStopped):
        await waiting
    assert owner.free


async def test_places_of_a_topic_are_unused_only_when_all_are_back_and_nobody_waits() -> None:
    places = TopicSlots(1, Stop())
    assert places.unused
    await places.acquire()
    waiting = asyncio.create_task(places.acquire())
    await asyncio.sleep(0)
    assert not places.unused
    waiting.cancel()
    await gathered(waiting)
    places.release()
    assert places.unused
