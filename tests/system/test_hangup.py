"""The terminal is closed under a run: a real process, on a real terminal whose other end goes
away.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from processes import PATIENCE_S, Server, ended, executed, rows_of, started, until, write_topics
from terminals import on_a_terminal

from harness.testing import FakeDeepSeek, Latency

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

ONE_CALL = (
    "async def one(step, topic):\n    return (await step.complete('one', topic.text)).content\n"
)


def a_server() -> Server:
    return Server(FakeDeepSeek(latency=Latency.parse("fixed:0.7"), delta_tokens=50))


def write_work(directory: Path, topics: int) -> None:
    write_topics(directory, topics)
    (directory / "own.py").write_text(ONE_CALL)


def run_at(server: Server, *more: str) -> tuple[str, ...]:
    where = ("--base-url", server.url, "--model", "deepseek-flash", "--workflow", "own.py:one")
    return ("run", "topics.jsonl", *where, "--out", "out", "--in-flight", "4", "-y", *more)


def status_of(directory: Path) -> str:
    return str(json.loads((directory / "out" / "run.json").read_text())["status"])


def rows_in(directory: Path) -> int:
    return len(rows_of(directory / "out" / "results.jsonl"))


def ignore_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_hangup_drains_the_run_and_says_what_it_was(tmp_path: Path) -> None:
    write_work(tmp_path, 60)
    with a_server() as server:
        process = started(tmp_path, *run_at(server, "-q"))
        until(lambda: server.seen >= 6, process)
        process.send_signal(signal.SIGHUP)
        code, said = ended(process)
        sent = server.seen

    assert code == 130, said
    assert "stopped   interrupted by SIGHUP (the terminal was closed)" in said
    assert "continue  harness resume out" in said
    assert status_of(tmp_path) == "interrupted"
    assert rows_in(tmp_path) == sent < 60


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_hangup_after_another_signal_does_not_cut_the_drain_short(
    tmp_path: Path, first: signal.Signals
) -> None:
    """A shell and the kernel send one each for the same closed terminal; systemd sends one after
    its SIGTERM.
    """
    write_work(tmp_path, 60)
    with a_server() as server:
        process = started(tmp_path, *run_at(server, "-q"))
        until(lambda: server.seen >= 6, process)
        process.send_signal(first)
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        code, said = ended(process)
        sent = server.seen

    assert code == 130, said
    assert rows_in(tmp_path) == sent


def test_a_hangup_and_a_sigterm_that_wait_for_a_busy_process_are_one(tmp_path: Path) -> None:
    """Of two signals that are pending, the interpreter hears the one with the lower number first:
    the hangup, which systemd sends after its SIGTERM.
    """
    write_work(tmp_path, 60)
    with a_server() as server:
        process = started(tmp_path, *run_at(server, "-q"))
        until(lambda: server.seen >= 6, process)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGCONT)
        code, said = ended(process)
        sent = server.seen

    assert code == 130, said
    assert rows_in(tmp_path) == sent


def test_ctrl_c_after_a_hangup_stops_at_once(tmp_path: Path) -> None:
    write_work(tmp_path, 3)
    with Server(FakeDeepSeek(latency=Latency.parse("fixed:60"))) as server:
        process = started(tmp_path, *run_at(server, "-q"))
        until(lambda: server.seen >= 3, process)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None

        again_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, said = ended(process)

    assert code == 130, said
    assert time.monotonic() - again_at < 1


def test_a_hangup_that_is_ignored_at_the_start_stays_ignored(tmp_path: Path) -> None:
    write_work(tmp_path, 12)
    with a_server() as server:
        process = executed(tmp_path, *run_at(server, "-q"), preexec_fn=ignore_hangups)
        until(lambda: server.seen >= 6, process)
        process.send_signal(signal.SIGHUP)
        code, said = ended(process)

    assert code == 0, said
    assert rows_in(tmp_path) == 12
    assert status_of(tmp_path) == "complete"


@pytest.mark.parametrize(
    "shown", [(), ("-q",), ("-v",)], ids=["with its display", "quiet", "with log lines"]
)
def test_closing_the_terminal_drains_the_run(tmp_path: Path, shown: tuple[str, ...]) -> None:
    write_work(tmp_path, 60)
    with a_server() as server, on_a_terminal(tmp_path, *run_at(server, *shown)) as terminal:
        if not shown:
            terminal.until_it_shows("in flight")
        until(lambda: server.seen >= 6)
        terminal.close()
        code = terminal.process.wait(timeout=PATIENCE_S)
        sent = server.seen

    assert code == 130
    assert status_of(tmp_path) == "interrupted"
    assert rows_in(tmp_path) == sent < 60


@pytest.mark.parametrize(
    "shown", [(), ("-q",), ("-v",)], ids=["with its display", "quiet", "with log lines"]
)
def test_a_run_that_ignores_hangups_outlives_its_terminal(
    tmp_path: Path, shown: tuple[str, ...]
) -> None:
    write_work(tmp_path, 12)
    with (
        a_server() as server,
        on_a_terminal(tmp_path, *run_at(server, *shown), preexec_fn=ignore_hangups) as terminal,
    ):
        if not shown:
            terminal.until_it_shows("in flight")
        until(lambda: server.seen >= 4)
        terminal.close()
        code = terminal.process.wait(timeout=PATIENCE_S)

    assert code == 0
    assert status_of(tmp_path) == "complete"
    assert rows_in(tmp_path) == 12


def test_a_reader_that_ended_with_the_terminal_does_not_change_the_exit_code(
    tmp_path: Path,
) -> None:
    """`harness run … 2>&1 | tee log`: tee is gone when the run is drained."""
    write_work(tmp_path, 60)
    with a_server() as server:
        process = started(tmp_path, *run_at(server))
        until(lambda: server.seen >= 6, process)
        for reader in (process.stdout, process.stderr):
            assert reader is not None
            reader.close()
        process.send_signal(signal.SIGHUP)
        code = process.wait(timeout=PATIENCE_S)
        sent = server.seen

    assert code == 130
    assert status_of(tmp_path) == "interrupted"
    assert rows_in(tmp_path) == sent
