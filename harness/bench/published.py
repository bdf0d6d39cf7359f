"""A published example, and how often it is true: five calls of 8 to 12 s, one after another and three at a time.

It says: 40 to 60 s in sequence, 16 to 24 s with three at a time, 2 to 2.5 times as fast. Here is the whole
distribution, drawn 10,000 times: a list schedule, in which the next call begins when one of the three ends.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from harness.domain.stats import Distribution

DRAWS, CALLS, PLACES = 10_000, 5, 3
CLAIM = (2.0, 2.5)


def makespan_s(times_s: Sequence[float], places: int) -> float:
    """When the last call ends if each takes the place that is free first."""
    ends = [0.0] * places
    for time_s in times_s:
        heapq.heappush(ends, heapq.heappop(ends) + time_s)
    return max(ends)


def distribution_of(latency: str, *, seed: int = 0, draws: int = DRAWS) -> dict[str, Any] | None:
    """The example for calls of `uniform:LOW:HIGH`; None for any other model of time."""
    kind, _, bounds = latency.partition(":")
    if kind != "uniform":
        return None
    low, high = (float(part) for part in bounds.split(":"))
    if low <= 0:
        return None
    draw = random.Random(seed).random  # noqa: S311 - a simulation, no secret
    pairs = [_pair(draw, low, high) for _ in range(draws)]
    ratios = [one / other for one, other in pairs]
    within = sum(CLAIM[0] <= ratio <= CLAIM[1] for ratio in ratios) / draws
    sequence, parallel = [one for one, _ in pairs], [other for _, other in pairs]
    times_hold = min(sequence) >= CALLS * low and max(sequence) <= CALLS * high
    times_hold = times_hold and min(parallel) >= 2 * low and max(parallel) <= 2 * high
    return {
        "calls": CALLS,
        "places": PLACES,
        "low_s": low,
        "high_s": high,
        "draws": draws,
        "sequence_s": asdict(_known(Distribution.of(sequence))),
        "parallel_s": asdict(_known(Distribution.of(parallel))),
        "speedup": asdict(_known(Distribution.of(ratios))),
        "histogram": _histogram(ratios),
        "times_hold": times_hold,
        "speedup_within_claim": within,
        "speedup_below_claim": sum(ratio < CLAIM[0] for ratio in ratios) / draws,
        "speedup_above_claim": sum(ratio > CLAIM[1] for ratio in ratios) / draws,
    }


def _pair(draw: Callable[[], float], low: float, high: float) -> tuple[float, float]:
    times = [low + (high - low) * draw() for _ in range(CALLS)]
    return math.fsum(times), makespan_s(times, PLACES)


def _histogram(ratios: Sequence[float]) -> dict[str, int]:
    """How many ratios lie in each twentieth, by its lower end."""
    counts: dict[int, int] = {}
    for ratio in ratios:
        counts[int(ratio * 20)] = counts.get(int(ratio * 20), 0) + 1
    return {f"{place / 20:.2f}": counts.get(place, 0) for place in range(min(counts), max(counts) + 1)}


def _known(found: Distribution | None) -> Distribution:
    if found is None:
        raise ValueError("a distribution needs draws")
    return found
