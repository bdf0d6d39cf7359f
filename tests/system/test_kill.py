"""Killed at any moment, as often as you like: each topic ends once, and nothing that was finished
is asked again.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Server, done, ended, executed, journal, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

TOPICS = 6
LIMITS = ("--in-flight", "8", "--runs", "4")
# How an answer came, when, and what the provider's own cache made of a prompt that it had seen
# before.
OF_THE_MOMENT = {
    "run_id",
    "session",
    "started_at",
    "elapsed_s",
    "sequential_s",
    "cost",
    "saved",
    "hits",
}


def a_server() -> Server:
    faults = FaultPlan.random({Fault.SERVER_ERROR: 0.04, Fault.RATE_AFTER_MS: 0.04})
    return Server(
        FakeDeepSeek(latency=Latency.parse("uniform:0.03:0.12"), faults=faults, delta_tokens=50)
    )


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    usage = {name: tokens for name, tokens in row["usage"].items() if name != "cached_tokens"}
    # Each test has a server of its own.
    answers = [{**one, "endpoint": "the server"} for one in row["answered_by"]]
    kept = {name: value for name, value in row.items() if name not in OF_THE_MOMENT}
    return {**kept, "usage": usage, "answered_by": answers}


def results_of(directory: Path) -> list[dict[str, Any]]:
    return sorted(
        map(lasting, rows_of(directory / "out" / "results.jsonl")), key=lambda row: row["index"]
    )


def calls_of(directory: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    rows = rows_of(directory / "out" / "traces.jsonl")
    calls: dict[tuple[str, str], tuple[str, ...]] = {
        (row["topic_id"], row["id"]): (
            str(row["request"]["messages"]),
            row["reasoning"],
            row["content"],
        )
        for row in rows
    }
    assert len(calls) == len(rows)
    return calls


def run_undisturbed(directory: Path) -> None:
    directory.mkdir()
    write_topics(directory, TOPICS)
    with a_server() as server:
        code, said = done(
            directory, "run", "topics.jsonl", "--base-url", server.url, "--model", "deepseek-flash", "--out", "out",
            "-y", "-q", *LIMITS,
        )  # fmt: skip
    assert code == 0, said


def test_killed_and_resumed_until_done_equals_an_undisturbed_run(tmp_path: Path) -> None:
    run_undisturbed(tmp_path / "calm")
    draw = random.Random(20261116)
    here = tmp_path / "killed"
    here.mkdir()
    write_topics(here, TOPICS)

    with a_server() as server:
        run = (
            "run",
            "topics.jsonl",
            "--base-url",
            server.url,
            "--model",
            "deepseek-flash",
            "--out",
            "out",
        )
        # The first two die while they start, the others while they work.
        for life in range(7):
            starts = executed if life < 2 else started
            process = starts(here, *run, "-y", "-q", *LIMITS)
            if life < 2:
                time.sleep(draw.uniform(0.3, 0.9))
            else:
                goal = server.seen + draw.randint(1, 9)
                until(lambda goal=goal: server.seen >= goal, process)  # type: ignore[misc]
                time.sleep(draw.uniform(0.0, 0.1))
            process.kill()
            ended(process)
        code, said = done(here, "resume", "out", "-q")
        seen = server.seen
    assert code == 0, said

    assert results_of(here) == results_of(tmp_path / "calm")
    assert calls_of(here) == calls_of(tmp_path / "calm")
    assert [row["topic_id"] for row in results_of(here)] == [
        f"topic-{index}" for index in range(TOPICS)
    ]
    with journal(here / ".harness" / "cache.db") as database:
        (paid_twice,) = database.execute(
            "SELECT count(*) FROM (SELECT 1 FROM calls WHERE outcome = 'stored' GROUP BY key HAVING"
            " count(*) > 1)"
        ).fetchone()
        rows, left_open, cost = database.execute(
            "SELECT count(*), count(*) FILTER (WHERE outcome = 'open'), sum(cost) FROM calls"
        ).fetchone()
    assert paid_twice == 0
    # Each request was noted before it left; one that was noted and killed may not have left.
    assert rows - left_open <= seen <= rows
    assert left_open > 0
    paid = sum(row["cost"] for row in rows_of(here / "out" / "results.jsonl"))
    assert paid == pytest.approx(cost, abs=1e-9)


def test_one_directory_has_one_run_at_a_time(tmp_path: Path) -> None:
    write_topics(tmp_path, 2)
    run = (
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--latency",
        "fixed:60",
        "--out",
        "out",
        "-y",
        "-q",
    )
    first = started(tmp_path, *run)
    try:
        until((tmp_path / "out" / "run.json").exists)

        code, said = done(tmp_path, *run)
    finally:
        first.kill()
        ended(first)

    assert code == 2
    assert "error: out: in use by another process" in said


def test_three_processes_share_a_cache_without_a_lock_error(tmp_path: Path) -> None:
    write_topics(tmp_path, 20)
    with Server(
        FakeDeepSeek(latency=Latency.parse("uniform:0.01:0.05"), delta_tokens=50)
    ) as server:
        where = ("--base-url", server.url, "--model", "deepseek-flash", "-y", "-q")
        processes = [
            started(tmp_path, "run", "topics.jsonl", *where, "--out", f"out{n}") for n in range(3)
        ]
        outcomes = [ended(process) for process in processes]

    assert [code for code, _ in outcomes] == [0, 0, 0], outcomes
    first, *others = [
        sorted(map(lasting, rows_of(tmp_path / f"out{n}" / "results.jsonl")), key=str)
        for n in range(3)
    ]
    assert len(first) == 20
    assert others == [first, first]
