"""A provider that goes away amid a run of real processes, in each way that it can; and runs that
end meanwhile.

`HARNESS_OUTAGE_S=75 pytest tests/system/test_outages.py -s` does it with outages as long as real
ones, and prints what they cost.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from away_server import AwayServer, Kind, away_server
from processes import Process, done, rows_of, started, until, write_topics

OUTAGE_S = float(os.environ.get("HARNESS_OUTAGE_S", "3"))
LONG = OUTAGE_S > 30
"""Then a hang is noticed by the silence of all calls, in two minutes; else by short time-outs."""
FOR_GOOD_S = 3600.0
"""Until it is told to come back."""
TOPICS = 60
SIZES = ((4, 32), (64, TOPICS))
"""Calls in flight, and topics."""
ENDED_S = 60.0 if not LONG else 900.0

pytestmark = [pytest.mark.system, pytest.mark.timeout(150 if not LONG else 1000)]

KINDS: tuple[Kind, ...] = ("503", "502 HTML", "500", "refused", "reset", "429", "hang", "loading")
WORKFLOW = (
    'async def ask(step, topic):\n    return (await step.complete("ask", topic.text)).content\n'
)


def run_at(url: str, *more: str) -> tuple[str, ...]:
    where = ("--base-url", url, "--model", "m", "--workflow", "flow.py:ask")
    return ("run", "topics.jsonl", *where, "--out", "out", "-y", "-q", *more)


def a_place(directory: Path, topics: int = TOPICS) -> Path:
    directory.mkdir(exist_ok=True)
    write_topics(directory, topics)
    (directory / "flow.py").write_text(WORKFLOW)
    return directory


@dataclass
class Run:
    """One run through one outage."""

    kind: Kind
    in_flight: int
    directory: Path
    server: AwayServer
    process: Process

    @property
    def statuses(self) -> list[str]:
        return [row["status"] for row in rows_of(self.directory / "out" / "results.jsonl")]


def seconds_away(kind: Kind) -> float:
    """How long a server is away. One that hangs is not heard to be away before a time-out."""
    if LONG:
        return 25.0 if kind == "loading" else OUTAGE_S
    return OUTAGE_S + 1 if kind == "hang" else OUTAGE_S


def side_by_side(directory: Path, stack: ExitStack) -> Iterator[Run]:
    """Start a run for each kind and each number of calls in flight. The server is away from its
    20th request on, or from the first at a cold start.
    """
    servers: list[tuple[Kind, int, Path, AwayServer]] = []
    for in_flight, topics in SIZES:
        for kind in KINDS:
            place = a_place(directory / f"{kind} {in_flight}".replace(" ", "-"), topics)
            after = 1 if kind == "loading" else 20
            away = away_server(place, kind, after=after, seconds=seconds_away(kind))
            servers.append((kind, in_flight, place, stack.enter_context(away)))
    for kind, in_flight, place, server in servers:
        # A server that hangs is else noticed after two minutes.
        hasty = (
            ("--first-token-timeout", "2", "--idle-timeout", "2")
            if kind == "hang" and not LONG
            else ()
        )
        process = started(place, *run_at(server.url, "--in-flight", str(in_flight), *hasty))
        stack.callback(process.kill)
        yield Run(kind, in_flight, place, server, process)


def told(run: Run, said: str) -> str:
    """What an outage cost: a line for each run."""
    seen = run.server.seen()
    first_away, last_away = min(seen.away), max(seen.away)
    after = min((at for at in seen.served if at > last_away), default=float("nan"))
    return (
        f"{run.in_flight} in flight, {run.kind}: {run.statuses.count('ok')} of"
        f" {len(run.statuses)} ok, {len(seen.away)} requests while it was away, served again"
        f" {after - first_away:.1f} s after it went\n{said}"
    )


def test_an_outage_in_the_middle_of_a_run_fails_no_topic(tmp_path: Path) -> None:
    topics = dict(SIZES)
    with ExitStack() as stack:
        runs = list(side_by_side(tmp_path, stack))
        for run in runs:
            run.server.come_back()
        for run in runs:
            said, complained = run.process.communicate(timeout=ENDED_S)
            code, story = run.process.wait(0), told(run, said + complained)
            print(told(run, ""), end="")
            assert code == 0, story
            assert run.statuses == ["ok"] * topics[run.in_flight], story
            # A call is sent again, or waits: nothing is sent at the pace at which it fails.
            assert len(run.server.seen().away) <= 2 * run.in_flight + 12, story


def test_after_the_patience_nothing_has_failed_and_resume_finishes(tmp_path: Path) -> None:
    place = a_place(tmp_path / "run")
    with away_server(place, "503", after=20, seconds=FOR_GOOD_S) as server:
        code, said = done(place, *run_at(server.url, "--in-flight", "4", "--patience", "2"))
        assert code == 3, said
        rows = rows_of(place / "out" / "results.jsonl")
        assert {row["status"] for row in rows} == {"ok"}
        assert 15 <= len(rows) < TOPICS
        assert "Traceback" not in said
        server.come_back_now()
        code, said = done(place, "resume", "out", "-q")
        assert code == 0, said
    rows = rows_of(place / "out" / "results.jsonl")
    assert [row["status"] for row in rows] == ["ok"] * TOPICS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_the_provider(number: signal.Signals, tmp_path: Path) -> None:
    place = a_place(tmp_path / "run")
    with away_server(place, "503", after=20, seconds=FOR_GOOD_S) as server:
        process = started(place, *run_at(server.url, "--in-flight", "4"))
        # The first failure, and two probes.
        until(lambda: len(server.seen().away) >= 3, process)
        at = time.monotonic()
        process.send_signal(number)
        said, complained = process.communicate(timeout=ENDED_S)
        took_s = time.monotonic() - at
        assert process.returncode == 130, said + complained
        assert took_s < 2.0
        rows = rows_of(place / "out" / "results.jsonl")
        assert {row["status"] for row in rows} == {"ok"}
        assert len(rows) < TOPICS

        # The next session waits out what is left of it.
        before = len(server.seen().away)
        process = started(place, "resume", "out", "-q")
        until(lambda: len(server.seen().away) >= before + 3, process)
        server.come_back_now()
        said, complained = process.communicate(timeout=ENDED_S)
        assert process.wait(0) == 0, said + complained
    assert [row["status"] for row in rows_of(place / "out" / "results.jsonl")] == ["ok"] * TOPICS


def test_forty_two_equal_refusals_end_the_run(tmp_path: Path) -> None:
    place = a_place(tmp_path / "run")
    write_topics(place, 42)
    with away_server(place, "400", after=1, seconds=FOR_GOOD_S) as server:
        code, said = done(place, *run_at(server.url, "--in-flight", "1"))
        assert len(server.seen().away) <= 5
    assert code == 3, said
    assert len(rows_of(place / "out" / "results.jsonl")) <= 5
    assert "I will not do that" in said
    assert "doctor" in said
