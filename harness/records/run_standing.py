"""The standing of a run: the topics that have a row, and the sums over the rows.

Four bytes a topic, whatever its size; one that failed or is degraded, which may be run again, takes
some hundred more.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.domain.causes import Group, group_of
from harness.domain.completion import Usage
from harness.domain.redo import TopicState
from harness.domain.run import Answered, Failure, Status, TopicResult
from harness.domain.tally import Totals
from harness.domain.who_answered import AnswererCounts
from harness.records.answers import (
    FIELD,
    answers_from_json,
    answers_to_json,
    most_frequent_first,
)
from harness.records.codec import TOKEN_COUNTS, UNTOLD_COUNTS, usage_to_json
from harness.records.rows import dollars, seconds
from harness.text.safe import one_line

LONGEST_MESSAGE = 4_000
_TOLD = (
    *("rows", "ok", "degraded", "failed", "unpriced", "cost", "saved", "calls", "hits"),
    "sequential_s",
)
_BAD_LINE = "DatasetError"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAlike:
    """Topics that failed for the same cause: how many, and of the first of them the name and what
    was said.

    `kind`, `type`, `where` and `code` are those of `Failure`: exceptions of two lines of code are
    two causes.
    """

    cause: str
    kind: str | None
    type: str
    topics: int
    topic_id: str
    message: str
    where: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """The part of a row that is remembered because it may be superseded.

    `bad_line`: it stands for a line that is no topic."""

    status: Status
    usage: Usage
    cost: float | None
    saved: float
    calls: int
    hits: int
    sequential_s: float
    answers: Mapping[Answered, int]
    cause: Group | None = None
    bad_line: bool = False


@dataclass(slots=True, kw_only=True)
class RowTotals(Totals):
    """The same sums over rows of topics, with the number of rows by status. `unpriced` rows have no
    known cost.

    `answers` is who answered, and how often. Failures and retries of calls are not in rows, and
    stay 0.
    """

    rows: int = 0
    ok: int = 0
    degraded: int = 0
    failed: int = 0
    answers: AnswererCounts = field(default_factory=Counter)

    def add_row(self, row: TopicResult | _Kept, sign: int = 1) -> None:
        """Add a topic's row, or take one away with `sign` -1."""
        self.rows += sign
        self._count_status(row.status, sign)
        if row.cost is None:
            self.unpriced += sign
        self.cost += sign * (dollars(row.cost) or 0.0)
        self.saved += sign * (dollars(row.saved) or 0.0)
        self.sequential_s += sign * seconds(row.sequential_s)
        self.calls += sign * row.calls
        self.hits += sign * row.hits
        self.add_usage(row.usage, sign)
        for one, number in row.answers.items():
            self.answers[one] += sign * number

    def _count_status(self, status: Status, sign: int) -> None:
        match status:
            case "ok":
                self.ok += sign
            case "degraded":
                self.degraded += sign
            case "failed":
                self.failed += sign

    def rounded(self) -> RowTotals:
        """Return these sums as they are told: money and seconds rounded to what is meant, and the
        most frequent answers first.
        """
        return replace(
            self,
            cost=round(self.cost, 9),
            saved=round(self.saved, 9),
            sequential_s=round(self.sequential_s, 9),
            answers=Counter(dict(most_frequent_first(self.answers))),
        )

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> RowTotals:
        """Return the sums out of what `as_json` makes of them. Raises KeyError and ValueError."""
        usage = told["usage"]
        return cls(
            **{name: told[name] for name in _TOLD},
            **{name: usage[name] for name in TOKEN_COUNTS},
            **{name: usage.get(name, 0) for name in UNTOLD_COUNTS},
            answers=answers_from_json(told[FIELD]),
        )

    def as_json(self) -> dict[str, Any]:
        """Whole numbers where they count, money and seconds rounded to what is meant."""
        return {
            "rows": self.rows,
            "ok": self.ok,
            "degraded": self.degraded,
            "failed": self.failed,
            "unpriced": self.unpriced,
            "cost": round(self.cost, 9),
            "saved": round(self.saved, 9),
            "calls": self.calls,
            "hits": self.hits,
            "sequential_s": round(self.sequential_s, 9),
            "usage": usage_to_json(self.usage),
            "answered_by": answers_to_json(self.answers),
        }


