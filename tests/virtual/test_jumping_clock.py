"""A wall clock that jumps changes stamps and nothing else: no deadline, no wait, no answer."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from batches import a_topic_file, loaded, rows_of

from harness.runs.batch import run_batch
from harness.runs.session import Report
from harness.testing import VirtualClock

pytestmark = pytest.mark.harness_virtual_time

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


class JumpingClock:
    """Another year every time it is looked at."""

    def __init__(self) -> None:
        self._years = itertools.cycle([0, 30, -30, 5, -5, 1000, -1000])

    def now(self) -> datetime:
        return NOON + next(self._years) * YEAR


class FixedClock:
    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant


async def run(
    directory: Path, source: Path, clock: VirtualClock | JumpingClock | FixedClock, **settings: str
) -> Report:
    return await run_batch(loaded(directory, **settings), str(source), clock=clock)


async def test_a_clock_that_jumps_disturbs_no_run(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 12)
    weather = {"latency": "uniform:8:12", "faults": "0.2"}
    calm = await run(tmp_path / "calm", source, VirtualClock(), **weather)
    jumpy = await run(tmp_path / "jumpy", source, JumpingClock(), **weather)

    assert jumpy.exit_code == calm.exit_code == 0
    # A date in a Retry-After counts from the server's own, so not even the waits differ.
    assert jumpy.wall_s == pytest.approx(calm.wall_s, rel=0.3)
    outputs = [
        {row["topic_id"]: row["output"] for row in rows_of(tmp_path / name)}
        for name in ("calm", "jumpy")
    ]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("years_later", "asked_again"),
    [(0, False), (-50, False), (50, True)],
    ids=["the same instant", "the clock was ahead", "the clock was behind"],
)
async def test_an_age_that_no_entry_can_have_is_no_trouble(
    years_later: int, asked_again: bool, tmp_path: Path
) -> None:
    source = a_topic_file(tmp_path, 3)
    await run(tmp_path / "run", source, FixedClock(NOON), ttl="1h")
    (tmp_path / "run" / "out").rename(tmp_path / "first")
    again = await run(tmp_path / "run", source, FixedClock(NOON + years_later * YEAR), ttl="1h")

    assert again.exit_code == 0
    assert again.session.totals.hits == (0 if asked_again else again.session.totals.calls)
