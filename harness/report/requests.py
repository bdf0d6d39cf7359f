"""A call's requests on the clock: when each was in flight, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.domain.run import Span
from harness.domain.waits import HELD

End = Literal["answered", "refused", "failed"]
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Sent:
    """One request, in seconds from the start of its session. `refused` is a 429."""

    start_s: float
    end_s: float
    end: End


def requests_of(call: Span) -> Iterator[Sent]:
    """The requests of a call, in order; none for an answer from the cache.

    The one that was answered ended with the call. Those before it are reckoned from its begin, each
    after its own waits; the time to note and to keep them is told as sums and left out.
    """
    served = call.served
    if served.source != "endpoint":
        return
    at_s = call.start_s
    for failure in served.failures:
        at_s += sum(getattr(failure, wait.field) for wait in HELD)
        end_s = min(call.end_s, at_s + failure.elapsed_s)
        yield Sent(min(at_s, end_s), end_s, "refused" if failure.status == _TOO_MANY else "failed")
        at_s = end_s + failure.backoff_s
    if call.error is None:
        yield Sent(max(call.start_s, call.end_s - served.latency_s), call.end_s, "answered")
