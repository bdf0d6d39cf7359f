"""The curves of the page: a run's sessions one after another, in few enough points to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from harness.report.away import Away
from harness.report.digest import Digest, SessionTimes

POINTS = 600
"""Instants that a curve over time has at most."""
SHARES = 160
"""Points of a distribution."""
_NO_OUTAGES: Mapping[int, Sequence[Away]] = MappingProxyType({})


def series_of(
    digest: Digest,
    history: Mapping[int, Sequence[Sequence[float]]],
    outages: Mapping[int, Sequence[Away]] = _NO_OUTAGES,
) -> dict[str, Any]:
    """Return the curves over time.

    `history` has by session the numbers of calls that were let in at once, with their times; it may
    be empty.

    `outages` are, by session, when the provider was away; a session is at least as long as they
    are.

    `t` are seconds of work; what lies between two sessions is left out, `begun` says where each
    begins. Of each stretch between two instants `in_flight` is the most that was reached, `limit`
    the least that was allowed (None: not known), `refused` a sum; `cost` is the sum up to its end;
    `away` is the number of the outage in it, from 1 (None: none).
    """
    ends = _ends(digest.sessions, outages)
    whole = sum(ends.values())
    if whole <= 0:
        return {
            "t": [],
            "in_flight": [],
            "refused": [],
            "limit": [],
            "cost": [],
            "away": [],
            "begun": [],
        }
    width = whole / POINTS
    grid = _Grid(width)
    begun, at, met = [], 0.0, 0
    for number, length in ends.items():
        begun.append(round(at, 3))
        grid.add(digest.sessions.get(number, SessionTimes()), at)
        for outage in outages.get(number, ()):
            met += 1
            grid.away(met, at + outage.from_s, at + outage.to_s)
        grid.limit(history.get(number, ()), at, at + length)
        at += length
    return {
        "t": [round(width * place, 3) for place in range(POINTS + 1)],
        **grid.columns(),
        "begun": begun,
    }


def shares_of(digest: Digest) -> dict[str, Any]:
    """By step, the share of its answered requests that took no longer than each of `s` seconds (0
    to 1).
    """
    steps = {
        name: sorted(step.latencies_s) for name, step in digest.steps.items() if step.latencies_s
    }
    if not steps:
        return {"s": [], "steps": {}}
    low = max(1e-4, min(values[0] for values in steps.values()))
    high = max(low * 1.01, *(values[-1] for values in steps.values()))
    factor = (high / low) ** (1 / SHARES)
    grid = [low * factor**place for place in range(SHARES + 1)]
    return {
        "s": [round(value, 4) for value in grid],
        "steps": {name: list(_shares(values, grid)) for name, values in steps.items()},
    }


def _shares(ordered: Sequence[float], grid: Sequence[float]) -> Iterator[float]:
    below = 0
    for value in grid:
        while below < len(ordered) and ordered[below] <= value * (1 + 1e-9):
            below += 1
        yield round(below / len(ordered), 4)


def _ends(
    sessions: Mapping[int, SessionTimes], outages: Mapping[int, Sequence[Away]]
) -> dict[int, float]:
    ends = {number: session.end_s for number, session in sessions.items()}
    for number, met in outages.items():
        ends[number] = max([ends.get(number, 0.0), *(outage.to_s for outage in met)])
    return {number: ends[number] for number in sorted(ends) if ends[number] > 0}


class _Grid:
    """The stretches between `POINTS` + 1 instants, each so many seconds wide."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._most = [0] * (POINTS + 1)
        self._refused = [0] * (POINTS + 1)
        self._cost = [0.0] * (POINTS + 1)
        self._limit: list[int | None] = [None] * (POINTS + 1)
        self._away: list[int | None] = [None] * (POINTS + 1)

    def add(self, session: SessionTimes, at: float) -> None:
        level, here = 0, self._place(at)
        for time_s, change in _changes(session):
            there = self._place(at + time_s)
            for place in range(here, there + 1):
                self._most[place] = max(self._most[place], level)
            level, here = level + change, there
            self._most[here] = max(self._most[here], level)
        for time_s in session.refused_s:
            self._refused[self._place(at + time_s)] += 1
        for time_s, cost in zip(session.paid_s, session.paid, strict=True):
            self._cost[self._place(at + time_s)] += cost

    def limit(self, history: Sequence[Sequence[float]], start: float, end: float) -> None:
        for place, (time_s, slots) in enumerate(history):
            until = start + history[place + 1][0] if place + 1 < len(history) else end
            for here in range(self._place(start + time_s), self._place(min(until, end)) + 1):
                known = self._limit[here]
                self._limit[here] = int(slots) if known is None else min(known, int(slots))

    def away(self, number: int, start: float, end: float) -> None:
        for place in range(self._place(start), self._place(end) + 1):
            self._away[place] = number

    def columns(self) -> dict[str, list[Any]]:
        cost, costs = 0.0, []
        for paid in self._cost:
            cost += paid
            costs.append(round(cost, 6))
        return {
            "in_flight": self._most,
            "refused": self._refused,
            "limit": self._limit,
            "cost": costs,
            "away": self._away,
        }

    def _place(self, time_s: float) -> int:
        return min(POINTS, max(0, math.floor(time_s / self._width)))


def _changes(session: SessionTimes) -> Iterator[tuple[float, int]]:
    starts, ends = sorted(session.sent_s), sorted(session.ended_s)
    started = 0
    for end in ends:
        while started < len(starts) and starts[started] < end:
            yield starts[started], 1
            started += 1
        yield end, -1
