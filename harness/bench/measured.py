"""The measurements of one call, and their row in `spans.jsonl` of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.domain.run import Span
from harness.domain.waits import HELD, WAITS
from harness.records.rows import call_times_of, seconds
from harness.timing.bounds import CallTimes, FailedTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One call of one arm in one round. `times` count from the first call wanted in that round, in
    seconds.

    `ttft_reasoning_s` and `ttft_answer_s` count from when the call was wanted. `cost` is in USD,
    None: not known.
    """

    arm: str
    round: int
    key: str
    model: str | None
    times: CallTimes
    ttft_reasoning_s: float | None
    ttft_answer_s: float | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float | None
    failed: bool

    @property
    def queue_wait_s(self) -> float:
        """Seconds waited for a slot, the pace, money or a provider that was away, over all its
        attempts.

        They count from when the call was wanted. This is the delay that a closed-loop load
        generator omits (G. Tene, "How NOT to Measure Latency", 2015).
        """
        waited_s = 0.0
        for wait in HELD:
            waited_s += getattr(self.times, wait.field)
        return waited_s

    @property
    def total_s(self) -> float:
        return self.times.end_s - self.times.start_s

    @property
    def is_useful(self) -> bool:
        """Return whether the provider answered it; no hit, and none that failed for good."""
        return self.times.sent and not self.failed

    @property
    def service_s(self) -> float | None:
        """Seconds from when the request that was answered left to its last byte; None: none was."""
        return self.times.service_s if self.is_useful else None

    @property
    def sent_ttft_reasoning_s(self) -> float | None:
        """Seconds from when the request left to its first reasoning token."""
        return self._since_sent(self.ttft_reasoning_s)

    @property
    def sent_ttft_answer_s(self) -> float | None:
        """Seconds from when the request left to the first token of its answer."""
        return self._since_sent(self.ttft_answer_s)

    @property
    def inter_token_s(self) -> float | None:
        """The mean seconds between two tokens of this call, reasoning and answer alike.

        It is the time from the first token to the last byte by the number of tokens after the
        first: the definition of NVIDIA's aiperf and GenAI-Perf. None where nothing was streamed, or
        only one token came.
        """
        firsts = (self.sent_ttft_reasoning_s, self.sent_ttft_answer_s)
        began = [first_s for first_s in firsts if first_s is not None]
        if not began or self.output_tokens < 2:
            return None
        return max(0.0, self.times.service_s - min(began)) / (self.output_tokens - 1)

    @property
    def output_tokens_per_s(self) -> float | None:
        """Output tokens of this call by the seconds that the provider took over it."""
        if not self.is_useful or not self.output_tokens or self.times.service_s <= 0:
            return None
        return self.output_tokens / self.times.service_s

    def _since_sent(self, first_s: float | None) -> float | None:
        if first_s is None:
            return None
        return max(0.0, first_s - (self.total_s - self.times.service_s))


def measured_from_span(span: Span, *, arm: str, round_: int, origin_s: float) -> Measured:
    """Return the measurements of a call of a run."""
    served, usage = span.served, span.usage
    times = call_times_of(span, origin_s=origin_s)
    useful = times.sent and span.error is None
    # The request that brought the answer ended with the call, and its first tokens came so much
    # later than it left.
    sent_s = span.end_s - span.start_s - served.latency_s

    def since_wanted(first_s: float | None) -> float | None:
        if first_s is None or not useful:
            return None
        found_s: float = seconds(sent_s + first_s)
        return found_s

    return Measured(
        arm=arm,
        round=round_,
        key=span.key[:16],
        model=span.model,
        times=times,
        ttft_reasoning_s=since_wanted(served.ttft_reasoning_s),
        ttft_answer_s=since_wanted(served.ttft_answer_s),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost=span.cost,
        failed=span.error is not None,
    )


def measured_to_row(measured: Measured) -> dict[str, Any]:
    """Return the row of a call.

    What most rows would repeat is left out: waits of no length, a call that was sent and did not
    fail.
    """
    row = asdict(measured)
    times = row.pop("times")
    before = []
    for attempt in times.pop("before"):
        before.append({name: value for name, value in attempt.items() if value})
    found = {"arm": row.pop("arm"), "round": row.pop("round")}
    # The waits stand last among the times.
    waits = {name: times.pop(name) for name in _WAITS}
    for name, value in (times | waits).items():
        # `is`: a wait of one second equals True, and is none.
        is_usual = value is True or value == 0
        if name in _KEPT or not is_usual:
            found[name] = value
    if before:
        found["before"] = before
    for name, value in row.items():
        if name not in _DEFAULTS or value != _DEFAULTS[name]:
            found[name] = value
    return found


def measured_from_row(row: Mapping[str, Any]) -> Measured:
    """Read a row that `measured_to_row` made."""
    given = {**_DEFAULTS, **row}
    own = {name: given[name] for name in _OF_MEASURED}
    times = {name: row[name] for name in _OF_TIMES if name in row}
    times["before"] = tuple(FailedTimes(**one) for one in row.get("before", ()))
    return Measured(times=CallTimes(**times), **own)


_WAITS = tuple(wait.field for wait in WAITS)
_OF_MEASURED = tuple(field.name for field in fields(Measured) if field.name != "times")
_OF_TIMES = tuple(field.name for field in fields(CallTimes))
_KEPT = ("start_s", "end_s", "service_s")
_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("ttft_reasoning_s", "ttft_answer_s"), None),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens"), 0),
    "failed": False,
}
