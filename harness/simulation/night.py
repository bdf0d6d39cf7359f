"""One simulated night: recorded topics, drawn at random, through the real runner, layers and limits on virtual time."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio
import anyio.abc

from harness.adapters.memory import MemoryCache
from harness.compose import layered
from harness.domain.completion import Call, Completion, Served
from harness.domain.options import StepOptions
from harness.domain.policy import Limits
from harness.domain.pricing import is_peak
from harness.domain.purse import Purse
from harness.domain.run import Span, Topic, TopicResult
from harness.engine.clock import now
from harness.engine.limiter import LimiterState
from harness.engine.runner import Runner
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.errors import CompletionError, RunStopped
from harness.ports import Completer, WallClock
from harness.settings import Settings
from harness.simulation.endpoint import FittedEndpoint, Traffic
from harness.simulation.fit import StepFit, fit_steps
from harness.simulation.recorded import RecordedCall, RecordedTopic
from harness.testing.virtual_time import VirtualClock, run_virtual

RUN_ID = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated: so many topics, begun at `start`, under these settings and limits.

    `provider_limit` is how many requests the provider carries at once, None: any number.
    """

    topics: int
    settings: Settings
    limits: Limits
    start: datetime
    provider_limit: int | None = None
    refusal_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Waits:
    """Seconds that all calls together waited, by cause, as in `Served`."""

    queued_run_s: float = 0.0
    queued_s: float = 0.0
    paced_s: float = 0.0
    budget_s: float = 0.0
    backoff_s: float = 0.0

    def add(self, served: Served) -> None:
        self.queued_run_s += served.queued_run_s
        self.queued_s += served.queued_s
        self.paced_s += served.paced_s
        self.budget_s += served.budget_s
        self.backoff_s += served.backoff_s


@dataclass(slots=True, kw_only=True)
class Night:
    """How a simulated night went. Money in USD; `peak_cost` is the part that was paid in peak hours.

    `failed_calls` ended without an answer, `unpriced` calls have no known price. `stopped` is why the night ended
    before its last topic, or None. `busy_s` is the time that requests spent at the provider, summed.
    """

    wall_s: float = 0.0
    finished: int = 0
    calls: int = 0
    failed_calls: int = 0
    cost: float = 0.0
    peak_cost: float = 0.0
    unpriced: int = 0
    waits: Waits = field(default_factory=Waits)
    traffic: Traffic = field(default_factory=Traffic)
    most_in_flight: int = 0
    limiter: LimiterState | None = None
    stopped: str | None = None


def simulate_night(topics: Sequence[RecordedTopic], plan: Plan, *, seed: int) -> Night:
    """Simulate one night from a bootstrap of the recorded topics, so that several differ as much as their sample could.

    The same seed draws the same topics and the same times under all limits.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, no secrets
    resampled = rng.choices(topics, k=len(topics))
    # A bootstrap may leave out the only call of a step, whose time is then taken from all.
    fits = {
        **fit_steps(sample for topic in topics for sample in topic.samples()),
        **fit_steps(sample for topic in resampled for sample in topic.samples()),
    }
    drawn = array("I", (rng.randrange(len(resampled)) for _ in range(plan.topics)))
    return run_virtual(_pass, resampled, fits, drawn, plan, seed)


async def _pass(
    topics: Sequence[RecordedTopic], fits: Mapping[str, StepFit], drawn: array[int], plan: Plan, seed: int
) -> Night:
    def recorded(call: Call) -> RecordedCall:
        return topics[drawn[call.priority]].calls[int(call.span_id)]

    endpoint = FittedEndpoint(recorded, fits, seed=seed, limit=plan.provider_limit, refusal_s=plan.refusal_s)
    stop, clock, night = Stop(), VirtualClock(plan.start), Night(traffic=endpoint.traffic)
    settings = plan.settings.model_copy(update={"cache_mode": "off", "seed": seed})
    completer, limiter = layered(
        endpoint,
        cache=MemoryCache(),
        settings=settings,
        limits=plan.limits,
        purse=Purse(budget=settings.spending_cap()),
        stop=stop,
        clock=clock,
    )

    async def replay(_: Step, topic: Topic) -> None:
        await _Replay(topics[drawn[topic.index]], topic, completer, night, clock).run()

    runner = Runner(
        workflow=replay,
        context=RunContext(run_id=RUN_ID, endpoint="", workflow="", defaults=StepOptions()),
        completer=completer,
        results=_Unkept(),
        stop=stop,
        clock=clock,
        runs=plan.limits.open_runs,
        ending=limiter.ending,
    )
    await runner.run(Topic(id=str(index), text="", index=index) for index in range(plan.topics))
    night.wall_s = now()
    night.most_in_flight = endpoint.gate.most_in_flight
    night.limiter = limiter.state()
    night.stopped = stop.cause.message if stop.cause is not None else None
    return night


class _Unkept:
    """The results port, for results that nobody will look at."""

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Keep nothing."""


class _Replay:
    """One topic: its recorded calls, each as soon as those it waited for have ended, whatever became of them."""

    def __init__(
        self, recorded: RecordedTopic, topic: Topic, completer: Completer, night: Night, clock: WallClock
    ) -> None:
        self._recorded = recorded
        self._topic = topic
        self._completer = completer
        self._night = night
        self._clock = clock
        self._missing = [len(call.after) for call in recorded.calls]
        self._stopped = False

    async def run(self) -> None:
        first, *others = [number for number, missing in enumerate(self._missing) if not missing]
        async with anyio.create_task_group() as group:
            for other in others:
                group.start_soon(self._from, other, group)
            await self._from(first, group)
        if not self._stopped:
            if self._recorded.rest_s:
                await anyio.sleep(self._recorded.rest_s)
            self._night.finished += 1

    async def _from(self, number: int, group: anyio.abc.TaskGroup) -> None:
        """Make a call, and then those that waited for it: the first of them here, which saves a task."""
        here: int | None = number
        while here is not None:
            await self._make(here)
            if self._stopped:
                return
            free = self._freed_by(here)
            for other in free[1:]:
                group.start_soon(self._from, other, group)
            here = free[0] if free else None

    def _freed_by(self, number: int) -> list[int]:
        free = []
        for follower in self._recorded.followers[number]:
            self._missing[follower] -= 1
            if not self._missing[follower]:
                free.append(follower)
        return free

    async def _make(self, number: int) -> None:
        recorded, night = self._recorded.calls[number], self._night
        if recorded.gap_s:
            await anyio.sleep(recorded.gap_s)
        if not recorded.sent:
            return
        call = Call(run_id=RUN_ID, topic_id=self._topic.id, span_id=str(number), priority=self._topic.index)
        try:
            served = self._pay(await self._completer.complete(recorded.request, call))
        except CompletionError as error:
            night.failed_calls += 1
            served = error.served or Served()
        except RunStopped:
            # Calls of this topic that are in flight end as in a real run: they are paid for.
            self._stopped = True
            return
        night.calls += 1
        night.waits.add(served)
        self._spend(sum(failure.cost or 0.0 for failure in served.failures))

    def _pay(self, completion: Completion) -> Served:
        if completion.cost is None:
            self._night.unpriced += 1
        else:
            self._spend(completion.cost)
        return completion.served

    def _spend(self, cost: float) -> None:
        """Count money at the prices of this instant."""
        if cost:
            self._night.cost += cost
            self._night.peak_cost += cost if is_peak(self._clock.now()) else 0.0


def with_in_flight(plan: Plan, in_flight: int) -> Plan:
    """The same night with another number of calls in flight."""
    return replace(plan, limits=replace(plan.limits, in_flight=in_flight))
