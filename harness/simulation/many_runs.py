"""Many nights: several at once, each in a process of its own, where that is worth the processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import anyio
from anyio import to_process

from harness.errors import HarnessError
from harness.simulation.recorded import RecordedTopic
from harness.simulation.simulated_run import Plan, SimulatedRun, simulate_night

WORTH_A_PROCESS = 10_000
"""The number of simulated calls, about a second of work, from which a process of its own pays."""

_LOOK_S = 0.5
"""Seconds between two looks of a process at whether its parent is there."""

OnNight = Callable[[int, SimulatedRun], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A night that is to be simulated."""

    plan: Plan
    seed: int


def workers_for(topics: Sequence[RecordedTopic], jobs: Sequence[Job]) -> int:
    """Return how many processes these nights are worth: 1 is this one."""
    calls = (
        sum(len(topic.calls) for topic in topics)
        / len(topics)
        * sum(job.plan.topics for job in jobs)
    )
    return max(1, min(cores(), len(jobs), int(calls / WORTH_A_PROCESS)))


def cores() -> int:
    """Return how many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def simulate_nights(
    topics: Sequence[RecordedTopic], jobs: Sequence[Job], *, workers: int, on_night: OnNight
) -> tuple[SimulatedRun, ...]:
    """All nights, in the order of the jobs, whatever the number of processes; `on_night` is told of
    each as it ends.

    An interruption ends the processes at once, and any other end of this one within a second.
    Raises what a night raises, and HarnessError where a process dies.
    """
    found: dict[int, SimulatedRun] = {}

    def done(number: int, night: SimulatedRun) -> None:
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
    parent, failed = os.getpid(), list[Exception]()

    async def work() -> None:
        try:
            for number, job in jobs:
                night = await to_process.run_sync(
                    _night, topics, job, parent, cancellable=True, limiter=limiter
                )
                done(number, night)
        except Exception as error:  # noqa: BLE001 - the first is raised below, without the task group around it
            failed.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)
    if failed and isinstance(failed[0], anyio.BrokenWorkerProcess):
        raise HarnessError(
            "a process that simulated a night has died, perhaps for want of memory; --jobs 1 takes"
            " no others"
        ) from failed[0]
    if failed:
        raise failed[0]


def _night(topics: Sequence[RecordedTopic], job: Job, parent: int) -> SimulatedRun:
    """In a process of its own, which does not outlive its parent: a signal may have ended that
    without a word.
    """
    done = threading.Event()
    threading.Thread(target=_end_with, args=(parent, done), daemon=True).start()
    try:
        return simulate_night(topics, job.plan, seed=job.seed)
    finally:
        done.set()


def _end_with(parent: int, done: threading.Event) -> None:
    """End this process when its parent is gone, unless it is `done` before."""
    while not done.wait(_LOOK_S):
        if os.getppid() != parent:
            os._exit(1)
