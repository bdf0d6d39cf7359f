"""The time of a run counts from its first call."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import a_topic_file, a_workflow, manifest_of, run

pytestmark = pytest.mark.harness_virtual_time

# Ten seconds of preparation before the one call of a topic.
SLOW_TO_BEGIN = """
import asyncio

async def ask(step, topic):
    await asyncio.sleep(10)
    return (await step.complete("ask", topic.text)).content
"""


async def test_the_time_of_a_run_begins_with_its_first_call(tmp_path: Path) -> None:

    report = await run(
        tmp_path,
        a_topic_file(tmp_path, 2),
        workflow=a_workflow(tmp_path, SLOW_TO_BEGIN),
        latency="fixed:4",
        in_flight=1,
        runs=2,
    )

    assert (report.startup_s, round(report.wall_s, 6)) == (10, 8)
    told = manifest_of(tmp_path)
    assert told["totals"]["wall_s"] == 8
    assert [(one["startup_s"], one["wall_s"]) for one in told["session_log"]] == [(10, 8)]


async def test_a_session_without_a_call_has_its_whole_time(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "import asyncio\n\nasync def wait(step, topic):\n    await asyncio.sleep(3)\n"
    )

    report = await run(
        tmp_path, a_topic_file(tmp_path, 1), workflow=f"{tmp_path / 'flow.py'}:wait", in_flight=1
    )

    assert (report.startup_s, report.wall_s) == (0, 3)
