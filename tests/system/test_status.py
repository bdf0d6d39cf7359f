"""What another process learns of a run: while it goes on, after `kill -9`, and after it was
resumed.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import Process, Server, done, ended, journal, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Latency

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

IN_FLIGHT = 4
TOPICS = 12
MANY = 100


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(FakeDeepSeek(latency=Latency.parse("fixed:0.25"), delta_tokens=50)) as running:
        yield running


def a_run(directory: Path, server: Server, *more: str, topics: int = TOPICS) -> Process:
    """A run of some topics that has some rows and has told of itself, under results/."""
    write_topics(directory, topics)
    where = ("--base-url", server.url, "--model", "deepseek-flash", "--in-flight", str(IN_FLIGHT))
    process = started(directory, "run", "topics.jsonl", *where, "-y", *more)
    until(lambda: len(list(directory.glob("results/*/live.json"))) == 1, process)
    results = directory_of(directory) / "results.jsonl"
    until(lambda: results.exists() and results.read_bytes().count(b"\n") >= 2, process)
    told_at = seen(directory)["elapsed_s"]
    until(lambda: seen(directory)["elapsed_s"] > told_at, process)
    return process


def directory_of(directory: Path) -> Path:
    (run,) = (directory / "results").iterdir()
    return run


def seen(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory_of(directory) / "live.json").read_text())["seen"]
    return found


def status(directory: Path) -> dict[str, Any]:
    code, said = done(directory, "status", "--json")
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)
    return found


def kill(process: Process) -> None:
    process.send_signal(signal.SIGKILL)
    ended(process)


@pytest.mark.parametrize("shown", ["-q", "--json"])
def test_a_run_that_goes_on_tells_others_what_its_own_line_tells(
    tmp_path: Path, server: Server, shown: str
) -> None:
    process = a_run(tmp_path, server, shown, topics=MANY)
    try:
        code, said = done(tmp_path, "status")
        assert code == 0, said
        found = status(tmp_path)
    finally:
        kill(process)

    assert f", running (process {process.pid}), session 1" in said
    assert f" in flight of {IN_FLIGHT}" in said
    assert " for a slot" in said.split("waiting   ")[1]
    assert "unfinished" in said.split("topics    ")[1].splitlines()[0]
    assert " so far, " in said.split("time      ")[1]
    assert "continue" not in said
    told = found["live"]["seen"]
    assert (found["running"], found["killed"], told["topics"]) == (True, False, MANY)
    assert 0 < told["in_flight"] <= IN_FLIGHT
    assert told["calls"] > 0
    assert told["cost"] > 0


def test_after_a_kill_it_is_told_from_the_rows_and_the_journal_and_from_no_stale_word(
    tmp_path: Path, server: Server
) -> None:
    kill(a_run(tmp_path, server, "-q"))
    killed_at = datetime.now(UTC)
    run = directory_of(tmp_path)
    stale = json.loads((run / "live.json").read_text())
    (run / "live.json").write_text(
        json.dumps({**stale, "seen": {**stale["seen"], "cost": 99.0, "calls": 12345}})
    )

    code, said = done(tmp_path, "status")
    found = status(tmp_path)

    assert code == 0, said
    assert "killed, last alive at " in said
    assert f"continue  harness resume results/{run.name}" in said
    assert "99.0" not in said
    assert "12,345" not in said
    rows = [
        line
        for line in (run / "results.jsonl").read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]
    with journal(tmp_path / ".harness" / "cache.db") as database:
        cost, still_open = database.execute(
            "SELECT sum(cost), count(*) FILTER (WHERE outcome = 'open') FROM calls"
        ).fetchone()
    assert (found["running"], found["killed"], found["live"]) == (False, True, None)
    assert (found["totals"]["rows"], found["totals"]["unfinished"]) == (
        len(rows),
        TOPICS - len(rows),
    )
    assert found["journal"]["cost"] == pytest.approx(cost)
    assert found["left_open"] == still_open > 0
    assert f"open      {still_open} requests had no answer yet when it was killed" in said
    assert (
        killed_at - timedelta(seconds=5) < datetime.fromisoformat(found["last_alive"]) <= killed_at
    )

    code, said = done(tmp_path, "resume", "-q")
    assert code == 0, said
    assert len(rows_of(run / "results.jsonl")) == TOPICS
    assert not (run / "live.json").exists()
    assert ", complete, session 2" in done(tmp_path, "status")[1]


def test_start_process_and_limits_of_a_killed_session_are_on_disk(
    tmp_path: Path, server: Server
) -> None:
    began_at = datetime.now(UTC)
    process = a_run(tmp_path, server, "-q", "--budget", "5")
    began = {
        "session": 1,
        "pid": process.pid,
        "limits": {
            "in_flight": IN_FLIGHT,
            "per_run": 8,
            "runs": 2 * IN_FLIGHT,
            "rpm": None,
            "tpm": None,
            "budget": 5.0,
            "budget_tokens": None,
            "run_calls": None,
        },
    }
    kill(process)

    (killed,) = sessions_begun(tmp_path)
    started_at = datetime.fromisoformat(killed.pop("started_at"))
    assert killed == began
    assert began_at - timedelta(milliseconds=1) <= started_at <= datetime.now(UTC)
    said = done(tmp_path, "status")[1]
    assert (
        f"began     {started_at:%Y-%m-%d %H:%M:%S} UTC, process {process.pid}; at most 4 calls in"
        " flight, 8 of" in said
    )
    assert "budget $5.00" in said
    assert status(tmp_path)["begun"]["pid"] == process.pid
    assert done(tmp_path, "report")[0] == 0
    assert (
        f"process {process.pid}; at most 4 calls in flight"
        in (directory_of(tmp_path) / "report.html").read_text()
    )

    assert done(tmp_path, "resume", "-q", "--in-flight", "2")[0] == 0
    first, second = sessions_begun(tmp_path)
    assert (first["pid"], first["limits"]) == (process.pid, began["limits"])
    assert (second["session"], second["limits"]["in_flight"]) == (2, 2)


def sessions_begun(directory: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((directory_of(directory) / "run.json").read_text())[
        "sessions_begun"
    ]
    return found


def test_a_run_that_was_stopped_is_told_from_one_that_works(tmp_path: Path, server: Server) -> None:
    process = a_run(tmp_path, server, "-q")
    try:
        process.send_signal(signal.SIGSTOP)
        run = directory_of(tmp_path)
        word = json.loads((run / "live.json").read_text())
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        (run / "live.json").write_text(json.dumps({**word, "at": long_ago.isoformat()}))
        _, said = done(tmp_path, "status")
    finally:
        kill(process)
    assert "silent    no word from it for 5 min 0" in said
    assert f"look whether process {process.pid} is stopped" in said
