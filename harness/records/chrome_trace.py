"""A run as Chrome trace events (the "Trace Event Format"), which Perfetto and chrome://tracing
open.

One process a topic; its first thread is the topic, the others are lanes, as many as calls
overlapped. A call is a slice, and what it went through are slices in it: waits by cause, the cache
and the journal, each failed attempt and its backoff, the attempt that succeeded up to its first
token, reasoning and answer. A row tells waits, and the time for the cache, as sums: they are drawn
before the first attempt, and the attempts so that the last ends with the call. So an only attempt
is drawn within the time for which it had its place, and those before a last one later than they
were. A process of the run has the counters, and a slice for each time in which the provider was
away.

Times are whole microseconds since the first session began. Only pairs of times are kept for the
counters: some tens of bytes a request, whatever the calls say.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.domain.completion import Served
from harness.domain.outage_words import PastOutage
from harness.domain.waits import BACKOFF, IN_ORDER
from harness.records.codec import usage_to_json
from harness.records.stored import StoredSpan

Event: TypeAlias = dict[str, Any]

BEGINNING = b'{"traceEvents":[\n'
"""The beginning of every file."""

RUN_PID = 1
_FIRST_TOPIC_PID = 2
_LANES_A_PROCESS = 1000
_ROUNDED = 2
"""Rows tell times to the microsecond: what is so near in their sums was at one instant."""

# Our own waits, those for the provider, and what is work.
_WAITS = sorted(IN_ORDER, key=lambda wait: (not wait.is_held, wait.is_away))


class Timeline:
    """Turns topics into events, one at a time; `counters` closes the trace."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._requests: tuple[array[int], array[int]] = (array("q"), array("q"))
        self._topics: tuple[array[int], array[int]] = (array("q"), array("q"))

    @property
    def topics(self) -> int:
        """The number of topics so far."""
        return len(self._topics[0])

    def topic(
        self, calls: Sequence[StoredSpan], *, offset_s: float, elapsed_s: float
    ) -> Iterator[Event]:
        """The events of one topic. `offset_s` is when its session began, `elapsed_s` how long the
        topic was open.
        """
        first = calls[0]
        pid = _FIRST_TOPIC_PID + first.index
        spans = [
            (_micros(offset_s + call.start_s), _micros(offset_s + call.end_s), call)
            for call in calls
        ]
        spans.sort(key=lambda span: (span[0], -span[1]))
        begun = spans[0][0]
        ended = max(begun + _micros(elapsed_s), *(end for _, end, _ in spans), begun)
        _note(self._topics, begun, ended)
        yield _meta("process_name", pid, name=first.topic_id)
        yield _meta("process_sort_index", pid, sort_index=first.index + 1)
        topic_tid = pid * _LANES_A_PROCESS
        yield from _thread(pid, topic_tid, "topic")
        yield _slice("topic", first.topic_id, pid, topic_tid, begun, ended, _sums(calls))
        lanes: list[int] = []
        for start, end, call in spans:
            lane = next((number for number, free in enumerate(lanes) if free <= start), len(lanes))
            tid = topic_tid + 1 + lane
            if lane == len(lanes):
                lanes.append(end)
                yield from _thread(pid, tid, f"calls {lane + 1}")
            lanes[lane] = end
            yield _slice("call", call.id, pid, tid, start, end, _args(call))
            yield from self._phases(call, pid, tid, start, end)

    def counters(self) -> Iterator[Event]:
        """Yield the numbers of requests in flight and of open topics, at every change."""
        yield _meta("process_name", RUN_PID, name=f"run {self._run_id}")
        yield _meta("process_sort_index", RUN_PID, sort_index=0)
        # Viewers show the name with that of its number: "calls in flight".
        for name, what, (starts, ends) in (
            ("calls", "in flight", self._requests),
            ("topics", "open", self._topics),
        ):
            for at, number in _levels(starts, ends):
                yield {"ph": "C", "name": name, "pid": RUN_PID, "ts": at, "args": {what: number}}

    def outages(self, outages: Sequence[PastOutage], *, zero_s: float) -> Iterator[Event]:
        """Yield a slice for each time in which the provider was away.

        `zero_s` is the instant from which times count, in seconds since the epoch."""
        tid = RUN_PID * _LANES_A_PROCESS
        if outages:
            yield from _thread(RUN_PID, tid, "provider")
        for outage in outages:
            start = max(0, _micros(outage.since.timestamp() - zero_s))
            what = {"kind": outage.kind, "message": outage.message, "probes": outage.probes}
            name = f"{outage.endpoint or 'provider'} away"
            yield _slice("outage", name, RUN_PID, tid, start, start + _micros(outage.seconds), what)

    def _phases(
        self, call: StoredSpan, pid: int, tid: int, start: int, end: int
    ) -> Iterator[Event]:
        """Yield the parts of a call, one slice after another, none beyond its end."""
        served = call.served
        if served.source != "endpoint":
            return
        at = start

        def until(seconds: float) -> int:
            return min(end, at + _micros(seconds))

        for wait in _WAITS:
            if (then := until(getattr(served, wait.field))) > at:
                yield _slice("wait", wait.words, pid, tid, at, then)
                at = then
        at = max(at, end - _attempts(call))
        for failure in served.failures:
            then = until(failure.elapsed_s)
            _note(self._requests, at, then)
            what = {"kind": failure.kind, "status": failure.status, "message": failure.message}
            yield _slice(
                "attempt",
                f"attempt {failure.number} failed: {failure.kind}",
                pid,
                tid,
                at,
                then,
                what,
            )
            at = then
            if (then := until(failure.backoff_s)) > at:
                yield _slice("wait", BACKOFF.words, pid, tid, at, then)
                at = then
        if call.error is None:
            then = until(served.latency_s)
            _note(self._requests, at, then)
            yield _slice("attempt", f"attempt {served.attempts}", pid, tid, at, then)
            yield from _tokens(served, pid, tid, at, then)


