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

from harness.timing.stats import Distribution

DRAWS, CALLS, PLACES = 10_000, 5, 3
LOW_S, HIGH_S = 8.0, 12.0
CLAIM = (2.0, 2.5)


def makespan_s(times_s: Sequence[float], places: int) -> float:
    """When the last call ends if each takes the place that is free first."""
    ends = [0.0] * places
    for time_s in times_s:
        heapq.heappush(ends, heapq.heappop(ends) + time_s)
    return max(ends)


def distribution_of(latency: str, *, seed: int = 0, draws: int = DRAWS) -> dict[str, Any] | None:
    """The example, for a benchmark of calls that took as long (`uniform:8:12`); None for any other, of which it says
    nothing.
    """
    kind, _, bounds = latency.partition(":")
    if kind != "uniform" or [float(part) for part in bounds.split(":")] != [LOW_S, HIGH_S]:
        return None
    draw = random.Random(seed).random  # noqa: S311 - a simulation, no secret
    pairs = [_pair(draw) for _ in range(draws)]
    ratios = [one / other for one, other in pairs]
    within = sum(CLAIM[0] <= ratio <= CLAIM[1] for ratio in ratios) / draws
    sequence, parallel = [one for one, _ in pairs], [other for _, other in pairs]
    times_hold = min(sequence) >= CALLS * LOW_S and max(sequence) <= CALLS * HIGH_S
    times_hold = times_hold and min(parallel) >= 2 * LOW_S and max(parallel) <= 2 * HIGH_S
    return {
        "calls": CALLS,
        "places": PLACES,
        "low_s": LOW_S,
        "high_s": HIGH_S,
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


def _pair(draw: Callable[[], float]) -> tuple[float, float]:
    times = [LOW_S + (HIGH_S - LOW_S) * draw() for _ in range(CALLS)]
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
