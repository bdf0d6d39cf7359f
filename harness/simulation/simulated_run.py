"""One simulated night: recorded topics, drawn at random, through the real runner, layers and limits
on virtual time.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from harness.compose import Policies, layered
from harness.domain.call import Call
from harness.domain.ledger import Ledger
from harness.domain.policy import Limits
from harness.domain.run import Topic
from harness.domain.step_options import StepOptions
from harness.engine.clock import now
from harness.engine.limiter import LimiterState
from harness.engine.runner import Runner
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.settings import Settings
from harness.simulation.books import Books
from harness.simulation.endpoint import FittedEndpoint, Traffic
from harness.simulation.fit import StepFit
from harness.simulation.recorded import RecordedCall, RecordedTopic
from harness.simulation.recording import fits_of
from harness.simulation.replay import RUN_ID, Replay
from harness.simulation.unkept import UnkeptCache, UnkeptResults
from harness.testing.virtual_time import VirtualClock, run_virtual
from harness.timing.bounds import Bound, pace_floor_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a simulation: so many topics, begun at `start`, under these settings and limits.

    `provider_limit` is how many requests the provider carries at once, None: any number;
    `refusal_s` is how long it takes to refuse one.
    """

    topics: int
    settings: Settings
    limits: Limits
    start: datetime
    provider_limit: int | None = None
    refusal_s: float = 0.0

    @property
    def slots(self) -> int:
        """Requests that can be under way at once, by our own limit and the provider's."""
        ours = self.limits.in_flight
        if self.provider_limit is None:
            return ours
        return min(ours, self.provider_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRun:
    """The course of a simulated run. `stopped` is why it ended before its last topic, or None.

    `bound` is the least time in which its calls could have been made, `limiter` what the limiter
    had come to at the end, `most_in_flight` the most requests that were at the provider at once.
    """

    wall_s: float
    books: Books
    traffic: Traffic
    bound: Bound
    most_in_flight: int
    limiter: LimiterState
    stopped: str | None


def simulate_night(topics: Sequence[RecordedTopic], plan: Plan, *, seed: int) -> SimulatedRun:
    """Simulate one night from a bootstrap of the recorded topics, so that several differ as much as
    their sample could.

    The same seed draws the same topics and the same times under all limits.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secrets
    resampled = rng.choices(topics, k=len(topics))
    # A bootstrap may leave out the only call of a step, whose time is then taken from all.
    fits = {**fits_of(topics), **fits_of(resampled)}
    drawn = array("I", (rng.randrange(len(resampled)) for _ in range(plan.topics)))
    return run_virtual(_pass, resampled, fits, drawn, plan, seed)


async def _pass(
    topics: Sequence[RecordedTopic],
    fits: Mapping[str, StepFit],
    drawn: array[int],
    plan: Plan,
    seed: int,
) -> SimulatedRun:
    def recorded(call: Call) -> RecordedCall:
        return topics[drawn[call.priority]].calls[int(call.span_id)]

    endpoint = FittedEndpoint(
        recorded,
        fits,
        seed=seed,
        limit=plan.provider_limit,
        refusal_s=plan.refusal_s,
        retry=plan.settings.retry(),
    )
    stop, clock, books = Stop(), VirtualClock(plan.start), Books()
    settings = plan.settings.model_copy(update={"cache_mode": "off", "seed": seed})
    completer, limiter = layered(
        endpoint,
        cache=UnkeptCache(),
        policies=Policies.of(settings),
        limits=plan.limits,
        ledger=Ledger(budget=settings.spending_cap()),
        stop=stop,
        clock=clock,
    )

    async def replay(_: Step, topic: Topic) -> None:
        await Replay(topics[drawn[topic.index]], topic, completer, books, clock).run()

    runner = Runner(
        workflow=replay,
        context=RunContext(run_id=RUN_ID, endpoint="", workflow="", defaults=StepOptions()),
        completer=completer,
        results=UnkeptResults(),
        stop=stop,
        clock=clock,
        runs=plan.limits.open_runs,
        ending=limiter.ending,
    )
    await runner.run(Topic(id=str(index), text="", index=index) for index in range(plan.topics))
    return SimulatedRun(
        wall_s=now(),
        books=books,
        traffic=endpoint.traffic,
        bound=Bound(
            work_s=books.work_s,
            critical_path_s=books.critical_path_s,
            pace_s=pace_floor_s(
                endpoint.answered_tokens, plan.limits, last_left_s=endpoint.last_left_s
            ),
            in_flight=plan.slots,
        ),
        most_in_flight=endpoint.gate.most_in_flight,
        limiter=limiter.state(),
        stopped=stop.cause.message if stop.cause is not None else None,
    )


def with_in_flight(plan: Plan, in_flight: int) -> Plan:
    """The same night with another number of calls in flight."""
    return replace(plan, limits=replace(plan.limits, in_flight=in_flight))
