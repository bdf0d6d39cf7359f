"""The bound and the losses of a session whose calls are added topic by topic: some tens of bytes a
call, where `bounds.bound_of` and `losses.losses_of` hold all of it.

Both come to the same numbers.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter

from harness.domain.policy import Limits
from harness.timing.bounds import Bound, CallTimes, critical_path_s, pace_floor_s
from harness.timing.losses import Cause, Event, State, events_of, losses_in

EVENTS_HELD = 1 << 13
"""Events that are held before they are sorted and packed."""


class Accumulated:
    """The calls of one session."""

    def __init__(self) -> None:
        self._topics = 0
        self._service_s = array("d")
        self._tokens = array("q")
        self._critical_path_s = 0.0
        self._last_left_s = 0.0
        self._events = _SortedEvents()

    def add(self, calls: Sequence[CallTimes]) -> None:
        """Add the calls of one more topic, all of them."""
        if not calls:
            return
        self._topics += 1
        self._critical_path_s = max(self._critical_path_s, critical_path_s(calls))
        for call in calls:
            self._service_s.append(call.service_s)
            if call.sent:
                self._tokens.append(call.tokens)
                self._last_left_s = max(self._last_left_s, call.left_s)
        for event in events_of(calls):
            self._events.add(event)

    def bound(self, limits: Limits) -> Bound:
        """Return what `bound_of` does."""
        return Bound(
            work_s=math.fsum(self._service_s),
            critical_path_s=self._critical_path_s,
            pace_s=pace_floor_s(self._tokens, limits, last_left_s=self._last_left_s),
            in_flight=limits.in_flight,
        )

    def losses(self, wall_s: float, bound: Bound, limits: Limits) -> dict[Cause, float]:
        """Return what `losses_of` does."""
        return losses_in(self._events, self._topics, wall_s, bound, limits)


class _SortedEvents:
    """Events by their times: sorted runs of them, which are merged when they are read."""

    def __init__(self) -> None:
        self._states: list[State] = []
        self._numbers: dict[State, int] = {}
        self._runs: list[tuple[array[float], array[int]]] = []
        self._new: list[Event] = []

    def add(self, event: Event) -> None:
        self._new.append(event)
        if len(self._new) == EVENTS_HELD:
            self._close()

    def __iter__(self) -> Iterator[Event]:
        runs = (self._events_in(*run) for run in self._runs)
        return merge(*runs, sorted(self._new, key=itemgetter(0)), key=itemgetter(0))

    def _close(self) -> None:
        times, codes = array("d"), array("h")
        for time_s, state, change in sorted(self._new, key=itemgetter(0)):
            number = self._numbers.setdefault(state, len(self._states))
            if number == len(self._states):
                self._states.append(state)
            times.append(time_s)
            codes.append(3 * number + change + 1)
        self._runs.append((times, codes))
        self._new = []

    def _events_in(self, times: array[float], codes: array[int]) -> Iterator[Event]:
        for time_s, code in zip(times, codes, strict=True):
            number, change = divmod(code, 3)
            yield time_s, self._states[number], change - 1
