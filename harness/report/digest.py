"""The first view of a run on a page, gathered topic by topic: some tens of bytes a call."""

from __future__ import annotations

import zlib
from array import array
from dataclasses import dataclass, field

from harness.domain.run import Failure
from harness.domain.tally import Totals
from harness.records.json_text import to_text
from harness.records.rows import call_times_of
from harness.records.run import StoredTopic
from harness.records.stored import StoredResult, StoredSpan
from harness.report.causes import Causes
from harness.report.requests import requests_of
from harness.text.safe import one_line
from harness.timing.accumulated import Accumulated

_TITLE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLine:
    """A line of the table; `cause` counts from 0 and is -1 without one, `print` tells outputs apart.

    `cost` is None where it is not known. Times are in seconds, money in USD.
    """

    id: str
    title: str
    index: int
    status: str
    cause: int
    calls: int
    retries: int
    output_tokens: int
    cost: float | None
    elapsed_s: float
    print: int


@dataclass(slots=True)
class Step:
    """The calls of one step. `latencies_s` are those of the requests that were answered."""

    totals: Totals = field(default_factory=Totals)
    latencies_s: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class SessionTimes:
    """The calls of one session on its clock: requests as pairs of times, refusals, and what each
    call cost when. `calls` has what bound and losses come from.
    """

    calls: Accumulated = field(default_factory=Accumulated)
    sent_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    refused_s: array[float] = field(default_factory=lambda: array("d"))
    paid_s: array[float] = field(default_factory=lambda: array("d"))
    paid: array[float] = field(default_factory=lambda: array("d"))
    end_s: float = 0.0


class Digest:
    """Sums over topics and their calls."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.sessions: dict[int, SessionTimes] = {}
        self.troubles = {"failed": Causes(), "degraded": Causes()}
        self.attempts = Causes()
        self.calls = 0
        self.requests = 0
        self.refusals = 0

    def add(self, topic: StoredTopic) -> TopicLine:
        """Count one more topic; returns its line of the table."""
        return self.line_of(topic.result, self.add_calls(topic))

    def add_calls(self, topic: StoredTopic) -> int:
        """Count the calls of one more topic; returns the number of their retries."""
        retries = 0
        session = self.sessions.setdefault(topic.result.session, SessionTimes())
        for call in topic.calls:
            retries += self._add_call(call, session)
        session.calls.add([call_times_of(call) for call in topic.calls])
        self.calls += len(topic.calls)
        return retries

    def line_of(self, row: StoredResult, retries: int) -> TopicLine:
        """Count the failure of a topic, if there is one; returns its line of the table."""
        cause = -1
        if row.error is not None and row.status in self.troubles:
            cause = self.troubles[row.status].add(row.error)
        return TopicLine(
            id=row.topic_id,
            title=one_line(row.topic, _TITLE),
            index=row.index,
            status=row.status,
            cause=cause,
            calls=row.calls,
            retries=retries,
            output_tokens=row.usage.output_tokens,
            cost=row.cost,
            elapsed_s=round(row.elapsed_s, 3),
            print=zlib.crc32(to_text([row.output, row.status]).encode()),
        )

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
        session.end_s = max(session.end_s, call.end_s)
        for request in requests_of(call):
            self.requests += 1
            session.sent_s.append(request.start_s)
            session.ended_s.append(request.end_s)
            if request.end == "refused":
                self.refusals += 1
                session.refused_s.append(request.end_s)
