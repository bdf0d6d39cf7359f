from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from command_line import Harness, problem_of

from harness.records.directory_lock import DirectoryLock


def test_a_run_becomes_a_page_beside_it(harness: Harness, a_run: Path) -> None:
    done = harness("report", str(a_run))
    assert done.exit_code == 0, done.output
    assert "done/report.html" in done.output
    text = (a_run / "report.html").read_text()
    assert "Why is the sky blue?" in text
    assert oct((a_run / "report.html").stat().st_mode)[-3:] == "600"


def test_two_runs_become_one_page_where_it_is_wanted(harness: Harness, a_run: Path) -> None:
    assert (
        harness("run", "topics.jsonl", "--endpoint", "mock", "--out", "again", "-q").exit_code == 0
    )
    done = harness("report", str(a_run), "again", "-o", "both.html")
    assert done.exit_code == 0, done.output
    text = Path("both.html").read_text()
    assert 'id="block-0-0"' in text
    assert 'id="block-1-0"' in text


def test_a_run_under_way_becomes_a_page_that_says_so(harness: Harness, a_run: Path) -> None:
    manifest = json.loads((a_run / "run.json").read_text())
    (a_run / "run.json").write_text(json.dumps({**manifest, "status": "running"}))
    lock = DirectoryLock.take(a_run)
    try:
        done = harness("report", str(a_run))
    finally:
        lock.release()
    assert done.exit_code == 0
    assert "still running" in done.output


@pytest.mark.parametrize("name", ["nowhere", "topics.jsonl", "."])
def test_what_is_no_run_is_refused(harness: Harness, name: str) -> None:
    assert "not a run" in problem_of(harness("report", name))


def test_damaged_rows_are_named_and_no_page_is_left(harness: Harness, a_run: Path) -> None:
    with (a_run / "results.jsonl").open("a") as rows:
        rows.write("{}\n")
    assert "results.jsonl:3: not a row" in problem_of(harness("report", str(a_run)))
    assert list(a_run.glob("report*")) == []


def test_a_place_that_is_not_there_is_refused(harness: Harness, a_run: Path) -> None:
    assert "is no directory" in problem_of(harness("report", str(a_run), "-o", "nowhere/page.html"))


def test_a_view_of_nothing_is_refused(harness: Harness) -> None:
    assert "is no directory" in problem_of(harness("view", "nowhere"))
    assert "is no directory" in problem_of(harness("view", "topics.jsonl"))


def test_a_port_in_use_is_named(harness: Harness, a_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} is in use" in problem_of(
            harness("view", str(a_run.parent), "--port", port)
        )


@pytest.mark.parametrize("command", [["report"], ["timeline"]])
@pytest.mark.parametrize("file", ["results.jsonl", "traces.jsonl", "run.json", "run.lock"])
def test_what_is_no_earlier_page_or_timeline_is_never_replaced(
    harness: Harness, a_run: Path, command: list[str], file: str
) -> None:
    before = (a_run / file).read_bytes()
    problem = problem_of(harness(*command, str(a_run), "-o", str(a_run / file)))
    assert f"{file}: is there already and is no {command[0]}" in problem
    assert (a_run / file).read_bytes() == before


@pytest.mark.parametrize("command", ["report", "timeline"])
def test_an_earlier_page_or_timeline_is_replaced(
    harness: Harness, a_run: Path, command: str
) -> None:
    assert harness(command, str(a_run), "-o", "made").exit_code == 0
    Path("made").write_bytes(Path("made").read_bytes() + b"what an earlier one had")
    assert harness(command, str(a_run), "-o", "made").exit_code == 0
    assert not Path("made").read_bytes().endswith(b"an earlier one had")


@pytest.mark.parametrize("command", [["report"], ["timeline"], ["export", "--format", "csv"]])
def test_a_place_that_cannot_be_written_to_is_refused(
    harness: Harness, a_run: Path, command: list[str]
) -> None:
    assert "cannot be written" in problem_of(harness(*command, str(a_run), "-o", "/proc/made"))


def test_a_run_beside_itself_is_refused(harness: Harness, a_run: Path) -> None:
    assert "are the same run" in problem_of(harness("report", str(a_run), f"./{a_run}/"))
