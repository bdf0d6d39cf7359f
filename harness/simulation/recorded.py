"""Recorded topics as material for a simulation: what each call asked, took and went through, and
when it was wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.domain.completion import FailedAttempt, Request, Served, Usage
from harness.domain.run import Span
from harness.simulation.fit import Sample
from harness.timing.shape import Timed, turns_of, worth

RATE_LIMITED: Final = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One call. `after` are the numbers of the calls it waited for, `gap_s` what the workflow did
    in between.

    `duration_s` is from sending to stored; None where the trace does not know it (the answer came
    from a cache). `failures` are its attempts that failed. `error` is the name of the exception of
    a call that failed for good. `sent` is false for a call that was refused before anything left.
    """

    step: str
    key: str
    request: Request
    usage: Usage
    duration_s: float | None
    ttft_s: float | None
    failures: tuple[FailedAttempt, ...]
    error: str | None
    sent: bool
    after: tuple[int, ...]
    gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTopic:
    """A topic with its calls; `rest_s` is the time it was open without a call before the first and
    after the last.

    `followers` are, for each call, the numbers of those that waited for it.
    """

    calls: tuple[RecordedCall, ...]
    rest_s: float
    followers: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, calls: Sequence[RecordedCall], *, rest_s: float) -> RecordedTopic:
        """The topic of these calls, whose `after` tell the rest."""
        followers: list[list[int]] = [[] for _ in calls]
        for number, call in enumerate(calls):
            for other in call.after:
                followers[other].append(number)
        return cls(calls=tuple(calls), rest_s=rest_s, followers=tuple(map(tuple, followers)))

    def refusals(self) -> Iterator[FailedAttempt]:
        """The attempts of its calls that met a 429."""
        return (
            failure
            for call in self.calls
            for failure in call.failures
            if failure.kind == RATE_LIMITED
        )

    def samples(self) -> Iterator[Sample]:
        """Its calls that have a known time."""
        for call in self.calls:
            if call.duration_s is not None:
                yield Sample(
                    step=call.step,
                    output_tokens=call.usage.output_tokens,
                    duration_s=call.duration_s,
                    ttft_s=call.ttft_s,
                )


def topic_of(spans: Sequence[Span], *, elapsed_s: float) -> RecordedTopic:
    """A topic from its calls, one at least."""
    turns = turns_of([_timed(span) for span in spans])
    calls = tuple(
        _call(span, turn.after, turn.gap_s) for span, turn in zip(spans, turns, strict=True)
    )
    busy_s = max(span.end_s for span in spans) - min(span.start_s for span in spans)
    return RecordedTopic.of(calls, rest_s=worth(elapsed_s - busy_s))


def _timed(span: Span) -> Timed:
    path = tuple(span.parent.split("/")) if span.parent else ()
    return Timed(path=path, start_s=span.start_s, end_s=span.end_s)


def _call(span: Span, after: tuple[int, ...], gap_s: float) -> RecordedCall:
    served = span.served
    error = None if span.error is None else span.error.type
    return RecordedCall(
        step=span.step,
        key=span.key,
        request=span.request,
        usage=span.usage,
        duration_s=_duration_s(served) if error is None else None,
        ttft_s=served.ttft_s if served.source == "endpoint" else None,
        failures=served.failures,
        error=error,
        sent=error is None or bool(served.failures),
        after=after,
        gap_s=gap_s,
    )


def _duration_s(served: Served) -> float | None:
    """Seconds for which a call held its slot: its answer, and noting it before and keeping it
    after.
    """
    if served.source == "endpoint":
        return served.latency_s + served.stored_s
    return None
