from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of


def events_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["traceEvents"]
    return found


def test_a_run_becomes_a_file_beside_its_rows(harness: Harness, a_run: Path) -> None:
    done = harness("timeline", str(a_run))

    assert done.exit_code == 0, done.output
    assert "timeline.json" in done.output
    calls = [event for event in events_of(a_run / "timeline.json") if event.get("cat") == "call"]
    assert len(calls) == len((a_run / "traces.jsonl").read_text().splitlines())


def test_the_file_beside_the_rows_is_no_obstacle_to_resuming(harness: Harness, a_run: Path) -> None:
    harness("timeline", str(a_run))

    assert harness("resume", str(a_run), "-q").exit_code == 0


def test_one_topic_alone(harness: Harness, a_run: Path) -> None:
    assert harness("timeline", str(a_run), "--topic", "tea", "--out", "tea.json").exit_code == 0

    topics = [event["name"] for event in events_of(Path("tea.json")) if event.get("cat") == "topic"]
    assert topics == ["tea"]


def test_a_dash_is_standard_output(harness: Harness, a_run: Path) -> None:
    said = harness("timeline", str(a_run), "-o", "-")

    assert json.loads(said.stdout)["traceEvents"]
    assert not (a_run / "timeline.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "not a run"),
        (["done", "--topic", "coffee"], "no finished topic 'coffee'"),
    ],
)
@pytest.mark.usefixtures("a_run")
def test_what_is_not_there_is_said_and_leaves_no_file(harness: Harness, arguments: list[str], said: str) -> None:
    assert said in problem_of(harness("timeline", *arguments))
    assert not Path("done/timeline.json").exists()


def test_a_run_without_calls_has_no_timeline(harness: Harness, a_run: Path) -> None:
    (a_run / "traces.jsonl").write_text("")

    assert "no topic with calls" in problem_of(harness("timeline", str(a_run)))


def test_a_damaged_call_is_named(harness: Harness, a_run: Path) -> None:
    text = (a_run / "traces.jsonl").read_text()
    (a_run / "traces.jsonl").write_text(text.replace('"latency_s"', '"lately_s"'))

    assert "damaged" in problem_of(harness("timeline", str(a_run)))


def test_a_run_of_two_sessions_is_one_line_of_time(harness: Harness) -> None:
    run = ("--endpoint", "mock", "--cache-mode", "off", "--out", "done", "-q")
    # The cap on requests ends the first session in the middle of a topic.
    assert harness("run", "topics.jsonl", *run, "--run-calls", "9").exit_code == 3
    assert harness("resume", "done", "--run-calls", "100", "-q").exit_code == 0

    assert harness("timeline", "done").exit_code == 0

    topics = [event for event in events_of(Path("done/timeline.json")) if event.get("cat") == "topic"]
    assert [topic["args"]["session"] for topic in sorted(topics, key=lambda topic: int(topic["ts"]))] in (
        [1, 2],
        [2, 2],
    )
