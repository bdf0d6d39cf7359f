"""Several real processes on one cache file pay for one, whatever becomes of the one that is
paying.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Process, Server, ended, journal, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Latency

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

TOPICS = 12


def a_server(latency: str) -> Server:
    return Server(FakeDeepSeek(latency=Latency.parse(latency), delta_tokens=50))


def a_run(directory: Path, server: Server, name: str, *options: str) -> Process:
    where = ("--base-url", server.url, "--model", "deepseek-flash", "--out", name)
    return started(directory, "run", "topics.jsonl", *where, "-y", "-q", *options)


def outputs(directory: Path, name: str) -> dict[str, Any]:
    return {
        row["topic_id"]: (row["status"], row["output"])
        for row in rows_of(directory / name / "results.jsonl")
    }


def test_three_processes_over_the_same_topics_pay_what_one_pays(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for directory in (alone, together):
        directory.mkdir()
        write_topics(directory, TOPICS)
    with a_server("uniform:0.05:0.4") as server:
        code, said = ended(a_run(alone, server, "out"))
        paid_by_one = server.seen
    assert code == 0, said

    with a_server("uniform:0.05:0.4") as server:
        processes = [a_run(together, server, f"out{number}") for number in range(3)]
        ends = [ended(process) for process in processes]
        paid_by_three = server.seen

    assert [code for code, _ in ends] == [0, 0, 0], ends
    assert paid_by_one <= paid_by_three <= 1.05 * paid_by_one
    expected = outputs(alone, "out")
    assert len(expected) == TOPICS
    assert [outputs(together, f"out{number}") for number in range(3)] == [expected] * 3
    spans = [
        span for number in range(3) for span in rows_of(together / f"out{number}" / "traces.jsonl")
    ]
    assert "shared" in {span["served"]["source"] for span in spans}
    with journal(together / ".harness" / "cache.db") as database:
        assert database.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    assert not list((together / ".harness").glob("*-owner-*"))


def two_runs(directory: Path, server: Server, *options: str) -> tuple[Process, Process]:
    """One that waits for a slow server, and one that waits for the first."""
    write_topics(directory, TOPICS)
    owner = a_run(directory, server, "first")
    until(lambda: server.seen == TOPICS, owner)
    waiter = a_run(directory, server, "second", *options)
    until((directory / "second" / "run.json").exists, waiter)
    time.sleep(1.0)
    return owner, waiter


def test_the_leases_of_a_killed_process_are_taken_over_within_two_seconds(tmp_path: Path) -> None:
    with a_server("fixed:60") as server:
        owner, waiter = two_runs(tmp_path, server)
        try:
            assert server.seen == TOPICS, "the second run asked for what the first was asking"
            owner.kill()
            killed_at = time.monotonic()
            until(lambda: server.seen == 2 * TOPICS, waiter)
            took_s = time.monotonic() - killed_at
        finally:
            waiter.kill()
            ended(waiter)
            ended(owner)
    assert server.seen == 2 * TOPICS
    assert took_s < 2.0


def test_a_process_that_is_stopped_for_good_is_waited_for_no_longer_than_a_call_and_an_outage_may_take(
    tmp_path: Path,
) -> None:
    with a_server("fixed:60") as server:
        owner, waiter = two_runs(tmp_path, server, "--total-timeout", "3", "--patience", "0")
        try:
            assert server.seen == TOPICS
            owner.send_signal(signal.SIGSTOP)
            until(lambda: server.seen == 2 * TOPICS, waiter)
        finally:
            for process in (waiter, owner):
                process.kill()
                ended(process)
    assert server.seen == 2 * TOPICS


def test_a_run_that_is_interrupted_while_it_waits_for_another_ends_at_once(tmp_path: Path) -> None:
    with a_server("fixed:60") as server:
        owner, waiter = two_runs(tmp_path, server)
        try:
            waiter.send_signal(signal.SIGINT)
            interrupted_at = time.monotonic()
            code, said = ended(waiter)
            took_s = time.monotonic() - interrupted_at
        finally:
            owner.kill()
            ended(owner)
    assert (code, server.seen) == (130, TOPICS), said
    assert took_s < 3.0