def _attempts(call: StoredSpan) -> int:
    """Microseconds that the attempts of a call took, with the backoff between them."""
    served = call.served
    failed = sum(
        _micros(failure.elapsed_s) + _micros(failure.backoff_s) for failure in served.failures
    )
    return failed + (_micros(served.latency_s) if call.error is None else 0)


def trace_file(events: Iterable[Event]) -> Iterator[bytes]:
    """The events as the parts of a JSON file, an event a line.

    Characters stand as they are, and half a surrogate pair, which no file can hold, as a question
    mark: Perfetto (v55.3) refuses a whole file for one escape of a surrogate, though JSON writes an
    emoji with two.
    """
    yield BEGINNING
    separator = b""
    for event in events:
        yield separator + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
        separator = b",\n"
    yield b"\n]}\n"


def _tokens(served: Served, pid: int, tid: int, start: int, end: int) -> Iterator[Event]:
    """The attempt that succeeded: silence, reasoning, answer, as far as it was streamed."""
    reasoning, answer = served.ttft_reasoning_s, served.ttft_answer_s
    marks = [
        (min(end, start + _micros(seconds)), name)
        for seconds, name in ((reasoning, "reasoning"), (answer, "answer"))
        if seconds is not None
    ]
    at, name = start, "to the first token"
    for then, following in marks:
        if then > at:
            yield _slice("generation", name, pid, tid, at, then)
            at = then
        name = following
    if marks and end > at:
        yield _slice("generation", name, pid, tid, at, end)


def _levels(starts: array[int], ends: array[int]) -> Iterator[tuple[int, int]]:
    """At each instant of a change, how many are open after it."""
    begins, finishes = sorted(starts), sorted(ends)
    level = started = ended = 0
    while ended < len(finishes):
        at = min(begins[started], finishes[ended]) if started < len(begins) else finishes[ended]
        until = at + _ROUNDED
        while started < len(begins) and begins[started] <= until:
            started += 1
        while ended < len(finishes) and finishes[ended] <= until:
            ended += 1
        if (now := started - ended) != level:
            level = now
            yield at, level


def _args(call: StoredSpan) -> dict[str, Any]:
    args = {
        "step": call.step,
        "model": call.model,
        "source": call.served.source,
        "attempts": call.served.attempts,
        **usage_to_json(call.usage),
        "cost_usd": "not known" if call.cost is None else call.cost,
    }
    if call.error is not None:
        args["error"] = f"{call.error.type}: {call.error.message}"
    return args


def _sums(calls: Sequence[StoredSpan]) -> dict[str, Any]:
    costs = [call.cost for call in calls if call.cost is not None]
    return {
        "calls": len(calls),
        "failed": sum(call.error is not None for call in calls),
        "output_tokens": sum(call.usage.output_tokens for call in calls),
        "cost_usd": round(sum(costs), 12) if len(costs) == len(calls) else "not known",
        "session": calls[0].session,
    }


def _note(pairs: tuple[array[int], array[int]], start: int, end: int) -> None:
    pairs[0].append(start)
    pairs[1].append(end)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _slice(
    category: str,
    name: str,
    pid: int,
    tid: int,
    start: int,
    end: int,
    args: Mapping[str, Any] | None = None,
) -> Event:
    event: Event = {
        "ph": "X",
        "cat": category,
        "name": name,
        "pid": pid,
        "tid": tid,
        "ts": start,
        "dur": end - start,
    }
    return event if args is None else {**event, "args": args}


def _thread(pid: int, tid: int, name: str) -> Iterator[Event]:
    """A thread that is shown under this name, in the order of its number."""
    yield {**_meta("thread_name", pid, name=name), "tid": tid}
    yield {**_meta("thread_sort_index", pid, sort_index=tid), "tid": tid}


def _meta(kind: str, pid: int, **args: Any) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "args": args}
