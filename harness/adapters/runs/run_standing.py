"""How a run stands: which topics have a row, and what the rows add up to.

Four bytes a topic, whatever its size; a failed topic, which may be run again, takes some hundred more.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.adapters.codec import TOKEN_COUNTS, UNTOLD_COUNTS
from harness.domain.outlook import cause_of
from harness.domain.sanitize import one_line

STATUSES = ("ok", "degraded", "failed")
_SUMS = ("cost", "saved", "calls", "hits", "sequential_s")
_NAMES = ("rows", *STATUSES, "unpriced", *_SUMS, *TOKEN_COUNTS, *UNTOLD_COUNTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAlike:
    """Topics that failed for the same cause: how many, and of the first of them the name and what was said.

    `kind` and `type` are those of `Failure`.
    """

    cause: str
    kind: str | None
    type: str
    topics: int
    topic_id: str
    message: str


@dataclass(slots=True)
class RowTotals:
    """Sums over rows: counts by status, USD, calls, seconds, tokens. `unpriced` rows have no known cost."""

    sums: dict[str, int | float] = field(default_factory=lambda: dict.fromkeys(_NAMES, 0))

    def add(self, row: Mapping[str, Any], sign: int = 1) -> None:
        """Add a row of `results.jsonl`, or take one away with `sign` -1."""
        sums = self.sums
        sums["rows"] += sign
        sums[row["status"]] += sign
        sums["unpriced"] += sign * (row["cost"] is None)
        for name in _SUMS:
            sums[name] += sign * (row[name] or 0)
        for name in TOKEN_COUNTS:
            sums[name] += sign * row["usage"][name]
        for name in UNTOLD_COUNTS:
            sums[name] += sign * row["usage"].get(name, 0)

    def as_json(self) -> dict[str, Any]:
        """Whole numbers where they count, money and seconds rounded to what is meant."""
        plain = {name: round(value, 9) if isinstance(value, float) else value for name, value in self.sums.items()}
        usage = {name: plain.pop(name) for name in TOKEN_COUNTS}
        untold = {name: number for name in UNTOLD_COUNTS if (number := plain.pop(name))}
        return {**plain, "usage": usage | untold}


class Standing:
    """The rows that count: of several rows of one topic the one of the last session."""

    def __init__(self) -> None:
        self.totals = RowTotals()
        self.superseded = 0
        self._sessions = array("I")
        self._failed: dict[int, Mapping[str, Any]] = {}
        self._first: dict[str, Mapping[str, Any]] = {}
        # Bad lines all have the same sums, however many there are of them.
        self._nothing: dict[str, Mapping[str, Any]] = {}

    def unfinished(self, topics: int) -> int:
        """How many of the first `topics` topics have no row."""
        known = self._sessions[:topics]
        return topics - len(known) + known.count(0)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take note of a row, in the order of the file."""
        index: int = row["index"]
        self._sessions.extend([0] * (index + 1 - len(self._sessions)))
        if self._sessions[index]:
            self.superseded += 1
            if (before := self._failed.pop(index, None)) is not None:
                self.totals.add(before, sign=-1)
        self._sessions[index] = row["session"]
        self.totals.add(row)
        if row["status"] == "failed":
            # Only a failed topic is run again, so only its sums may have to be taken back.
            kept = {name: row[name] for name in ("status", "usage", *_SUMS)} | {"cause": self._cause_of(row)}
            self._failed[index] = kept if row["calls"] else self._nothing.setdefault(repr(kept), kept)

    def failures(self) -> tuple[FailedAlike, ...]:
        """The topics that failed, by cause; the most frequent first."""
        causes = Counter(kept["cause"] for kept in self._failed.values())
        return tuple(FailedAlike(topics=number, **self._first[cause]) for cause, number in causes.most_common())

    def _cause_of(self, row: Mapping[str, Any]) -> str:
        """In a word or two why the topic failed; of each cause the first topic is remembered."""
        error = row["error"]
        cause = cause_of(type=error["type"], kind=error["kind"], status=error["status"])
        if cause not in self._first:
            told = {"type": error["type"], "kind": error["kind"], "message": one_line(error["message"])}
            self._first[cause] = {"cause": cause, "topic_id": row["topic_id"], **told}
        return cause

    def counts(self, row: Mapping[str, Any]) -> bool:
        """Whether this row, or the row that this call belongs to, is the one that counts."""
        index: int = row["index"]
        return index < len(self._sessions) and bool(self._sessions[index] == row["session"])

    def is_finished(self, index: int) -> bool:
        """Whether a topic ended ok or degraded; a failed one is tried again when the run is continued."""
        return index < len(self._sessions) and self._sessions[index] > 0 and index not in self._failed
