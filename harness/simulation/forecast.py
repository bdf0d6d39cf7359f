"""The time and cost of a run, for several numbers of calls in flight: repeated nights, as means and
ranges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean
from typing import Any

from harness.simulation.books import SIMULATED_WAITS
from harness.simulation.many_runs import Job
from harness.simulation.simulated_run import Plan, SimulatedRun, with_in_flight
from harness.timing.bounds import BoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The mean over all repetitions, and the lowest and the highest; None where they say nothing
    about chance.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One number of calls in flight, and the nights that were simulated with it."""

    in_flight: int
    nights: tuple[SimulatedRun, ...]
    interval: bool

    def range_of(self, value: Callable[[SimulatedRun], float]) -> Range:
        """A figure of all nights."""
        values = [value(night) for night in self.nights]
        known = self.interval and len(values) > 1
        return Range(
            mean=fmean(values),
            low=min(values) if known else None,
            high=max(values) if known else None,
        )

    @property
    def wall_s(self) -> Range:
        return self.range_of(lambda night: night.wall_s)

    @property
    def bound_s(self) -> Range:
        return self.range_of(lambda night: night.bound.seconds)

    @property
    def bound_by(self) -> BoundBy:
        """Return what it was in most nights that no schedule could have avoided."""
        return Counter(night.bound.by for night in self.nights).most_common(1)[0][0]

    @property
    def efficiency(self) -> Range:
        """The share of the wall time that could not have been avoided."""
        return self.range_of(lambda night: night.bound.efficiency(night.wall_s) or 0.0)

    @property
    def cost(self) -> Range | None:
        """USD, or None where a call has no known price."""
        if any(night.books.unpriced for night in self.nights):
            return None
        return self.range_of(_cost)

    @property
    def peak_cost(self) -> Range | None:
        """The part of the cost that was paid in peak hours."""
        if self.cost is None:
            return None
        return self.range_of(lambda night: night.books.peak_cost)

    @property
    def refusals(self) -> Range:
        return self.range_of(lambda night: float(night.traffic.refusals))

    @property
    def mean_in_flight(self) -> Range:
        """Requests at the provider, averaged over a night's time."""
        return self.range_of(
            lambda night: night.traffic.busy_s / night.wall_s if night.wall_s else 0.0
        )

    @property
    def mean_call_s(self) -> float:
        """Seconds that a request spends at the provider."""
        return fmean(night.traffic.busy_s / (night.traffic.requests or 1) for night in self.nights)

    @property
    def finished(self) -> Range:
        return self.range_of(lambda night: float(night.books.finished))

    @property
    def calls(self) -> Range:
        return self.range_of(lambda night: float(night.books.calls))

    @property
    def failed_calls(self) -> Range:
        return self.range_of(lambda night: float(night.books.failed_calls))

    @property
    def requests(self) -> Range:
        return self.range_of(lambda night: float(night.traffic.requests))

    @property
    def places_at_the_end(self) -> Range:
        """Return how many calls at once the limiter let go in the end."""
        return self.range_of(lambda night: float(night.limiter.places))

    @property
    def most_in_flight(self) -> int:
        return max(night.most_in_flight for night in self.nights)

    @property
    def stopped(self) -> str | None:
        """Say why a night ended before its last topic: the first that did."""
        return next((night.stopped for night in self.nights if night.stopped is not None), None)

    def waits_s(self) -> dict[str, float]:
        """Seconds that a call waited on average, by cause."""
        calls = sum(night.books.calls for night in self.nights) or 1
        names = [wait.field for wait in SIMULATED_WAITS]
        return {
            name: sum(night.books.waits.seconds[name] for night in self.nights) / calls
            for name in names
        }

    def as_json(self, plan: Plan) -> dict[str, Any]:
        """For machines; money in USD, times in seconds and in UTC."""
        ends_at = plan.start + timedelta(seconds=self.wall_s.mean)
        return {
            "in_flight": self.in_flight,
            "wall_s": rounded(self.wall_s),
            "ends_at": ends_at.isoformat(timespec="seconds"),
            "bound_s": rounded(self.bound_s),
            "bound_by": self.bound_by,
            "efficiency": rounded(self.efficiency),
            "cost": rounded(self.cost),
            "peak_cost": rounded(self.peak_cost),
            "finished_topics": rounded(self.finished),
            "calls": rounded(self.calls),
            "failed_calls": rounded(self.failed_calls),
            "requests": rounded(self.requests),
            "refusals": rounded(self.refusals),
            "mean_in_flight": rounded(self.mean_in_flight),
            "most_in_flight": self.most_in_flight,
            "places_at_the_end": rounded(self.places_at_the_end),
            "waits_s_per_call": {name: round(value, 6) for name, value in self.waits_s().items()},
            "stopped": self.stopped,
        }


def _cost(night: SimulatedRun) -> float:
    return night.books.cost


def rounded(figures: Range | None) -> dict[str, float | None] | None:
    """A range as JSON."""
    if figures is None:
        return None
    low = None if figures.low is None else round(figures.low, 6)
    high = None if figures.high is None else round(figures.high, 6)
    return {"mean": round(figures.mean, 6), "low": low, "high": high}


def jobs_of(plan: Plan, in_flight: Sequence[int], *, repeat: int, seed: int) -> tuple[Job, ...]:
    """Each number of calls in flight `repeat` times, over the same draws."""
    return tuple(
        Job(plan=with_in_flight(plan, slots), seed=seed + repetition)
        for slots in in_flight
        for repetition in range(1, repeat + 1)
    )


def arms_of(
    jobs: Sequence[Job], nights: Sequence[SimulatedRun], *, interval: bool
) -> tuple[Arm, ...]:
    """The nights of these jobs by their calls in flight. `interval` false: the material is too
    little for a range.
    """
    arms: dict[int, list[SimulatedRun]] = {}
    for job, night in zip(jobs, nights, strict=True):
        arms.setdefault(job.plan.limits.in_flight, []).append(night)
    return tuple(
        Arm(in_flight=slots, nights=tuple(group), interval=interval)
        for slots, group in arms.items()
    )
