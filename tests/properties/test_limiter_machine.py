"""The limiter under any order of wishes, answers, refusals, pauses and cancellations: bounds hold,
nobody is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.domain.policy import Limits
from harness.engine.limiter import Limiter, LimiterState
from harness.engine.stopping import Stop
from harness.errors import RunStopped
from harness.ports import Slot
from harness.testing.virtual_time import VirtualLoop

T = TypeVar("T")

HOUR_S = 3600.0


class LimiterMachine(RuleBasedStateMachine):
    @initialize(in_flight=st.integers(1, 20), rpm=st.none() | st.integers(30, 600))
    def begin(self, in_flight: int, rpm: int | None) -> None:
        async def make() -> tuple[Stop, Limiter]:
            stop = Stop()
            return stop, Limiter(Limits(in_flight=in_flight, requests_per_minute=rpm), stop)

        self.loop = VirtualLoop()
        self.in_flight = in_flight
        self.rpm = rpm
        self.stop, self.limiter = self.run(make())
        self.waiting: list[tuple[int, asyncio.Task[Slot]]] = []
        self.held: list[Slot] = []
        self.ending = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(priority=st.integers(0, 5), number=st.integers(1, 5))
    def want(self, priority: int, number: int) -> None:
        for _ in range(number):
            acquiring = self.limiter.acquire(priority=priority, tokens=10)
            self.waiting.append((priority, self.loop.create_task(acquiring)))
        self.let_pass(0.0)

    @rule(seconds=st.floats(0.0, 30.0))
    def let_pass(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))
        self.run(asyncio.sleep(0))
        granted = [(priority, task) for priority, task in self.waiting if task.done()]
        self.waiting = [(priority, task) for priority, task in self.waiting if not task.done()]
        for _, task in granted:
            if isinstance(task.exception(), RunStopped):
                assert self.stop.is_set
            else:
                self.held.append(task.result())

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        end=st.sampled_from(["answered", "answered", "refused", "named", "rate", "lost"]),
    )
    def give_back(self, data: st.DataObject, end: str) -> None:
        place = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

        async def end_it() -> None:
            if end == "answered":
                self.limiter.succeeded(place)
            elif end != "lost":
                self.limiter.refused(
                    place, named=3 if end == "named" else None, by_rate=end == "rate"
                )
            self.limiter.release(place, tokens_used=15)

        self.run(end_it())
        self.let_pass(0.0)

    @rule(seconds=st.floats(0.0, 60.0))
    def pause(self, seconds: float) -> None:
        async def rest() -> None:
            self.limiter.pause(seconds)

        self.run(rest())

    @rule(left=st.integers(0, 40))
    def come_near_the_end(self, left: int) -> None:
        self.ending = True
        self.limiter.ending(left)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        _, task = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        task.cancel()
        self.let_pass(0.0)
        assert task.cancelled()

    @precondition(lambda self: not self.stop.is_set)
    @rule()
    def end_the_run(self) -> None:
        self.stop.set("interrupted", "Ctrl-C")
        self.let_pass(0.0)
        assert not self.waiting

    @invariant()
    def what_is_held_is_known_and_within_bounds(self) -> None:
        if hasattr(self, "limiter"):
            state = self.run(self.state())
            assert (state.in_flight, state.waiting) == (len(self.held), len(self.waiting))
            assert 1 <= state.places <= self.in_flight
            assert state.in_flight <= self.in_flight

    async def state(self) -> LimiterState:
        return self.limiter.state()

    def teardown(self) -> None:
        """Whoever still waits gets a place: the oldest topic first, or at the end of a batch who
        came first.
        """
        if not hasattr(self, "limiter"):
            return
        order: list[int] = []
        expected = [priority for priority, _ in self.waiting]
        if self.ending:
            self.limiter.ending(0)
        else:
            expected.sort()
        for priority, task in self.waiting:
            task.add_done_callback(partial(_note, order, priority))
        while self.held or self.waiting:
            if not self.held:
                before = len(self.waiting)
                self.let_pass(HOUR_S)
                assert len(self.waiting) < before, "who waits is forgotten"
            while self.held:
                self.run(self._release(self.held.pop()))
                self.let_pass(0.0)
        assert order == expected
        self.loop.close()

    async def _release(self, place: Slot) -> None:
        self.limiter.succeeded(place)
        self.limiter.release(place, tokens_used=10)


def _note(order: list[int], priority: int, _: asyncio.Task[Slot]) -> None:
    order.append(priority)


TestLimiter = LimiterMachine.TestCase
TestLimiter.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
