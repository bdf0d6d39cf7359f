"""A queue for something limited: by priority or by arrival, and nothing lost when who waits is
cancelled.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from harness.engine.stopping import Stop

Want = TypeVar("Want")


class SteppedBackError(Exception):
    """A call gave up its turn, for its endpoint is away: it is to wait where it holds nothing."""


@dataclass(slots=True, order=True)
class _Waiter(Generic[Want]):
    rank: int
    order: int
    priority: int = field(compare=False)
    want: Want = field(compare=False)
    turn: asyncio.Future[int] = field(compare=False)


class Turns(Generic[Want]):
    """Those who wait, by priority (the lowest number first), then by arrival; or all by arrival.

    The owner decides whose turn it is: whenever something may have changed it looks at `first`, and
    grants.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._heap: list[_Waiter[Want]] = []
        self._aside: list[_Waiter[Want]] = []
        self._order = itertools.count()
        self._by_arrival = False
        self._waiting = 0
        self._granted = 0

    @property
    def goes_by_arrival(self) -> bool:
        """Return whether the order is that of arrival alone."""
        return self._by_arrival

    @property
    def granted(self) -> int:
        """Turns granted so far."""
        return self._granted

    def __len__(self) -> int:
        return self._waiting

    async def take(
        self,
        want: Want,
        *,
        priority: int = 0,
        advance: Callable[[], None],
        give_back: Callable[[], None] = lambda: None,
    ) -> int:
        """Wait for a turn, and return its number, counted from 1 in the order in which turns are
        granted.

        `advance` is the owner's look at the queue. `give_back` undoes a grant of which nothing was
        made. Raises RunStopped once the run is ending, even with the turn already granted.
        """
        self._stop.check()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(
            0 if self._by_arrival else priority, next(self._order), priority, want, turn
        )
        heapq.heappush(self._heap, waiter)
        self._waiting += 1
        try:
            advance()
            number = await turn
            self._stop.check()
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                give_back()
            advance()
            raise
        else:
            return number
        finally:
            self._waiting -= 1

    @property
    def first(self) -> Want | None:
        """The wish of the first of those who wait; None if nobody waits."""
        while self._heap and self._heap[0].turn.done():
            heapq.heappop(self._heap)
        return self._heap[0].want if self._heap else None

    @property
    def next_rank(self) -> float:
        """The rank of the first of those who wait, the lower the sooner; infinite if nobody
        does.
        """
        if self.first is None:
            return math.inf
        return self._heap[0].rank

    def set_aside(self) -> None:
        """Look past the first until `bring_back`: it keeps its place in the queue."""
        self._aside.append(heapq.heappop(self._heap))

    def bring_back(self) -> None:
        """Put back those that were set aside."""
        aside, self._aside = self._aside, []
        for waiter in aside:
            heapq.heappush(self._heap, waiter)

    def go_by_arrival(self, by_arrival: bool) -> None:
        """From now on in the order of arrival alone; or by priority again, those who wait already
        included.
        """
        if by_arrival == self._by_arrival:
            return
        self._by_arrival = by_arrival
        for waiter in self._heap:
            waiter.rank = 0 if by_arrival else waiter.priority
        heapq.heapify(self._heap)

    def grant(self) -> None:
        """Let the first go on."""
        self._granted += 1
        heapq.heappop(self._heap).turn.set_result(self._granted)

    def refuse_all(self, error: Callable[[], Exception] | None = None) -> None:
        """Have all who wait raise RunStopped, or each an error of this making."""
        waiting, self._heap = self._heap, []
        for waiter in waiting:
            if not waiter.turn.done():
                waiter.turn.set_exception((error or self._stop.error)())
