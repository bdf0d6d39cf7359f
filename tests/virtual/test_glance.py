"""A moment of a run as numbers, taken in the middle of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, loaded, run

from harness.domain.redo import Redo
from harness.runs.batch import run_batch
from harness.runs.session import Report, Watch
from harness.runs.snapshot import Snapshot, glance
from harness.testing.virtual_time import VirtualClock
from harness.timing.outlook import Track

pytestmark = pytest.mark.harness_virtual_time


async def seen_after(
    directory: Path, source: Path, seconds: float, *, redo: Redo, **settings: Any
) -> tuple[Snapshot, Report]:
    """What is seen so many seconds after a session has begun, and its report."""
    watch, loop = Watch(), asyncio.get_running_loop()
    chosen = loaded(directory, **settings)
    task = asyncio.create_task(
        run_batch(chosen, str(source), watch=watch, clock=VirtualClock(), redo=redo)
    )
    await asyncio.sleep(seconds)
    seen = glance(watch, Track(), loop.time())
    assert seen is not None
    return seen, await task


async def test_before_a_run_has_begun_there_is_nothing_to_see() -> None:
    assert glance(Watch(), Track(), 0.0) is None


async def test_calls_in_flight_and_calls_that_wait_are_told_by_what_they_do(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 6)
    seen, report = await seen_after(
        tmp_path, source, 35.0, redo=Redo(), latency="fixed:10", in_flight=2
    )

    assert report.exit_code == 0
    assert (seen.topics, seen.places, seen.maximum) == (6, 2, 2)
    assert seen.in_flight == sum(seen.steps.values()) == len(seen.oldest) == 2
    assert seen.waiting == seen.stages["all"] > 0
    assert seen.calls == 6


async def test_a_session_of_chosen_topics_counts_to_them_and_an_ordinary_one_to_all(
    tmp_path: Path,
) -> None:
    source = a_topic_file(tmp_path, 6)
    slow: dict[str, Any] = {"latency": "fixed:10", "runs": 1}
    await run(tmp_path, source, limit=2, faults="empty-200=1", attempts=1, patience=0.0)
    narrow, report = await seen_after(tmp_path, source, 5.0, redo=Redo(states=("failed",)), **slow)
    assert (narrow.finished, narrow.topics, report.session.done) == (0, 2, 2)

    rest, report = await seen_after(tmp_path, source, 5.0, redo=Redo(), **slow)
    assert (rest.finished, rest.topics, report.session.done) == (2, 6, 4)
