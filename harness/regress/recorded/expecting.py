"""The calls that a recording will have to ask, known before anything is paid for by a replay of
what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from harness.records.stored import StoredSpan
from harness.regress.case import Case
from harness.regress.recorded.replaying import Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The calls that are not recorded, of `topics` draws in all.

    `calls` were found missing; `cost` USD is what their recorded counterparts cost. `calls_at_most`
    and `cost_at_most` add the calls after them in the same topics, for a new answer may change what
    those ask. Of `unknown` topics nothing is known from some call on: it is new, and what it leads
    to cannot be told; `unknown_cost` is what as many of the others cost. Costs are None where no
    price is known.
    """

    topics: int
    calls: int
    cost: float | None
    calls_at_most: int
    cost_at_most: float | None
    unknown: int
    unknown_cost: float | None

    @property
    def is_nothing(self) -> bool:
        """True if all is recorded."""
        return not self.calls and not self.unknown


def expected(found: Replay) -> Expected:
    """Return the calls that a recording of the same topics would ask, from a replay of what is
    recorded so far.
    """
    stands_in = {(miss.topic_id, miss.sample, miss.span_id): miss.stood_in for miss in found.misses}
    is_new = {place[:2] for place, stood_in in stands_in.items() if not stood_in}
    missing: list[StoredSpan] = []
    later: list[StoredSpan] = []
    unknown = 0
    for case in found.cases:
        place = case.topic_id, case.sample
        known = [row for row in case.calls if stands_in.get((*place, row.id))]
        missing += known
        later += _after(known, case)
        unknown += place in is_new
    return Expected(
        topics=len(found.cases),
        calls=len(missing),
        cost=_cost(missing),
        calls_at_most=len(missing) + len(later),
        cost_at_most=_cost([*missing, *later]),
        unknown=unknown,
        unknown_cost=_cost_of_others(found, is_new, unknown),
    )


def _cost_of_others(found: Replay, is_new: Set[tuple[str, int]], number: int) -> float | None:
    """The cost of so many draws, if they are like those of which all is known."""
    costs = [
        _cost(case.calls) for case in found.cases if (case.topic_id, case.sample) not in is_new
    ]
    known = [cost for cost in costs if cost is not None]
    return number * sum(known) / len(known) if known else None


def _after(missing: list[StoredSpan], case: Case) -> list[StoredSpan]:
    """The calls of a topic that were wanted after one of these had ended, other than these."""
    if not missing:
        return []
    ended = min(row.end_s for row in missing)
    ids = {row.id for row in missing}
    return [row for row in case.calls if row.start_s >= ended and row.id not in ids]


def _cost(rows: Iterable[StoredSpan]) -> float | None:
    """The amount that a replay says was saved: None where anything has no price."""
    costs = [row.saved for row in rows]
    return sum(costs) if all(costs) else None
