"""An outage of the provider amid a run, and everything that tells of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from batches import RUN_ID, a_topic_file, loaded, manifest_of, rows_of, run

from harness.cli.summary import report_json, summary_of
from harness.engine.stopping import Stop
from harness.logs import start_logging
from harness.records.outages import outage_to_json, outages_of
from harness.render.plain import plain
from harness.runs.batch import run_batch
from harness.runs.session import Report, Watch
from harness.runs.snapshot import Snapshot, glance
from harness.testing import FakeDeepSeek, FakeTransport, VirtualClock
from harness.testing.deepseek.latency import Latency
from harness.timing.outlook import Track

pytestmark = pytest.mark.harness_virtual_time

BEGIN_S, END_S = 20.0, 95.0


@dataclass
class Away(httpx2.AsyncBaseTransport):
    """The mock, which nobody reaches between these times of the loop."""

    start_s: float = BEGIN_S
    end_s: float = END_S
    inner: FakeTransport = field(
        default_factory=lambda: FakeTransport(
            FakeDeepSeek(latency=Latency.parse("fixed:2"), delta_tokens=50)
        )
    )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.start_s <= asyncio.get_running_loop().time() < self.end_s:
            raise httpx2.ConnectError("connection refused", request=request)
        return await self.inner.handle_async_request(request)


async def night(directory: Path, away: Away, **settings: Any) -> Report:
    source = a_topic_file(directory, 12)
    return await run(directory, source, transport=away, in_flight=4, per_run=4, **settings)


async def test_run_json_lists_the_outages_of_each_session(tmp_path: Path) -> None:
    report = await night(tmp_path, Away())

    assert report.exit_code == 0
    assert report.totals["ok"] == 12
    (entry,) = manifest_of(tmp_path)["session_log"]
    (told,) = entry["outages"]
    began = datetime.fromisoformat(entry["started_at"])
    since, until = (datetime.fromisoformat(told[name]) for name in ("since", "until"))
    assert (since - began).total_seconds() == pytest.approx(BEGIN_S, abs=2.0)
    # Back at 95 s, seen by the next probe, which is at most a minute later, and by what it brings
    # first.
    assert END_S <= (until - began).total_seconds() <= END_S + 62.0
    assert told["seconds"] == pytest.approx((until - since).total_seconds(), abs=0.01)
    assert 3 <= told["probes"] <= 10
    assert told["kind"] == "connection"
    assert "refused" in told["message"]
    (met,) = report.outages
    assert outage_to_json(met) == told
    assert outage_to_json(outages_of(entry)[0]) == told


async def test_an_outage_that_outlives_the_session_has_no_end_and_the_next_session_tells_its_own(
    tmp_path: Path,
) -> None:
    stopped = await night(tmp_path, Away(end_s=1e9), patience="10m")

    assert stopped.exit_code == 3
    assert stopped.stop is not None
    assert stopped.stop.kind == "provider"
    (entry,) = manifest_of(tmp_path)["session_log"]
    assert entry["outages"][0]["until"] is None
    assert entry["outages"][0]["seconds"] == pytest.approx(600.0, abs=1.0)
    assert manifest_of(tmp_path)["status"] == "provider"

    await night(tmp_path, Away(end_s=0.0))

    assert [len(entry["outages"]) for entry in manifest_of(tmp_path)["session_log"]] == [1, 0]


async def test_a_single_failure_is_no_outage(tmp_path: Path) -> None:
    await night(tmp_path, Away(start_s=20.0, end_s=20.1))
    assert manifest_of(tmp_path)["session_log"][0]["outages"] == []


async def test_every_second_of_an_outage_is_laid_to_it_in_the_rows(tmp_path: Path) -> None:
    await night(tmp_path, Away())

    waits = [span["served"].get("outage_s", 0.0) for span in rows_of(tmp_path, "traces")]
    (told,) = manifest_of(tmp_path)["session_log"][0]["outages"]
    assert max(waits) == pytest.approx(told["seconds"], abs=4.0)
    # Calls that met no outage have no such field: their rows are what they were before there was
    # one.
    assert sum("outage_s" not in span["served"] for span in rows_of(tmp_path, "traces")) > 12


async def test_what_is_seen_while_the_provider_is_away(tmp_path: Path) -> None:
    watch, stop = Watch(), Stop()
    settings = loaded(tmp_path, in_flight=4, per_run=4)
    source = a_topic_file(tmp_path, 12)
    running = asyncio.create_task(
        run_batch(
            settings, str(source), watch=watch, stop=stop, clock=VirtualClock(), transport=Away()
        )
    )

    def seen() -> Snapshot:
        found = glance(watch, Track(), asyncio.get_running_loop().time())
        assert found is not None
        return found

    await asyncio.sleep(BEGIN_S - 1)
    before = seen()
    await asyncio.sleep(41)
    amid = seen()
    await running
    after = seen()

    assert (before.down, after.down) == (None, None)
    assert amid.down is not None
    assert amid.down.startswith("provider down since ")
    assert "(waits up to 5 h 59 more): " in amid.down
    assert amid.stages["all"] == amid.waiting > 0


async def test_an_outage_of_an_hour_does_not_make_the_time_left_longer(tmp_path: Path) -> None:
    watch, track = Watch(), Track()
    settings = loaded(tmp_path, in_flight=4, per_run=4)
    source = a_topic_file(tmp_path, 60)
    away = Away(start_s=60.0, end_s=3660.0)
    running = asyncio.create_task(
        run_batch(settings, str(source), watch=watch, clock=VirtualClock(), transport=away)
    )
    likely: dict[bool, float] = {}
    while not running.done():
        await asyncio.sleep(1)
        seen = glance(watch, track, asyncio.get_running_loop().time())
        if seen is not None and seen.left is not None and seen.down is None:
            after = asyncio.get_running_loop().time() > 3660.0
            likely.setdefault(after, 0.0)
            likely[after] = likely[after] if after and likely[after] else seen.left.likely
    await running

    # The last guess before it, and the first after it: the same work at the same pace.
    assert likely[True] == pytest.approx(likely[False], rel=0.3)


async def test_the_summary_and_the_json_tell_of_it(tmp_path: Path) -> None:
    report = await night(tmp_path, Away())

    (line,) = [
        line
        for line in plain([summary_of(report, loaded(tmp_path).settings)]).splitlines()
        if line.startswith("outages   ")
    ]
    assert line.startswith("outages   1: ")
    assert line.endswith("connection refused") or "connection refused" in line
    assert report_json(report)["outages"] == manifest_of(tmp_path)["session_log"][0]["outages"]
    assert "outage" not in report_json(report)["limits_learned"]


async def test_a_run_without_an_outage_does_not_speak_of_one(tmp_path: Path) -> None:
    report = await night(tmp_path, Away(end_s=0.0))
    assert "outages   " not in plain([summary_of(report, loaded(tmp_path).settings)])


def text_of(file: Path) -> str:
    return file.read_text()


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """A file that takes all log lines of the limits while the test runs."""
    logger = logging.getLogger("harness")
    before = logger.handlers, logger.propagate
    file = tmp_path / "log.jsonl"
    start_logging(file=file, levels=[("harness.limit", logging.INFO)])
    yield file
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate = before
    start = logging.getLogger("harness.limit")
    start.setLevel(logging.NOTSET)


async def test_each_log_line_of_an_outage_names_the_run(tmp_path: Path, log_file: Path) -> None:
    await night(tmp_path, Away())

    lines = [json.loads(line) for line in text_of(log_file).splitlines()]
    lines = [line for line in lines if line["logger"] == "harness.limit"]
    warnings = [line["message"] for line in lines if line["level"] == "warning"]
    assert len(warnings) == 2
    assert warnings[0].startswith(
        "the provider does not answer, nothing else is sent; next look in "
    )
    assert warnings[1].startswith("the provider answers again after ")
    assert (
        len(
            [
                line
                for line in lines
                if line["message"].startswith("the provider is still away, next look in ")
            ]
        )
        >= 2
    )
    assert {line["run_id"] for line in lines} == {RUN_ID}
