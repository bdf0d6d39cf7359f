"""A finished topic and its calls as a trace: one span for the topic, one for each part of it, one
for each call.

Nothing is measured here. A call's times count from the start of the run's session, on a clock that
never jumps; the instant of that start makes them times of day. A part (of a fan-out, or a step's
child) is as long as its calls are. Ids are made from the names, so that the same topic of the same
session gives the same trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from harness.domain.run import Failure, Span, TopicResult
from harness.domain.waits import BACKOFF, HELD
from harness.telemetry import names
from harness.telemetry.attributes import call_attributes
from harness.telemetry.measures import measurements_of
from harness.telemetry.values import Attribute, EventRecord, SpanRecord, TopicStory

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAN = 2_000
"""Characters that a span takes without any content, roughly."""


def story_of(
    result: TopicResult, spans: Sequence[Span], *, origin_at: datetime, content: bool
) -> TopicStory:
    """Return the spans and measurements of a topic. `origin_at` is the instant from which its calls
    count; `content`: texts leave, too.
    """
    records = tuple(_Trace(result, spans, origin_at, content).records())
    size = _LEAN * len(records)
    if content:
        size += sum(map(_characters, records))
    return TopicStory(spans=records, measurements=measurements_of(result, spans), size=size)


def _characters(record: SpanRecord) -> int:
    return sum(len(value) for value in record.attributes.values() if isinstance(value, str))


class _Trace:
    def __init__(
        self, result: TopicResult, spans: Sequence[Span], origin_at: datetime, content: bool
    ) -> None:
        self._result = result
        self._spans = spans
        self._origin_ns = _nanoseconds(origin_at)
        self._content = content
        self._seed = (
            f"{result.run_id}\0{result.started_at.isoformat()}\0{result.index}\0{result.topic_id}"
        )
        self._trace_id = _number(self._seed, 16)
        self._root_id = self._id_of("topic", "")

    def records(self) -> Iterator[SpanRecord]:
        calls = [self._call(span) for span in self._spans]
        yield self._topic(calls)
        yield from self._parts()
        yield from calls

    def _topic(self, calls: Sequence[SpanRecord]) -> SpanRecord:
        result = self._result
        start_ns = _nanoseconds(result.started_at)
        end_ns = start_ns + _of_seconds(result.elapsed_s)
        attributes: dict[str, Attribute] = {
            names.OPERATION: names.INVOKE_WORKFLOW,
            names.WORKFLOW: result.workflow,
            names.RUN_ID: result.run_id,
            names.TOPIC_ID: result.topic_id,
            names.TOPIC_INDEX: result.index,
            names.TOPIC_STATUS: result.status,
            names.CALLS: result.calls,
            names.HITS: result.hits,
            names.SAVED: result.saved,
        }
        if result.cost is not None:
            attributes[names.COST] = result.cost
        failed, error = result.status == "failed", result.error
        if failed and error is not None:
            attributes[names.ERROR_TYPE] = error.kind or error.type
        if self._content:
            attributes[names.TOPIC_TEXT] = result.topic
            if isinstance(result.output, str):
                attributes[names.TOPIC_OUTPUT] = result.output
        return SpanRecord(
            name=f"{names.INVOKE_WORKFLOW} {result.workflow}",
            kind="internal",
            trace_id=self._trace_id,
            span_id=self._root_id,
            parent_id=None,
            # A system clock that was set meanwhile must not put a call outside its topic.
            start_ns=min([start_ns, *(call.start_ns for call in calls)]),
            end_ns=max([end_ns, *(call.end_ns for call in calls)]),
            attributes=attributes,
            failed=failed,
            why=self._why(error) if failed else None,
        )

    def _parts(self) -> Iterator[SpanRecord]:
        """Yield the parts that calls belong to, each after the one that it lies in."""
        lengths: dict[str, tuple[float, float]] = {}
        for span in self._spans:
            for path in _paths(span.parent):
                start_s, end_s = lengths.get(path, (span.start_s, span.end_s))
                lengths[path] = (min(start_s, span.start_s), max(end_s, span.end_s))
        for path in sorted(lengths, key=lambda path: (path.count("/"), lengths[path])):
            above, _, name = path.rpartition("/")
            yield SpanRecord(
                name=name,
                kind="internal",
                trace_id=self._trace_id,
                span_id=self._id_of("part", path),
                parent_id=self._parent_id(above),
                start_ns=self._at(lengths[path][0]),
                end_ns=self._at(lengths[path][1]),
                attributes={
                    names.RUN_ID: self._result.run_id,
                    names.TOPIC_ID: self._result.topic_id,
                    names.PART: path,
                },
            )

    def _call(self, span: Span) -> SpanRecord:
        # A hit reached no server, so it is no client's span.
        sent = span.served.attempts > 0 and span.served.source == "endpoint"
        return SpanRecord(
            name=f"{names.CHAT} {span.request.model}",
            kind="client" if sent else "internal",
            trace_id=self._trace_id,
            span_id=self._id_of("call", span.id),
            parent_id=self._parent_id(span.parent),
            start_ns=self._at(span.start_s),
            end_ns=self._at(span.end_s),
            attributes=call_attributes(span, content=self._content),
            events=tuple(self._failed_attempts(span)),
            failed=span.error is not None,
            why=self._why(span.error),
        )

    def _failed_attempts(self, span: Span) -> Iterator[EventRecord]:
        """Yield an event where each attempt failed.

        Waits are known as sums, so they are taken to lie before the first.
        """
        served = span.served
        at_s = span.start_s + sum(getattr(served, wait.field) for wait in HELD)
        for failure in served.failures:
            at_s = min(span.end_s, at_s + failure.elapsed_s)
            attributes: dict[str, Attribute] = {
                names.ATTEMPT_NUMBER: failure.number,
                names.ERROR_TYPE: failure.kind,
                names.ATTEMPT_ELAPSED: failure.elapsed_s,
                names.wait(BACKOFF): failure.backoff_s,
            }
            if failure.status is not None:
                attributes[names.HTTP_STATUS] = failure.status
            if self._content:
                attributes[names.ERROR_MESSAGE] = failure.message
            yield EventRecord(
                name=names.ATTEMPT_FAILED, at_ns=self._at(at_s), attributes=attributes
            )
            at_s += failure.backoff_s

    def _parent_id(self, path: str | None) -> int:
        """Return the id of the part at this path, or that of the topic."""
        if path:
            return self._id_of("part", path)
        return self._root_id

    def _why(self, error: Failure | None) -> str | None:
        """Return the message of an error, which may hold text of a model and leaves only with
        `content`.
        """
        if error is None or not self._content:
            return None
        return error.message

    def _at(self, seconds: float) -> int:
        return self._origin_ns + _of_seconds(seconds)

    def _id_of(self, kind: str, name: str) -> int:
        return _number(f"{self._seed}\0{kind}\0{name}", 8)


def _paths(parent: str | None) -> Iterator[str]:
    """A part and all that it lies in: `a.1/b.2` lies in `a.1`."""
    path = parent or ""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _number(seed: str, length: int) -> int:
    """So many bytes of a hash; an id may not be zero."""
    return (
        int.from_bytes(
            hashlib.sha256(seed.encode("utf-8", "backslashreplace")).digest()[:length], "big"
        )
        or 1
    )


def _nanoseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def _of_seconds(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1000
