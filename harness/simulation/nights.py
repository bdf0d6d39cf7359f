"""Many nights: several at once, each in a process of its own, where that is worth the processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import anyio
from anyio import to_process

from harness.errors import HarnessError
from harness.simulation.night import Night, Plan, simulate_night
from harness.simulation.recorded import RecordedTopic

WORTH_A_PROCESS = 10_000
"""How many simulated calls take longer, about a second, than a process that imports this package."""

OnNight = Callable[[int, Night], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A night that is to be simulated."""

    plan: Plan
    seed: int


def workers_for(topics: Sequence[RecordedTopic], jobs: Sequence[Job]) -> int:
    """How many processes these nights are worth: 1 is this one."""
    calls = sum(len(topic.calls) for topic in topics) / len(topics) * sum(job.plan.topics for job in jobs)
    return max(1, min(cores(), len(jobs), int(calls / WORTH_A_PROCESS)))


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def simulate_nights(
    topics: Sequence[RecordedTopic], jobs: Sequence[Job], *, workers: int, on_night: OnNight
) -> tuple[Night, ...]:
    """All nights, in the order of the jobs, whatever the number of processes; `on_night` is told of each as it ends.

    An interruption ends the processes at once. Raises what a night raises, and HarnessError where a process dies.
    """
    found: dict[int, Night] = {}

    def done(number: int, night: Night) -> None:
        found[number] = night
        on_night(number, night)

    if workers == 1:
        for number, job in enumerate(jobs):
            done(number, simulate_night(topics, job.plan, seed=job.seed))
    else:
        anyio.run(_in_processes, topics, iter(enumerate(jobs)), workers, done)
    return tuple(found[number] for number in range(len(jobs)))


async def _in_processes(
    topics: Sequence[RecordedTopic], jobs: Iterator[tuple[int, Job]], workers: int, done: OnNight
) -> None:
    limiter = anyio.CapacityLimiter(workers)
    broken: list[anyio.BrokenWorkerProcess] = []

    async def work() -> None:
        for number, job in jobs:
            try:
                night = await to_process.run_sync(_night, topics, job, cancellable=True, limiter=limiter)
            except anyio.BrokenWorkerProcess as error:
                broken.append(error)
                group.cancel_scope.cancel()
                return
            done(number, night)

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)
    if broken:
        raise HarnessError(
            "a process that simulated a night has died, perhaps for want of memory; --jobs 1 takes no others"
        ) from broken[0]


def _night(topics: Sequence[RecordedTopic], job: Job) -> Night:
    """In a process of its own."""
    return simulate_night(topics, job.plan, seed=job.seed)
