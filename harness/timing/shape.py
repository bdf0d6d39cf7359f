"""The shape of a topic, inferred from its calls: which call waited for which.

The rule: within one step of the trace, what started at or after the end of another waited for it; what overlaps in time
was wanted in parallel. A span begins when its call was *wanted*, before any wait for a place, so the parts of a fan-out
overlap even where a run had one call in flight. Sub-steps are compared as wholes, and looked into by the same rule. Two
chains that a workflow runs side by side without sub-steps of their own are tied together more than they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_GAP_S = 0.001
"""Shorter gaps between calls are the harness's own work, and are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A call of a topic: the steps it stands under, outermost first, and when it was wanted and had, in seconds."""

    path: tuple[str, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a call is wanted: `gap_s` after the last of `after` (numbers of calls) has ended, or the topic has begun."""

    after: tuple[int, ...]
    gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """A call, or a sub-step with all its calls, as one interval."""

    start_s: float
    end_s: float
    calls: tuple[int, ...]
    is_call: bool

    def precedes(self, start_s: float) -> bool:
        """Whether what started then may have waited for this. Of two without length at one instant neither did."""
        return self.end_s <= start_s and self.start_s < start_s


def turns_of(calls: Sequence[Timed]) -> tuple[Turn, ...]:
    """When each call of one topic is wanted, in the order of the calls."""
    after: dict[int, tuple[int, ...]] = {}
    _order(calls, range(len(calls)), 0, (), after)
    begun_s = min((call.start_s for call in calls), default=0.0)
    return tuple(
        Turn(
            after=after[number],
            gap_s=worth(call.start_s - max((calls[other].end_s for other in after[number]), default=begun_s)),
        )
        for number, call in enumerate(calls)
    )


def worth(gap_s: float) -> float:
    """A gap that is worth simulating, else 0.0."""
    return gap_s if gap_s >= LEAST_GAP_S else 0.0


def _order(
    calls: Sequence[Timed],
    among: Sequence[int],
    depth: int,
    inherited: tuple[int, ...],
    after: dict[int, tuple[int, ...]],
) -> None:
    """Fill in `after` for the calls under one step; the first of them waited for what their step waited for."""
    units = _units(calls, among, depth)
    for unit in units:
        before = [other for other in units if other.precedes(unit.start_s)]
        last_start_s = max((other.start_s for other in before), default=0.0)
        direct = [other for other in before if not other.precedes(last_start_s)]
        waited_for = tuple(number for other in direct for number in other.calls) if direct else inherited
        if unit.is_call:
            after[unit.calls[0]] = waited_for
        else:
            _order(calls, unit.calls, depth + 1, waited_for, after)


def _units(calls: Sequence[Timed], among: Sequence[int], depth: int) -> list[_Unit]:
    groups: dict[str | int, list[int]] = {}
    for number in among:
        path = calls[number].path
        groups.setdefault(path[depth] if len(path) > depth else number, []).append(number)
    return [
        _Unit(
            start_s=min(calls[number].start_s for number in numbers),
            end_s=max(calls[number].end_s for number in numbers),
            calls=tuple(numbers),
            is_call=isinstance(name, int),
        )
        for name, numbers in groups.items()
    ]
