"""The first view of a run on a page, gathered topic by topic: some hundred bytes a call."""

from __future__ import annotations

import zlib
from array import array
from dataclasses import dataclass, field
from typing import Any

from harness.domain.run import Failure
from harness.domain.tally import Totals
from harness.records.json_text import to_text
from harness.records.rows import call_times_of
from harness.records.run import StoredTopic
from harness.records.stored import StoredResult, StoredSpan
from harness.report.causes import Causes
from harness.report.requests import requests_of
from harness.text.safe import one_line
from harness.timing.bounds import CallTimes

_TITLE = 160


@dataclass(slots=True)
class Topics:
    """The rows of the table, by column; `cause` counts from 0 and is -1 without one, `print` tells
    outputs apart.

    `cost` is None where it is not known. Times are in seconds, money in USD.
    """

    id: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    cause: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    output_tokens: list[int] = field(default_factory=list)
    cost: list[float | None] = field(default_factory=list)
    elapsed_s: list[float] = field(default_factory=list)
    print: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """The calls of one step. `latencies_s` are those of the requests that were answered."""

    totals: Totals = field(default_factory=Totals)
    latencies_s: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class SessionTimes:
    """The calls of one session on its clock: requests as pairs of times, refusals, and what each
    call cost when.
    """

    calls: list[CallTimes] = field(default_factory=list)
    sent_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    refused_s: array[float] = field(default_factory=lambda: array("d"))
    paid_s: array[float] = field(default_factory=lambda: array("d"))
    paid: array[float] = field(default_factory=lambda: array("d"))
    end_s: float = 0.0


class Digest:
    """Sums and columns over topics."""

    def __init__(self) -> None:
        self.topics = Topics()
        self.steps: dict[str, Step] = {}
        self.sessions: dict[int, SessionTimes] = {}
        self.troubles = {"failed": Causes(), "degraded": Causes()}
        self.attempts = Causes()
        self.requests = 0
        self.refusals = 0

    def __len__(self) -> int:
        return len(self.topics.id)

    def add(self, topic: StoredTopic) -> None:
        """Count one more topic."""
        row, retries = topic.result, 0
        session = self.sessions.setdefault(row.session, SessionTimes())
        for call in topic.calls:
            retries += self._add_call(call, session)
        self._add_row(row, retries)

    def _add_row(self, row: StoredResult, retries: int) -> None:
        topics, cause = self.topics, -1
        if row.error is not None and row.status in self.troubles:
            cause = self.troubles[row.status].add(row.error)
        topics.id.append(row.topic_id)
        topics.title.append(one_line(row.topic, _TITLE))
        topics.index.append(row.index)
        topics.status.append(row.status)
        topics.cause.append(cause)
        topics.retries.append(retries)
        topics.cost.append(row.cost)
        topics.calls.append(row.calls)
        topics.elapsed_s.append(round(row.elapsed_s, 3))
        topics.output_tokens.append(row.usage.output_tokens)
        topics.print.append(zlib.crc32(to_text([row.output, row.status]).encode()))

    def _add_call(self, call: StoredSpan, session: SessionTimes) -> int:
        served = call.served
        step = self.steps.setdefault(call.step, Step())
        step.totals.add(call)
        if call.cost is not None:
            session.paid_s.append(call.end_s)
            session.paid.append(call.cost)
        if call.error is None and served.source == "endpoint":
            step.latencies_s.append(served.latency_s)
        for failure in served.failures:
            self.attempts.add(
                Failure(type="", message="", kind=failure.kind, status=failure.status)
            )
        self._add_requests(call, session)
        return max(0, served.attempts - 1)

    def _add_requests(self, call: StoredSpan, session: SessionTimes) -> None:
        session.calls.append(call_times_of(call))
        session.end_s = max(session.end_s, call.end_s)
        for request in requests_of(call):
            self.requests += 1
            session.sent_s.append(request.start_s)
            session.ended_s.append(request.end_s)
            if request.end == "refused":
                self.refusals += 1
                session.refused_s.append(request.end_s)

    def as_columns(self) -> dict[str, Any]:
        """The table of topics as the page reads it."""
        topics = self.topics
        return {name: getattr(topics, name) for name in Topics.__dataclass_fields__}
