"""What a night would take, for several numbers of calls in flight: repeated nights, as means and ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import fmean
from typing import Any

from harness.simulation.night import Night, Plan, simulate_night, with_in_flight
from harness.simulation.recorded import RecordedTopic


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The mean over all repetitions, and the lowest and the highest; None where they say nothing about chance."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One number of calls in flight, and the nights that were simulated with it."""

    in_flight: int
    nights: tuple[Night, ...]
    interval: bool

    def range_of(self, value: Callable[[Night], float]) -> Range:
        """A figure of all nights."""
        values = [value(night) for night in self.nights]
        known = self.interval and len(values) > 1
        return Range(mean=fmean(values), low=min(values) if known else None, high=max(values) if known else None)

    @property
    def wall_s(self) -> Range:
        return self.range_of(lambda night: night.wall_s)

    @property
    def cost(self) -> Range | None:
        """USD, or None where a call has no known price."""
        return None if any(night.unpriced for night in self.nights) else self.range_of(lambda night: night.cost)

    @property
    def peak_cost(self) -> Range:
        return self.range_of(lambda night: night.peak_cost)

    @property
    def refusals(self) -> Range:
        return self.range_of(lambda night: float(night.traffic.refusals))

    @property
    def mean_in_flight(self) -> float:
        """Requests at the provider, averaged over the nights' time."""
        return fmean(night.traffic.busy_s / night.wall_s if night.wall_s else 0.0 for night in self.nights)

    @property
    def finished(self) -> Range:
        return self.range_of(lambda night: float(night.finished))

    @property
    def stopped(self) -> str | None:
        """Why a night ended before its last topic: the first that did."""
        return next((night.stopped for night in self.nights if night.stopped is not None), None)

    def waits_s(self) -> dict[str, float]:
        """Seconds that a call waited on average, by cause."""
        calls = sum(night.calls for night in self.nights) or 1
        causes = asdict(self.nights[0].waits)
        return {name: sum(getattr(night.waits, name) for night in self.nights) / calls for name in causes}

    def as_json(self, plan: Plan) -> dict[str, Any]:
        """For machines; money in USD, times in seconds and in UTC."""
        first, wall = self.nights[0], self.wall_s
        ends_at = plan.start + timedelta(seconds=wall.mean)
        return {
            "in_flight": self.in_flight,
            "wall_s": rounded(wall),
            "ends_at": ends_at.isoformat(timespec="seconds"),
            "cost": None if self.cost is None else rounded(self.cost),
            "peak_cost": None if self.cost is None else rounded(self.peak_cost),
            "finished_topics": rounded(self.finished),
            "calls": rounded(self.range_of(lambda night: float(night.calls))),
            "failed_calls": rounded(self.range_of(lambda night: float(night.failed_calls))),
            "requests": rounded(self.range_of(lambda night: float(night.traffic.requests))),
            "refusals": rounded(self.refusals),
            "mean_in_flight": round(self.mean_in_flight, 6),
            "most_in_flight": max(night.most_in_flight for night in self.nights),
            "waits_s_per_call": {name: round(value, 6) for name, value in self.waits_s().items()},
            "places_at_the_end": first.limiter.places if first.limiter is not None else None,
            "stopped": self.stopped,
        }


def rounded(figures: Range) -> dict[str, float | None]:
    """A range as JSON."""
    return {
        name: value if value is None else round(value, 6)
        for name, value in (("mean", figures.mean), ("low", figures.low), ("high", figures.high))
    }


def forecast(
    topics: Sequence[RecordedTopic],
    plan: Plan,
    in_flight: Sequence[int],
    *,
    repeat: int,
    seed: int,
    interval: bool,
    on_night: Callable[[int, int, Night], None],
) -> tuple[Arm, ...]:
    """Simulate each number of calls in flight `repeat` times, over the same draws.

    `interval` false: the material is too little for a range. `on_night` is told of each night that was simulated: the
    calls in flight, the number of the repetition from 1, and how it went.
    """
    arms = []
    for places in in_flight:
        nights = []
        for repetition in range(1, repeat + 1):
            night = simulate_night(topics, with_in_flight(plan, places), seed=seed + repetition)
            on_night(places, repetition, night)
            nights.append(night)
        arms.append(Arm(in_flight=places, nights=tuple(nights), interval=interval))
    return tuple(arms)
