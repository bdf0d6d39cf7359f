"""One of two endpoints is away amid a run: the other's calls go on, and everything tells whose
outage it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from batches import a_topic_file, manifest_of, rows_of
from field_lines import lines_of
from jsonschema import Draft202012Validator

from harness.cli.live.lines import endpoint_words, line_of
from harness.cli.summary import report_json, run_outage_fields, summary_of
from harness.engine.stopping import Stop
from harness.records.chrome_trace import Timeline
from harness.records.manifest import Manifest
from harness.records.outages import run_outages
from harness.render.plain import plain
from harness.report.away import away_in
from harness.runs.batch import run_batch
from harness.runs.live_file import Live, live_to_json
from harness.runs.session import Report, Watch
from harness.runs.snapshot import Snapshot, glance
from harness.settings import Loaded, load_settings
from harness.testing import FakeDeepSeek, FakeTransport, VirtualClock
from harness.testing.deepseek.latency import Latency
from harness.timing.outlook import Track

pytestmark = pytest.mark.harness_virtual_time

BEGIN_S, END_S = 20.0, 3620.0
LOCAL = "http://local/v1"
FLOW = """\
from harness import StepOptions

async def flow(step, topic):
    if topic.index % 2:
        await step.complete("plan", topic.text, options=StepOptions(endpoint="local"))
    return (await step.complete("write", topic.text)).content
