"""One simulated topic: its recorded calls, asked again in their order through the real layers."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.abc

from harness.domain.call import Call
from harness.domain.completion import Completion, Served
from harness.domain.failures import CompletionError
from harness.domain.pricing import is_peak
from harness.domain.run import Topic
from harness.errors import RunStopped
from harness.ports import Completer, WallClock
from harness.simulation.books import Books
from harness.simulation.recorded import RecordedTopic

RUN_ID = "simulated"


class Replay:
    """Makes each call as soon as those it waited for have ended, whatever became of them, and
    counts it.
    """

    def __init__(
        self,
        recorded: RecordedTopic,
        topic: Topic,
        completer: Completer,
        books: Books,
        clock: WallClock,
    ) -> None:
        self._recorded = recorded
        self._topic = topic
        self._completer = completer
        self._books = books
        self._clock = clock
        self._missing = [len(call.after) for call in recorded.calls]
        self._chains_s = [0.0] * len(recorded.calls)
        self._stopped = False

    async def run(self) -> None:
        """Return when all calls have ended, or when the night has and those in flight have."""
        first, *others = [number for number, missing in enumerate(self._missing) if not missing]
        async with anyio.create_task_group() as group:
            for other in others:
                group.start_soon(self._from, other, group)
            await self._from(first, group)
        self._books.critical_path_s = max(self._books.critical_path_s, *self._chains_s)
        if not self._stopped:
            if self._recorded.rest_s:
                await anyio.sleep(self._recorded.rest_s)
            self._books.finished += 1

    async def _from(self, number: int, group: anyio.abc.TaskGroup) -> None:
        """Make a call, and then those that waited for it: the first of them here, which saves a
        task.
        """
        here: int | None = number
        while here is not None:
            await self._make(here)
            if self._stopped:
                return
            free = self._freed_by(here)
            for other in free[1:]:
                group.start_soon(self._from, other, group)
            here = free[0] if free else None

    def _freed_by(self, number: int) -> Sequence[int]:
        free = []
        for follower in self._recorded.followers[number]:
            self._missing[follower] -= 1
            if not self._missing[follower]:
                free.append(follower)
        return free

    async def _make(self, number: int) -> None:
        recorded, books = self._recorded.calls[number], self._books
        self._chains_s[number] = max(
            (self._chains_s[other] for other in recorded.after), default=0.0
        )
        if recorded.gap_s:
            await anyio.sleep(recorded.gap_s)
        if not recorded.sent:
            return
        call = Call(
            run_id=RUN_ID, topic_id=self._topic.id, span_id=str(number), priority=self._topic.index
        )
        try:
            completion = await self._completer.complete(recorded.request, call)
        except CompletionError as error:
            books.failed_calls += 1
            served = error.served or Served()
        except RunStopped:
            # Calls of this topic that are in flight end as in a real run: they are paid for.
            self._stopped = True
            return
        else:
            self._chains_s[number] += completion.served.latency_s
            served = self._answered(completion)
        books.calls += 1
        books.waits.add(served)
        self._spend(sum(failure.cost or 0.0 for failure in served.failures))

    def _answered(self, completion: Completion) -> Served:
        self._books.work_s += completion.served.latency_s
        if completion.cost is None:
            self._books.unpriced += 1
        else:
            self._spend(completion.cost)
        return completion.served

    def _spend(self, cost: float) -> None:
        """Count money at the prices of this instant."""
        if cost:
            self._books.cost += cost
            self._books.peak_cost += cost if is_peak(self._clock.now()) else 0.0
