"""Signals to real processes, and disks that fail under them."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import Server, done, ended, executed, journal, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def a_server(latency: str, **options: object) -> Server:
    return Server(FakeDeepSeek(latency=Latency.parse(latency), delta_tokens=50, **options))  # type: ignore[arg-type]


def run_at(server: Server) -> tuple[str, ...]:
    where = ("--base-url", server.url, "--model", "deepseek-flash")
    return ("run", "topics.jsonl", *where, "--out", "out", "-y", "-q")


def open_calls(directory: Path) -> int:
    with journal(directory / ".harness" / "cache.db") as database:
        number: int = database.execute(
            "SELECT count(*) FROM calls WHERE outcome = 'open'"
        ).fetchone()[0]
    return number


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_the_first_signal_sends_nothing_more_and_loses_no_answer(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    write_topics(tmp_path, 6)
    with a_server("fixed:0.8") as server:
        process = started(tmp_path, *run_at(server), "--runs", "6")
        until(lambda: server.seen >= 6, process)
        time.sleep(0.1)
        signalled_at = server.now_s()
        process.send_signal(number)
        code, said = ended(process)
        took_s = server.now_s() - signalled_at
        sent_after, seen = server.sent_since(signalled_at + 0.05), server.seen
        assert code == 130, said
        assert sent_after == 0
        assert took_s < 3
        assert f"stopped   interrupted by {name}" in said
        # The answers that were on their way were waited for, and are stored.
        assert open_calls(tmp_path) == 0

        code, said = done(tmp_path, "resume", "out", "-q")

        assert code == 0, said
        assert len(rows_of(tmp_path / "out" / "results.jsonl")) == 6
        spans = rows_of(tmp_path / "out" / "traces.jsonl")
        assert server.seen == len(spans)
        assert sum(span["served"]["source"] == "cache" for span in spans) == seen


def test_the_second_signal_ends_it_within_a_second(tmp_path: Path) -> None:
    write_topics(tmp_path, 3)
    with a_server("fixed:60") as server:
        process = started(tmp_path, *run_at(server))
        until(lambda: server.seen >= 3, process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None

        again_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, said = ended(process)

    assert time.monotonic() - again_at < 1
    assert code == 130, said
    assert open_calls(tmp_path) == 3
    assert "harness resume out" in said


def test_a_drain_has_an_end(tmp_path: Path) -> None:
    write_topics(tmp_path, 3)
    with a_server("fixed:60") as server:
        process = started(tmp_path, *run_at(server), "--drain-timeout", "0.4")
        until(lambda: server.seen >= 3, process)
        at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)

    assert 0.3 < time.monotonic() - at < 2
    assert code == 130, said


def test_a_signal_during_backoff_is_not_waited_out(tmp_path: Path) -> None:
    write_topics(tmp_path, 3)
    slow = FaultPlan.always(Fault.RATE_AFTER_HOURS)
    with a_server("none", faults=slow) as server:
        process = started(tmp_path, *run_at(server))
        until(lambda: server.seen >= 1, process)
        time.sleep(0.3)
        at, signalled_at = time.monotonic(), server.now_s()
        process.send_signal(signal.SIGINT)
        code, said = ended(process)

        assert time.monotonic() - at < 1.5
        assert code == 130, said
        assert server.sent_since(signalled_at) == 0


def until_idle(pid: int) -> None:
    """Return once the process has started and sleeps: it used no CPU for a second."""
    used, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        time.sleep(0.05)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, ticks = fields[0], int(fields[11]) + int(fields[12])
        if state != "S" or ticks != used:
            used, since = ticks, time.monotonic()


def test_a_signal_while_nothing_comes_from_standard_input_ends_it_with_nothing_written(
    tmp_path: Path,
) -> None:
    process = executed(
        tmp_path, "run", "-", "--endpoint", "mock", "--out", "out", "-y", stdin=subprocess.PIPE
    )
    until_idle(process.pid)

    at = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=10)
    took_s = time.monotonic() - at
    ended(process)

    assert code == 130
    assert took_s < 1.5
    assert not (tmp_path / "out").exists()


def test_a_workflow_that_blocks_the_loop_cannot_keep_the_process(tmp_path: Path) -> None:
    write_topics(tmp_path, 1)
    (tmp_path / "own.py").write_text(
        "import pathlib, time\n\nasync def block(step, topic):\n"
        "    pathlib.Path('blocked').touch()\n    time.sleep(60)\n"
    )
    process = started(
        tmp_path,
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--workflow",
        "own.py:block",
        "--out",
        "out",
        "-y",
    )
    until((tmp_path / "blocked").exists, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)

    at = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, said = ended(process)

    assert code == 130, said
    assert time.monotonic() - at < 1


def test_a_refused_key_stops_the_run_at_once_and_a_good_one_goes_on(tmp_path: Path) -> None:
    write_topics(tmp_path, 8)
    with a_server("fixed:0.05") as server:
        server.fake.balance_usd = 0.0
        code, said = done(tmp_path, *run_at(server), "--in-flight", "2")

        assert code == 3, said
        assert "Insufficient Balance" in said
        first_at = server.fake.log[0].at_s
        assert server.sent_since(first_at + 0.3) == 0
        assert server.seen <= 2

        server.fake.balance_usd = 10.0
        code, said = done(tmp_path, "resume", "out", "-q")
        assert code == 0, said
        assert len(rows_of(tmp_path / "out" / "results.jsonl")) == 8


@pytest.mark.parametrize("gone", ["out", ".harness"])
def test_a_directory_that_is_deleted_during_the_run_ends_it(tmp_path: Path, gone: str) -> None:
    write_topics(tmp_path, 30)
    with a_server("fixed:0.1") as server:
        process = started(tmp_path, *run_at(server), "--runs", "2")
        until(lambda: server.seen >= 12, process)
        shutil.rmtree(tmp_path / gone)
        code, said = ended(process)

    assert code == 3, said
    assert "deleted" in said
    assert "Traceback" not in said
    if gone == ".harness":
        # What was finished before stays readable.
        code, said = done(tmp_path, "status", "out")
        assert code == 0, said


def test_a_full_disk_ends_the_run_and_leaves_what_was_written(tmp_path: Path) -> None:
    write_topics(tmp_path, 30)
    with a_server("fixed:0.02") as server:
        process = executed(
            tmp_path,
            *run_at(server),
            "--runs",
            "2",
            # The largest file that the process may write stands in for the disk.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000)),
        )
        code, said = ended(process)

        assert code == 3, said
        assert "Traceback" not in said
        rows_of(tmp_path / "out" / "results.jsonl")
        code, said = done(tmp_path, "resume", "out", "-q")
        assert code == 0, said
    assert len(rows_of(tmp_path / "out" / "results.jsonl")) == 30


def test_a_task_of_the_workflows_own_that_ends_the_program_is_told_and_resumed(
    tmp_path: Path,
) -> None:
    write_topics(tmp_path, 3)
    code = (
        "import asyncio, sys\n\n\nasync def leave():\n    sys.exit('bye')\n\n\nasync def flow(step,"
        " topic):\n"
    )
    (tmp_path / "flow.py").write_text(f"{code}    await asyncio.create_task(leave())\n")
    run = (
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--workflow",
        "flow.py:flow",
        "--out",
        "out",
        "-y",
        "-q",
    )
    status, said = done(tmp_path, *run)
    assert status == 3
    assert "a task of the workflow's own ended the program (SystemExit: bye)" in said
    (tmp_path / "flow.py").write_text("async def flow(step, topic):\n    return 'fine'\n")
    assert done(tmp_path, "resume", "out", "-q")[0] == 0