"""
SCHEMAS = Path(__file__).parent.parent.parent / "docs" / "schemas"


@dataclass
class Two(httpx2.AsyncBaseTransport):
    """The run's own mock, and one at another host, which nobody reaches between these times of the
    loop.
    """

    start_s: float = BEGIN_S
    end_s: float = END_S
    own: FakeTransport = field(default_factory=lambda: a_mock("fixed:2"))
    local: FakeTransport = field(default_factory=lambda: a_mock("fixed:2"))
    answered_at: list[float] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        now_s = asyncio.get_running_loop().time()
        if request.url.host != "local":
            self.answered_at.append(now_s)
            return await self.own.handle_async_request(request)
        if self.start_s <= now_s < self.end_s:
            raise httpx2.ConnectError("connection refused", request=request)
        return await self.local.handle_async_request(request)


def a_mock(latency: str) -> FakeTransport:
    fake = FakeDeepSeek(latency=Latency.parse(latency), delta_tokens=50, dialect="openai")
    return FakeTransport(fake)


def settings(directory: Path, **more: Any) -> Loaded:
    (directory / "flow.py").write_text(FLOW)
    local = {
        "base_url": LOCAL,
        "api_key_env": "LOCAL_KEY",
        "model": "tiny",
        "prices": {"tiny": {"input": 0.0, "output": 0.0}},
    }
    chosen = {
        "endpoint": "mock",
        "workflow": f"{directory / 'flow.py'}:flow",
        "endpoints": {"local": local},
        "cache": directory / "cache.db",
        "out": directory / "out",
        "in_flight": 4,
        **more,
    }
    return load_settings(chosen, environ={"LOCAL_KEY": "sk-local"})


async def night(directory: Path, two: Two, topics: int = 40, **more: Any) -> Report:
    source = a_topic_file(directory, topics)
    return await run_batch(
        settings(directory, **more), str(source), clock=VirtualClock(), transport=two
    )


async def test_the_topics_of_the_other_go_on_and_those_that_waited_lose_no_attempt(
    tmp_path: Path,
) -> None:
    two = Two(start_s=4.0)
    report = await night(tmp_path, two, runs=40)

    assert report.exit_code == 0
    assert report.totals["ok"] == 40
    # Twenty topics ask the run's own endpoint alone; four calls of two seconds are in flight at
    # once.
    served_meanwhile = [at_s for at_s in two.answered_at if 5.0 < at_s < 60.0]
    assert len(served_meanwhile) >= 10
    failed = [span for span in rows_of(tmp_path, "traces") if span["error"] is not None]
    assert failed == []
    assert {span.get("endpoint") for span in rows_of(tmp_path, "traces")} == {"local", None}


async def test_the_outage_is_told_with_the_endpoints_name_everywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="harness"):
        report = await night(tmp_path, Two())

    manifest = manifest_of(tmp_path)
    (entry,) = manifest["session_log"]
    (told,) = entry["outages"]
    assert told["endpoint"] == "local"
    Draft202012Validator(json.loads((SCHEMAS / "run.schema.json").read_text())).validate(manifest)
    assert "outages   1: local: " in plain([summary_of(report, settings(tmp_path).settings)])
    assert report_json(report)["outages"][0]["endpoint"] == "local"
    assert lines_of(run_outage_fields(Manifest.of(manifest)))[0].startswith("outages   1: local: ")
    (away,) = away_in(entry)
    assert away.message.startswith("local: ")
    line = Timeline(run_id="run")
    names = [
        event["name"] for event in line.outages(run_outages(Manifest.of(manifest)), zero_s=0.0)
    ]
    assert "local away" in names
    assert "local does not answer, nothing else is sent to local; next look in" in caplog.text
    assert "local answers again after " in caplog.text
    assert "waits for local" in caplog.text
    assert "the provider" not in caplog.text


async def test_what_is_seen_while_one_of_two_is_away(tmp_path: Path) -> None:
    watch, stop = Watch(), Stop()
    chosen, source = settings(tmp_path), a_topic_file(tmp_path, 40)
    running = asyncio.create_task(
        run_batch(
            chosen, str(source), watch=watch, stop=stop, clock=VirtualClock(), transport=Two()
        )
    )

    def seen() -> Snapshot:
        found = glance(watch, Track(), asyncio.get_running_loop().time())
        assert found is not None
        return found

    await asyncio.sleep(BEGIN_S - 5)
    before = seen()
    await asyncio.sleep(60)
    amid = seen()
    await running

    assert [one.name for one in before.endpoints] == ["mock", "local"]
    assert [one.down for one in before.endpoints] == [None, None]
    assert amid.down is None
    mock, local = amid.endpoints
    assert mock.down is None
    assert local.down is not None
    assert local.down.startswith("local down since ")
    assert f"local {local.in_flight} in flight of " in endpoint_words(amid)[1]
    assert "local down since " in line_of(amid, chosen.settings)
    told = live_to_json(Live(at=VirtualClock().now(), session=1, pid=1, seen=amid))
    Draft202012Validator(json.loads((SCHEMAS / "live.schema.json").read_text())).validate(
        json.loads(json.dumps(told))
    )


async def test_an_outage_beyond_the_patience_leaves_its_topics_for_resume_and_finishes_the_others(
    tmp_path: Path,
) -> None:
    report = await night(tmp_path, Two(start_s=0.0, end_s=1e9), patience="10m")

    assert report.exit_code == 3
    assert report.stop is not None
    assert report.stop.kind == "provider"
    assert report.stop.message.startswith("local: local has been away for ")
    assert report.totals["ok"] == 20
    assert report.unfinished == 20
    assert manifest_of(tmp_path)["status"] == "provider"

    again = await night(tmp_path, Two(start_s=0.0, end_s=0.0), patience="10m")

    assert again.exit_code == 0
    assert again.totals["ok"] == 40


async def test_prices_and_limits_of_both_are_in_the_books(tmp_path: Path) -> None:
    report = await night(tmp_path, Two(start_s=0.0, end_s=0.0), budget=5.0)

    assert report.exit_code == 0
    costs = {span["step"]: span["cost"] for span in rows_of(tmp_path, "traces")}
    assert costs["plan"] == 0.0
    assert costs["write"] > 0.0
    assert report.spent.cost == pytest.approx(sum(row["cost"] for row in rows_of(tmp_path)))
    assert not report.simulated
    assert set(manifest_of(tmp_path)["limits_learned"]["endpoints"]) == {"mock", "local"}
