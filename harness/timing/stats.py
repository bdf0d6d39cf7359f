"""Statistics of measurements: percentiles, summaries, and paired ratios with an interval. Chance is
handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

RESAMPLES = 2000
LEVEL = 0.95

# Student's t at 97.5 %, for 1 to 9 degrees of freedom; beyond, a series says it to the second
# decimal.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share (0 to 1) lies, interpolated between neighbours.

    Definition 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The
    American Statistician 50 (1996), the default of R and NumPy. Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values, so no percentile")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * share
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A summary of measurements, in their own unit. `p95` is not in reports of versions before."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    low: float
    high: float
    p95: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution | None:
        """Summarise the values; None without any."""
        if not values:
            return None
        return cls(
            count=len(values),
            mean=math.fsum(values) / len(values),
            p50=percentile(values, 0.5),
            p90=percentile(values, 0.9),
            p95=percentile(values, 0.95),
            p99=percentile(values, 0.99),
            low=min(values),
            high=max(values),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of paired measurements; `low` and `high` bound it with 95 % confidence, None where
    they cannot.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int


def paired_ratio(
    groups: Sequence[Sequence[tuple[float, float]]],
    draw: Callable[[], float],
    *,
    resamples: int = RESAMPLES,
) -> Ratio | None:
    """Return the geometric mean of `first / second` over all pairs.

    Its interval is that of a percentile bootstrap over the groups.

    Under that mean ratios and their inverses agree: P. J. Fleming and J. J. Wallace, "How not to
    lie with statistics: the correct way to summarize benchmark results", Communications of the ACM
    29 (1986).

    A group holds pairs that are not independent of each other (all topics of one round, say), so
    whole groups are drawn again: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap"
    (1993), chapters 8 and 13. For few groups the percentiles are moved outwards: T. C. Hesterberg,
    "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015), section 5.
    One group alone says nothing about how it varies, so there is no interval. `draw` returns
    numbers in [0, 1). None where no pair has two positive measurements.
    """
    sums = []
    for group in groups:
        logs = [math.log(a / b) for a, b in group if a > 0 and b > 0]
        if logs:
            sums.append((math.fsum(logs), len(logs)))
    if not sums:
        return None
    count = sum(number for _, number in sums)
    value = math.exp(math.fsum(total for total, _ in sums) / count)
    if len(sums) < 2:
        return Ratio(value=value, low=None, high=None, pairs=count)
    means = []
    for _ in range(resamples):
        drawn = [sums[int(draw() * len(sums))] for _ in sums]
        means.append(math.fsum(total for total, _ in drawn) / sum(number for _, number in drawn))
    edge = tail_share(len(sums))
    # Of equal groups the mean of a resample differs from theirs by rounding only: an interval holds
    # its value.
    return Ratio(
        value=value,
        low=min(value, math.exp(percentile(means, edge))),
        high=max(value, math.exp(percentile(means, 1 - edge))),
        pairs=count,
    )


def tail_share(groups: int) -> float:
    """Return the share of resamples beyond either end of an interval over so many groups (2 or
    more).
    """
    degrees = groups - 1
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    series = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    t = _T[degrees - 1] if degrees <= len(_T) else series
    return NormalDist().cdf(-math.sqrt(groups / degrees) * t)