class Standing:
    """The rows that count: of several rows of one topic the one of the last session."""

    def __init__(self) -> None:
        self.totals = RowTotals()
        self.superseded = 0
        self._sessions = array("I")
        self._first: dict[Group, FailedAlike] = {}
        # What rows add up to that may be run again: their sums may have to be taken back.
        self._not_ok: dict[int, _Kept] = {}
        # Topics that fail before their first call all have the same sums, however many there are of
        # them.
        self._nothing: dict[str, _Kept] = {}

    def unfinished(self, topics: int, end: int | None = None) -> int:
        """Count those of so many topics that have no row. Their indexes are below `end`; None: they
        have no gaps.
        """
        known = self._sessions[: topics if end is None else end]
        return max(0, topics - len(known) + known.count(0))

    def in_states(self, states: Iterable[TopicState], topics: int, end: int) -> int:
        """Count those of so many topics, with indexes below `end`, that are in one of these
        states.
        """
        not_ok = Counter(kept.status for index, kept in self._not_ok.items() if index < end)
        unfinished = self.unfinished(topics, end)
        number: Counter[TopicState] = Counter(
            {"unfinished": unfinished, "ok": topics - unfinished - not_ok.total()}
        )
        number.update(not_ok)
        return sum(number[state] for state in states)

    def state(self, index: int) -> TopicState:
        """Return the state of a topic."""
        if not self._has_row(index):
            return "unfinished"
        kept = self._not_ok.get(index)
        return "ok" if kept is None else kept.status

    def forget_bad_lines(self) -> None:
        """Let rows of lines that are no topics count no more.

        Versions before wrote each of them as a topic that failed.
        """
        for index in [index for index, kept in self._not_ok.items() if kept.bad_line]:
            self.totals.add_row(self._not_ok.pop(index), sign=-1)
            self._sessions[index] = 0
            self.superseded += 1

    def add(self, row: TopicResult, session: int) -> None:
        """Take note of a row that a session wrote, in the order of the file."""
        index = row.index
        self._sessions.extend([0] * (index + 1 - len(self._sessions)))
        if self._sessions[index]:
            self.superseded += 1
            if (before := self._not_ok.pop(index, None)) is not None:
                self.totals.add_row(before, sign=-1)
        self._sessions[index] = session
        self.totals.add_row(row)
        if row.status != "ok":
            kept = self._kept_of(row)
            self._not_ok[index] = kept if row.calls else self._nothing.setdefault(repr(kept), kept)

    def failures(self) -> tuple[FailedAlike, ...]:
        """The topics that failed, by cause; the most frequent first."""
        causes = Counter(kept.cause for kept in self._not_ok.values() if kept.cause is not None)
        return tuple(
            replace(self._first[cause], topics=number) for cause, number in causes.most_common()
        )

    def _kept_of(self, row: TopicResult) -> _Kept:
        failure = row.error if row.status == "failed" else None
        return _Kept(
            status=row.status,
            usage=row.usage,
            cost=row.cost,
            saved=row.saved,
            calls=row.calls,
            hits=row.hits,
            sequential_s=row.sequential_s,
            answers=row.answers,
            cause=None if failure is None else self._cause_of(row.topic_id, failure),
            bad_line=failure is not None and failure.type == _BAD_LINE and not row.calls,
        )

    def _has_row(self, index: int) -> bool:
        return index < len(self._sessions) and self._sessions[index] > 0

    def _cause_of(self, topic_id: str, failure: Failure) -> Group:
        """The cause in a word or two, and the line of code. Of each cause the first topic is
        remembered.
        """
        group = group_of(failure)
        if group not in self._first:
            self._first[group] = FailedAlike(
                cause=group[0],
                topics=0,
                topic_id=one_line(topic_id),
                type=failure.type,
                kind=failure.kind,
                message=one_line(failure.message, LONGEST_MESSAGE),
                where=failure.where,
                code=failure.code,
            )
        return group

    def counts(self, index: int, session: int) -> bool:
        """Return whether the row of this topic and session is the one that counts; the calls of
        both belong to it.
        """
        return index < len(self._sessions) and bool(self._sessions[index] == session)
