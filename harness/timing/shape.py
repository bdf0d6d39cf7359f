"""The shape of a topic, inferred from its calls: which call waited for which.

The one rule for it, of bounds and of simulations. Within one step of the trace, what started at or
after the end of another waited for it; what overlaps in time was wanted in parallel. A span begins
when its call was *wanted*, before any wait for a slot, so the parts of a fan-out overlap even where
a run had one call in flight. Sub-steps are compared as wholes, and looked into by the same rule.
For example:

    plan        |--|
    part.1/ask     |-----|           waits for plan
    part.2/ask     |--|              waits for plan
    part.2/sum        |------|       waits for part.2/ask, though part.1/ask overlaps it
    report                   |--|    waits for the calls of both parts

Two chains that a workflow runs side by side without sub-steps of their own are tied together more
than they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_GAP_S = 0.001
"""Shorter gaps between calls are the harness's own work, and are left out."""

_WaitedFor = dict[int, tuple[int, ...]]
"""By the number of a call those that it waited for, which stand before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A call of a topic: the steps it stands under, outermost first, and when it was wanted and
    had, in seconds.
    """

    path: tuple[str, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The moment at which a call is wanted.

    It is `gap_s` after the last of `after` (numbers of calls) has ended, or after the topic has
    begun.
    """

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
        """Return whether what started then may have waited for this.

        Of two without length at one instant neither did.
        """
        return self.end_s <= start_s and self.start_s < start_s


def turns_of(calls: Sequence[Timed]) -> tuple[Turn, ...]:
    """Return when each call of one topic is wanted, in the order of the calls."""
    waited_for = _waited_for(calls)
    begun_s = min((call.start_s for call in calls), default=0.0)
    turns = []
    for number, call in enumerate(calls):
        after = waited_for[number]
        free_s = max((calls[other].end_s for other in after), default=begun_s)
        turns.append(Turn(after=after, gap_s=worth(call.start_s - free_s)))
    return tuple(turns)


def longest_chain_s(calls: Sequence[Timed], lengths_s: Sequence[float]) -> float:
    """Return the longest chain of calls of one topic, each of which waited for the one before.

    A chain is as long as the `lengths_s` of its calls, one for each call. As they do not overlap,
    it is never longer than the topic took where no length is longer than its call.
    """
    chains_s: dict[int, float] = {}
    for number, after in _waited_for(calls).items():
        before_s = max((chains_s[other] for other in after), default=0.0)
        chains_s[number] = lengths_s[number] + before_s
    return max(chains_s.values(), default=0.0)


def worth(gap_s: float) -> float:
    """Return a gap that is worth simulating, else 0.0."""
    return gap_s if gap_s >= LEAST_GAP_S else 0.0


def _waited_for(calls: Sequence[Timed]) -> _WaitedFor:
    """Return which calls each call waited for. A call comes after all that it waited for."""
    found: _WaitedFor = {}
    _order(calls, range(len(calls)), 0, (), found)
    return found


def _order(
    calls: Sequence[Timed],
    among: Sequence[int],
    depth: int,
    inherited: tuple[int, ...],
    found: _WaitedFor,
) -> None:
    """Fill in `found` for the calls under one step; the first of them waited for what their step
    waited for.
    """
    units = _units(calls, among, depth)
    for unit in units:
        waited_for = _calls_before(unit, units) or inherited
        if unit.is_call:
            found[unit.calls[0]] = waited_for
        else:
            _order(calls, unit.calls, depth + 1, waited_for, found)


def _calls_before(unit: _Unit, units: Sequence[_Unit]) -> tuple[int, ...]:
    """Return the calls of those units that this one waited for, but not of those that they waited
    for in turn.
    """
    before = [other for other in units if other.precedes(unit.start_s)]
    last_start_s = max((other.start_s for other in before), default=0.0)
    numbers: list[int] = []
    for other in before:
        if not other.precedes(last_start_s):
            numbers += other.calls
    return tuple(numbers)


def _units(calls: Sequence[Timed], among: Sequence[int], depth: int) -> list[_Unit]:
    """Return the calls and sub-steps at this depth, the earliest first."""
    groups: dict[str | int, list[int]] = {}
    for number in among:
        path = calls[number].path
        groups.setdefault(path[depth] if len(path) > depth else number, []).append(number)
    units = []
    for name, numbers in groups.items():
        units.append(
            _Unit(
                start_s=min(calls[number].start_s for number in numbers),
                end_s=max(calls[number].end_s for number in numbers),
                calls=tuple(numbers),
                is_call=isinstance(name, int),
            )
        )
    return sorted(units, key=lambda unit: unit.start_s)
