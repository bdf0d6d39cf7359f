"""The outlook on the rest of a run, as ranges: time left and money, from what this session has seen
so far.

A range is meant to hold in eight of ten cases. Its ends come from two sources. Topics differ: what
the topics left will take is a sum, whose spread follows from that of the topics that ended (a
prediction interval: the mean is only known from these). And the throughput varies: the last half of
the session is cut into eight parts of equal length, and the slow and the fast end are the rates
that one part in ten stays below, or above.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.domain.causes import cause_of
from harness.domain.remedies import remedy_of
from harness.domain.run import TopicResult
from harness.timing.stats import percentile

FEWEST_TOPICS = 3
"""With fewer topics ended it is too early to say anything."""
SAMPLES = 128
PARTS = 8
TAIL = 0.1
Z = 1.2816
"""The normal distribution's 90th percentile: a tenth of all cases lies on either side of the
range.
"""
KEPT_FAILURES = 5
FEWEST_SAMPLES = 2 * PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A likely value, and where it lies in eight of ten cases; `high` None: nobody can say how
    high.
    """

    low: float
    likely: float
    high: float | None


@dataclass(slots=True)
class Spread:
    """Mean and variance of numbers seen one at a time, which are not kept.

    B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
    Technometrics 4 (1962).
    """

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self._squares += off * (value - self.mean)

    @property
    def variance(self) -> float:
        """Of the numbers at large, judged from those seen; 0 while there are fewer than two."""
        if self.count > 1:
            return self._squares / (self.count - 1)
        return 0.0

    def sum_of(self, number: int) -> Range | None:
        """Return the sum of so many numbers more, none of them negative; None while too few were
        seen.
        """
        if self.count < FEWEST_TOPICS:
            return None
        likely = number * self.mean
        off = Z * math.sqrt(self.variance * (number + number * number / self.count))
        return Range(low=max(0.0, likely - off), likely=likely, high=likely + off)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTopic:
    """A topic that failed, and the moment of the loop's clock at which it did.

    `where` is the line of the workflow's code that it failed at, `remedy` what helps.
    """

    topic_id: str
    cause: str
    message: str
    at_s: float
    where: str | None
    remedy: str


@dataclass(slots=True)
class Ended:
    """The topics that ended in this session, summed up: the memory does not grow with them."""

    calls: Spread = field(default_factory=Spread)
    cost: Spread = field(default_factory=Spread)
    tokens: Spread = field(default_factory=Spread)
    failures: deque[FailedTopic] = field(default_factory=lambda: deque(maxlen=KEPT_FAILURES))

    def add(self, result: TopicResult, at_s: float) -> None:
        """Take note of a row; `at_s` is the loop's time."""
        self.calls.add(result.calls)
        self.cost.add(result.cost or 0.0)
        self.tokens.add(result.usage.total_tokens)
        if result.status == "failed" and result.error is not None:
            error = result.error
            cause = cause_of(type=error.type, kind=error.kind, status=error.status)
            self.failures.append(
                FailedTopic(
                    topic_id=result.topic_id,
                    cause=cause,
                    message=error.message,
                    at_s=at_s,
                    where=error.where,
                    remedy=remedy_of(type=error.type, kind=error.kind),
                )
            )


class Track:
    """The progress of work over time, in so many samples at most: the longer it goes, the
    coarser.
    """

    def __init__(self) -> None:
        self._samples: list[tuple[float, float]] = []
        self._apart_s = 0.0

    def add(self, at_s: float, done: float) -> None:
        """Note that so much was done by then; `done` never falls."""
        if self._samples and at_s < self._samples[-1][0] + self._apart_s:
            return
        self._samples.append((at_s, done))
        if len(self._samples) > SAMPLES:
            self._samples = self._samples[::2]
            first, last = self._samples[0][0], self._samples[-1][0]
            self._apart_s = (last - first) / (len(self._samples) - 1)

    def rates(self) -> list[float]:
        """Return the work done a second in each part of the last half, oldest first; none while it
        is too early.
        """
        if len(self._samples) < FEWEST_SAMPLES:
            return []
        first, last = self._samples[0][0], self._samples[-1][0]
        length = (last - first) / 2 / PARTS
        edges = [self._done_by(last - length * part) for part in range(PARTS, -1, -1)]
        return [(later - earlier) / length for earlier, later in pairwise(edges)]

    def _done_by(self, at_s: float) -> float:
        """Return the work done by then, on the line between two samples."""
        later = next(number for number, (when, _) in enumerate(self._samples) if when >= at_s)
        if later == 0:
            return self._samples[0][1]
        (from_s, low), (to_s, high) = self._samples[later - 1], self._samples[later]
        return low + (high - low) * (at_s - from_s) / (to_s - from_s)


def less(whole: Range, part: float) -> Range:
    """Return the rest of a range of which this part is done."""
    return Range(
        low=max(0.0, whole.low - part),
        likely=max(0.0, whole.likely - part),
        high=None if whole.high is None else max(0.0, whole.high - part),
    )


def time_left(
    work: Range | None, rates: Sequence[float], last_s: Sequence[float] = ()
) -> Range | None:
    """Return the seconds that so many calls take at such rates; None: too early to say.

    `last_s` are the durations of calls that ended lately: somebody is still at work, so the time
    left is at least that of one call.
    """
    if work is None or not rates or sum(rates) <= 0:
        return None
    slow, fast = percentile(rates, TAIL), percentile(rates, 1 - TAIL)
    low, likely = work.low / fast, work.likely * len(rates) / sum(rates)
    # Where a part of the session stood still, or the work may be any, nobody can say how long it
    # takes.
    high = math.inf
    if slow > 0 and work.high is not None:
        high = work.high / slow
    if last_s:
        low, likely = max(low, percentile(last_s, TAIL) / 2), max(likely, percentile(last_s, 0.5))
        high = max(high, percentile(last_s, 1 - TAIL))
    high = max(high, likely)
    return Range(low=min(low, likely), likely=likely, high=None if math.isinf(high) else high)
