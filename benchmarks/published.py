"""A published example, and how often it is true: five calls of 8 to 12 s, in sequence and three at
a time.

It says: 40 to 60 s in sequence, 16 to 24 s with three at a time, 2 to 2.5 times as fast. This draws
it 10,000 times and prints the whole distribution: a list schedule, in which the next call begins
when one of the three ends.

    python benchmarks/published.py
    python benchmarks/published.py --draws 100000 --seed 1
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.timing.stats import percentile

DRAWS, CALLS, SLOTS = 10_000, 5, 3
LOW_S, HIGH_S = 8.0, 12.0
CLAIM = (2.0, 2.5)
_BINS = 20
"""Bins of the histogram in a speed-up of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Seconds in sequence and with three at a time, a pair for each draw."""

    sequence_s: tuple[float, ...]
    parallel_s: tuple[float, ...]

    @property
    def speedups(self) -> list[float]:
        """How many times as fast each draw was."""
        return [one / other for one, other in zip(self.sequence_s, self.parallel_s, strict=True)]

    @property
    def times_hold(self) -> bool:
        """True if every draw lies within the published times."""
        return (
            min(self.sequence_s) >= CALLS * LOW_S
            and max(self.sequence_s) <= CALLS * HIGH_S
            and min(self.parallel_s) >= 2 * LOW_S
            and max(self.parallel_s) <= 2 * HIGH_S
        )

    def share(self, holds: Callable[[float], bool]) -> float:
        """Return the share of draws whose speed-up is such."""
        return sum(holds(ratio) for ratio in self.speedups) / len(self.speedups)


def makespan_s(times_s: Sequence[float], slots: int) -> float:
    """Return when the last call ends if each takes the slot that is free first."""
    ends = [0.0] * slots
    for time_s in times_s:
        heapq.heappush(ends, heapq.heappop(ends) + time_s)
    return max(ends)


def drawn(*, seed: int = 0, draws: int = DRAWS) -> Drawn:
    """Draw the example so many times."""
    draw = random.Random(seed).random
    sequence, parallel = [], []
    for _ in range(draws):
        times = [LOW_S + (HIGH_S - LOW_S) * draw() for _ in range(CALLS)]
        sequence.append(math.fsum(times))
        parallel.append(makespan_s(times, SLOTS))
    return Drawn(sequence_s=tuple(sequence), parallel_s=tuple(parallel))


def histogram(ratios: Sequence[float]) -> dict[str, int]:
    """Count the ratios in each twentieth, by its lower end."""
    counts: dict[int, int] = {}
    for ratio in ratios:
        counts[int(ratio * _BINS)] = counts.get(int(ratio * _BINS), 0) + 1
    return {
        f"{bin_ / _BINS:.2f}": counts.get(bin_, 0) for bin_ in range(min(counts), max(counts) + 1)
    }


def words(found: Drawn) -> list[str]:
    """Tell what was drawn, beside what was published."""
    ratios = found.speedups
    times = "hold in every draw" if found.times_hold else "do not always hold"
    within = found.share(lambda ratio: CLAIM[0] <= ratio <= CLAIM[1])
    below = found.share(lambda ratio: ratio < CLAIM[0])
    above = found.share(lambda ratio: ratio > CLAIM[1])
    lines = [
        f"{CALLS} calls of {LOW_S:g} to {HIGH_S:g} s, drawn {len(ratios):,} times:",
        (
            f"{CALLS * LOW_S:g} to {CALLS * HIGH_S:g} s in sequence and {2 * LOW_S:g} to"
            f" {2 * HIGH_S:g} s with {SLOTS} at a time {times}."
        ),
        (
            f"The speed-up of {CLAIM[0]:g} to {CLAIM[1]:g} holds in {within:.1%} of the draws "
            f"({below:.1%} are below, {above:.1%} above):"
        ),
        f"median {percentile(ratios, 0.5):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}.",
        "",
        "| speed-up from | share of draws |",
        "| ---: | ---: |",
    ]
    for edge, count in histogram(ratios).items():
        lines.append(f"| {edge} | {count / len(ratios):.1%} |")
    return lines


def main() -> int:
    """Print the distribution."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=DRAWS, help="how often the example is drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the draws; equal seeds draw alike")
    given = parser.parse_args()
    if given.draws < 1:
        parser.error("--draws: at least one")
    print("\n".join(words(drawn(seed=given.seed, draws=given.draws))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
