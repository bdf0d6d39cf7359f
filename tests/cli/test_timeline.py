from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batches import run
from command_line import Harness, problem_of
from nights import recorded
from trace_events import assert_valid

from harness.testing.virtual_time import run_virtual


def events_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["traceEvents"]
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {"latency": "none"},
        {"latency": "uniform:1:3", "stream": False},
        {
            "latency": "lognormal:5:0.4",
            "faults": "reset=0.2,400=0.1,429-tpm=0.1,length=0.1",
            "in_flight": 4,
        },
        {"latency": "fixed:3", "rpm": 30, "per_run": 2, "runs": 2},
        {"latency": "fixed:3", "budget": 0.06},
        {"latency": "fixed:3", "run_calls": 20, "runs": 2},
    ],
    ids=["no-time", "plain", "faults", "paced", "short-of-money", "stopped"],
)
def test_whatever_the_run_went_through_the_file_keeps_to_the_trace_event_format(
    harness: Harness, tmp_path: Path, settings: dict[str, Any]
) -> None:
    recorded(tmp_path, 8, **settings)

    assert harness("timeline", "out").exit_code == 0

    assert_valid(events_of(Path("out/timeline.json")))


def test_no_more_calls_are_drawn_in_flight_than_there_were_places(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 8, latency="lognormal:5:0.4", in_flight=4)

    harness("timeline", "out")

    levels = [
        e["args"]["in flight"] for e in events_of(Path("out/timeline.json")) if e["name"] == "calls"
    ]
    assert (max(levels), levels[-1]) == (4, 0)


def test_a_run_that_was_resumed_and_met_its_cache_keeps_to_the_format_as_well(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 8, latency="fixed:3", run_calls=20, runs=2)
    run_virtual(lambda: run(tmp_path, tmp_path / "topics.jsonl", latency="fixed:3"))

    assert harness("timeline", "out").exit_code == 0

    assert_valid(events_of(Path("out/timeline.json")))


def test_topics_that_are_not_finished_are_not_in_it_and_that_is_said(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 8, latency="fixed:3", run_calls=20, runs=2)

    assert "it has 2 of 8 topics" in harness("timeline", "out").stderr


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
        (["done", "--out", "nowhere/timeline.json"], "there is no directory nowhere"),
    ],
)
@pytest.mark.usefixtures("a_run")
def test_what_is_not_there_is_said_and_leaves_no_file(
    harness: Harness, arguments: list[str], said: str
) -> None:
    assert said in problem_of(harness("timeline", *arguments))
    assert not Path("done/timeline.json").exists()


def test_a_run_without_calls_has_no_timeline(harness: Harness, a_run: Path) -> None:
    (a_run / "traces.jsonl").write_text("")

    assert "no finished topic has calls in traces.jsonl" in problem_of(
        harness("timeline", str(a_run))
    )


def test_a_damaged_call_is_named(harness: Harness, a_run: Path) -> None:
    text = (a_run / "traces.jsonl").read_text()
    (a_run / "traces.jsonl").write_text(text.replace('"start_s"', '"begun_s"'))

    assert "damaged" in problem_of(harness("timeline", str(a_run)))


def test_a_run_of_two_sessions_is_one_line_of_time(harness: Harness) -> None:
    run = ("--endpoint", "mock", "--cache-mode", "off", "--out", "done", "-q")
    # The cap on requests ends the first session in the middle of a topic.
    assert harness("run", "topics.jsonl", *run, "--run-calls", "9").exit_code == 3
    assert harness("resume", "done", "--run-calls", "100", "-q").exit_code == 0

    assert harness("timeline", "done").exit_code == 0

    topics = [
        event for event in events_of(Path("done/timeline.json")) if event.get("cat") == "topic"
    ]
    assert [
        topic["args"]["session"] for topic in sorted(topics, key=lambda topic: int(topic["ts"]))
    ] in (
        [1, 2],
        [2, 2],
    )
