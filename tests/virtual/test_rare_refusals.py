"""Refusals that come now and then do not slow a run down by more than they must."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import a_topic_file, a_workflow, run

from harness.records.run import Run

pytestmark = pytest.mark.harness_virtual_time


@pytest.mark.parametrize("kind", ["429-concurrency", "429-tpm"])
async def test_one_refusal_in_a_hundred_costs_less_than_eight_hundredths(
    tmp_path: Path, kind: str
) -> None:

    report = await run(
        tmp_path,
        a_topic_file(tmp_path, 600),
        workflow=a_workflow(tmp_path),
        latency="lognormal:1:0.5",
        faults=f"{kind}=0.01",
        in_flight=5,
    )

    assert report.limiter.refusals >= 3
    work_s = sum(span.served.latency_s for span in Run.open(tmp_path / "out").spans())
    assert report.wall_s <= 1.08 * work_s / 5
