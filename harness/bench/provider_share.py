"""The provider's part in an arm: what it refused, and how many slots were really to be had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.bench.bench_report import ProviderFigures
from harness.bench.description import Met
from harness.bench.measured import Measured
from harness.domain.policy import Limits
from harness.domain.waits import AWAY, PACED
from harness.records.run import Run
from harness.simulation.refusals import Flights, explained, shown_limit
from harness.timing.bounds import bound_of


def met_in_round(run: Run, *, arm: str, number: int) -> Met | None:
    """Read what one arm met of the provider's limits in one round; None where it met none."""
    learned = run.manifest.limits_learned
    if not learned.get("refusals") and learned.get("works_on") is None:
        return None
    flights, refusals = Flights(), []
    for span in run.spans():
        flights.add(span)
        for failure in span.served.failures:
            if failure.kind == "rate_limited":
                refusals.append(failure)
    why = explained(
        refusals,
        in_flight=run.manifest.settings.get("in_flight"),
        shown=shown_limit(learned, flights),
    )
    limit = why.limit if refusals else learned.get("works_on")
    if not refusals and limit is None:
        return None
    return Met(arm=arm, round=number, refusals=len(refusals), limit=limit, named=why.named)


def provider_figures(
    rounds: Sequence[Sequence[Measured]],
    walls: Sequence[float],
    met: Sequence[Met],
    limits: Limits,
) -> ProviderFigures:
    """Return what an arm met of the provider's limits, as means over its rounds.

    In a round in which nothing was refused and no limit was learned, all slots were to be had.
    """
    by_round = {one.round: one for one in met}
    slots: list[float] = []
    bounds: list[float] = []
    for calls, wall in zip(rounds, walls, strict=True):
        found = by_round.get(calls[0].round)
        at_once = limits.in_flight
        if found is not None and found.limit is not None:
            at_once = min(at_once, found.limit)
        slots.append(at_once)
        times = [call.times for call in calls]
        bounds.append(min(wall, bound_of(times, replace(limits, in_flight=at_once)).seconds))
    named = [one.limit for one in met if one.limit is not None]
    return ProviderFigures(
        refusals=sum(one.refusals for one in met) / len(rounds),
        wait_s=math.fsum(_waits_of(calls) for calls in rounds) / len(rounds),
        limit=min(named, default=None),
        slots=math.fsum(slots) / len(rounds),
        bound_s=math.fsum(bounds) / len(rounds),
        efficiency=math.fsum(bounds) / math.fsum(walls),
    )


def _waits_of(calls: Sequence[Measured]) -> float:
    """Return the seconds that calls waited because of the provider: it was away, or asked for a
    pause or a pace.
    """
    waits = [wait.field for wait in (*AWAY, PACED)]
    return math.fsum(getattr(call.times, field) for call in calls for field in waits)
