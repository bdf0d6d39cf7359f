"""Runs of the mock on virtual time to simulate from, and what was predicted of them, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batches import a_topic_file, loaded, run

from harness.runs.session import Report
from harness.simulation.forecast import Arm, arms_of, jobs_of
from harness.simulation.from_run import read_run
from harness.simulation.many_runs import simulate_nights
from harness.simulation.recording import Recording
from harness.simulation.simulated_run import Plan, SimulatedRun
from harness.testing.virtual_time import run_virtual

OFF_PEAK = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)


def recorded(directory: Path, topics: int, **settings: Any) -> Report:
    """A run of so many topics in `directory / "out"`, on virtual time."""
    directory.mkdir(exist_ok=True)
    source = a_topic_file(directory, topics)

    async def work() -> Report:
        return await run(directory, source, **settings)

    return run_virtual(work)


def predicted(
    directory: Path,
    topics: int,
    in_flight: int,
    *,
    repeat: int = 1,
    start: datetime = OFF_PEAK,
    provider_limit: int | None = None,
    recording: Recording | None = None,
    **settings: Any,
) -> Arm:
    """What the run in `directory / "out"`, or another recording, predicts of a night."""
    recording = recording or read_run(directory / "out", seed=0)
    chosen = loaded(directory, **settings).settings
    plan = Plan(
        topics=topics,
        settings=chosen,
        limits=replace(chosen.limits(), in_flight=in_flight),
        start=start,
        provider_limit=provider_limit,
        refusal_s=recording.refusal_s,
    )
    jobs = jobs_of(plan, [in_flight], repeat=repeat, seed=0)
    (arm,) = arms_of(
        jobs, simulate_nights(recording.topics, jobs, workers=1, on_night=unheard), interval=True
    )
    return arm


def unheard(number: int, night: SimulatedRun) -> None:
    """Nobody listens."""
