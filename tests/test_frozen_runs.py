"""Runs that earlier versions wrote, frozen: whatever reads a run today reads them, for ever.

`first` is from before failed attempts told their waits, `second` from before answerers and outages,
`today` has a call of everything: failed, degraded, rejected, tried again, from the cache, of two
sessions.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command

from harness.bench.files import ROUNDS, calls_of_round

FROZEN = Path(__file__).parent / "data" / "runs"
AGES = ("first", "second", "today")
TOPICS = {"sky": "ok", "half": "degraded", "zh": "ok", "sea": "ok", "fail": "failed"}

every_age = pytest.mark.parametrize("age", AGES)


@pytest.fixture
def frozen(tmp_path: Path, age: str) -> Path:
    """A copy of a frozen run: readers may write beside it."""
    return Path(shutil.copytree(FROZEN / age, tmp_path / age))


def told(*arguments: object) -> str:
    """What a command prints that succeeded."""
    result = run_command(*map(str, arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@every_age
def test_a_report_is_made_of_a_run_of_any_version(frozen: Path, tmp_path: Path) -> None:
    told("report", frozen, "--out", tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text()
    assert all(f'"{topic}"' in page for topic in TOPICS)


@every_age
def test_a_timeline_is_made_of_a_run_of_any_version(frozen: Path, tmp_path: Path) -> None:
    told("timeline", frozen, "--out", tmp_path / "timeline.json")

    events = json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]
    assert TOPICS.keys() <= {event["name"] for event in events if event.get("cat") == "topic"}


@every_age
@pytest.mark.parametrize("form", ["csv", "jsonl", "md", "sqlite", "parquet"])
def test_a_run_of_any_version_is_exported(frozen: Path, tmp_path: Path, form: str) -> None:
    told("export", frozen, "--format", form, "--out", tmp_path / "exported")

    assert (tmp_path / "exported").exists()


@every_age
def test_a_run_of_any_version_is_simulated(frozen: Path) -> None:
    assert "6" in told("simulate", frozen)


@every_age
def test_how_a_run_of_any_version_stands_is_told(frozen: Path) -> None:
    told("status", frozen)
    state = json.loads(told("status", frozen, "--json"))

    assert state["totals"]["rows"] == 6
    assert state["totals"]["degraded"] == 1


@every_age
def test_topics_and_calls_of_a_run_of_any_version_are_shown(frozen: Path) -> None:
    rows = [json.loads(line) for line in told("show", frozen, "--json").splitlines()]
    assert {row["topic_id"]: row["status"] for row in rows}.items() >= TOPICS.items()

    for topic in TOPICS:
        assert topic in told("show", frozen, topic)
        assert "plan" in told("show", frozen, topic, "--calls")
        assert len(json.loads(told("show", frozen, topic, "--json"))["spans"]) >= 2


@every_age
def test_a_run_of_any_version_is_compared_with_one_of_today(frozen: Path, age: str) -> None:
    if age == "today":
        data = json.loads((frozen / "run.json").read_text())
        (frozen / "run.json").write_text(json.dumps({**data, "run_id": "another"}))

    for topic in ((), ("half",)):
        result = run_command("diff", str(frozen), str(FROZEN / "today"), *topic)
        assert result.exit_code in (0, 1), (result.output, result.exception)
        assert "plan" in result.output


@every_age
def test_a_round_of_a_benchmark_of_any_version_is_measured(
    frozen: Path, tmp_path: Path, age: str
) -> None:
    bench = tmp_path / "bench"
    a_round = bench / ROUNDS / "1-batch"
    shutil.copytree(frozen, a_round)
    _leave_out_what_failed(a_round)

    calls = calls_of_round(bench, "batch", 1)

    assert len([call for call in calls if call.times.topic_id == "half"]) == 3
    assert sum(len(call.times.before) for call in calls) >= 5


def _leave_out_what_failed(run: Path) -> None:
    """A round is measured only if none of its topics failed, and it ran in one session."""
    manifest: dict[str, Any] = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "sessions": 1}))
    for name in ("results.jsonl", "traces.jsonl"):
        rows = [json.loads(line) for line in (run / name).read_text().splitlines()]
        kept = [row for row in rows if row["topic_id"] not in ("fail", "reject")]
        (run / name).write_text("".join(json.dumps(row) + "\n" for row in kept))
