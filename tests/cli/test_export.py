from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command_line import Harness, problem_of

from harness.records.directory_lock import DirectoryLock


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("csv", "done/export-csv"),
        ("sqlite", "done/export.sqlite"),
        ("jsonl", "done/export.jsonl"),
        ("md", "done/export-md"),
        ("parquet", "done/export-parquet"),
        ("chrome", "done/timeline.json"),
    ],
)
@pytest.mark.usefixtures("a_run")
def test_a_run_becomes_what_was_asked_for_and_its_place_is_said(
    harness: Harness, name: str, place: str
) -> None:
    done = harness("export", "done", "--format", name)

    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{place}\n", "")
    assert Path(place).exists()


def test_lines_of_json_are_the_rows_with_their_calls(harness: Harness, a_run: Path) -> None:
    done = harness("export", str(a_run), "--format", "jsonl", "-o", "-")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["topic_id"] for line in lines] == ["sky", "tea"]
    calls = [json.loads(line) for line in (a_run / "traces.jsonl").read_text().splitlines()]
    assert sorted(span["id"] for line in lines for span in line["spans"]) == sorted(
        call["id"] for call in calls
    )
    assert not (a_run / "export.jsonl").exists()


@pytest.mark.usefixtures("a_run")
def test_only_lines_of_json_go_to_standard_output(harness: Harness) -> None:
    done = harness("export", "done", "--format", "csv", "-o", "-")
    assert done.exit_code == 2
    assert "only jsonl" in done.output


@pytest.mark.usefixtures("a_run")
def test_exports_are_no_obstacle_to_resuming(harness: Harness) -> None:
    for name in ("csv", "sqlite", "md"):
        assert harness("export", "done", "-f", name).exit_code == 0
    assert harness("resume", "done", "-q").exit_code == 0


@pytest.mark.parametrize("name", ["jsonl", "chrome"])
@pytest.mark.usefixtures("a_run")
def test_an_export_is_replaced_only_on_demand(harness: Harness, name: str) -> None:
    assert harness("export", "done", "-f", name).exit_code == 0
    assert "--force" in problem_of(harness("export", "done", "-f", name))
    assert harness("export", "done", "-f", name, "--force").exit_code == 0


def test_an_interrupted_run_is_exported_as_far_as_it_is(harness: Harness) -> None:
    run = ("--endpoint", "mock", "--cache-mode", "off", "--out", "part", "--runs", "1", "-q")
    assert harness("run", "topics.jsonl", *run, "--run-calls", "9").exit_code == 3

    done = harness("export", "part", "-f", "jsonl")
    assert done.exit_code == 0
    assert done.stderr == (
        "note: the run is not complete (budget): this holds the 1 of 2 topics that are done; "
        "harness resume part does the rest\n"
    )
    assert len(Path("part/export.jsonl").read_text().splitlines()) == 1


def test_a_run_under_way_is_said_to_be(harness: Harness, a_run: Path) -> None:
    lock = DirectoryLock.take(a_run)
    try:
        done = harness("export", str(a_run), "-f", "csv")
    finally:
        lock.release()
    assert "note: the run is under way: this holds the 2 of 2 topics that are done" in done.stderr


def test_what_is_no_run_is_said(harness: Harness) -> None:
    assert "not a run" in problem_of(harness("export", "nowhere", "-f", "csv"))


@pytest.mark.usefixtures("a_run")
def test_without_pyarrow_the_extra_is_named(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install "reasoning-harness[parquet]"' in problem_of(
        harness("export", "done", "-f", "parquet")
    )
    assert not Path("done/export-parquet").exists()
