"""What a budget costs in time, and what is said of answers whose server counts nothing; whole runs
on virtual time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from batches import a_topic_file, clear, loaded, manifest_of, rows_of, run

from harness.cli.summary import summary_of
from harness.render.plain import plain
from harness.runs.estimating import estimate_batch
from harness.runs.session import Report
from harness.testing import FakeDeepSeek, FakeTransport
from harness.testing.virtual_time import EPOCH, VirtualClock, run_virtual

WEATHER: dict[str, Any] = {"latency": "lognormal:8:0.5", "faults": "reset=0.02", "in_flight": 32}


def played(directory: Path, source: Path, **settings: Any) -> Report:
    """A run on a virtual clock of its own, in a directory that is empty again after it."""
    report = run_virtual(lambda: run(directory, source, **settings))
    clear(directory)
    return report


@pytest.mark.parametrize("seed", [5])
def test_likely_reservations_with_twice_the_cost_take_hardly_longer_than_no_budget(
    tmp_path: Path, seed: int
) -> None:
    source = a_topic_file(tmp_path, 60)
    free = played(tmp_path, source, seed=seed, **WEATHER)
    budget = 2 * free.spent.cost

    likely = played(tmp_path, source, seed=seed, budget=budget, budget_reserve="likely", **WEATHER)

    assert (likely.totals["ok"], likely.stop) == (60, None)
    assert likely.wall_s <= 1.1 * free.wall_s
    assert likely.spent.cost + likely.spent.cost_at_risk <= budget


def test_the_summary_says_what_strict_reservations_cost_and_what_gives_it_back(
    tmp_path: Path,
) -> None:
    source = a_topic_file(tmp_path, 30)
    calm = {**WEATHER, "faults": "none"}
    free = played(tmp_path, source, **calm)
    strict = run_virtual(lambda: run(tmp_path, source, budget=0.2, **calm))

    assert strict.totals["ok"] == 30
    # What is said to be lost is what the run took longer, but for the order of its calls.
    assert strict.reservations.lost_s == pytest.approx(strict.wall_s - free.wall_s, rel=0.25)
    said = plain([summary_of(strict, loaded(tmp_path, budget=0.2).settings)])
    assert (
        f"{strict.reservations.lost_s:,.0f} s of the {strict.wall_s:,.0f} s went by waiting for"
        " money" in said
    )
    assert "a lower max_tokens or --budget-reserve likely gives them back" in said
    assert manifest_of(tmp_path)["session_log"][0]["reservations"]["lost_s"] > 0
    wanted = strict.spent.cost + strict.reservations.wanted_cost
    clear(tmp_path)
    enough = played(tmp_path, source, budget=wanted, **calm)
    assert enough.wall_s <= 1.01 * free.wall_s


class Noon:
    """The virtual clock's first moment."""

    now = staticmethod(lambda: EPOCH)


@pytest.mark.parametrize(("topics", "in_flight"), [(20, 8)])
def test_the_budget_that_an_estimate_names_slows_nothing_and_a_lower_one_does(
    tmp_path: Path, topics: int, in_flight: int
) -> None:
    source = a_topic_file(tmp_path, topics)
    settings: dict[str, Any] = {"latency": "per-token:1:0.02", "in_flight": in_flight}
    found = estimate_batch(loaded(tmp_path, **settings), str(source), Noon(), budgets=True)
    assert found.budgets is not None

    free = played(tmp_path, source, **settings)
    enough = played(tmp_path, source, budget=found.budgets.enough, **settings)
    lower = played(tmp_path, source, budget=0.6 * found.budgets.enough, **settings)

    assert enough.reservations.lost_s == 0.0
    # Another order of the calls may make it a little longer, or shorter.
    assert enough.wall_s <= 1.02 * free.wall_s
    assert lower.wall_s > 1.1 * free.wall_s


class Uncounted(httpx2.AsyncBaseTransport):
    """The fake DeepSeek, as a server that never tells what it used."""

    def __init__(self, clock: VirtualClock) -> None:
        self._fake = FakeTransport(FakeDeepSeek(clock=clock, delta_tokens=50))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._fake.handle_async_request(request)
        lines = (await response.aread()).decode().split("\n")
        headers = {"content-type": response.headers["content-type"]}
        return httpx2.Response(
            response.status_code,
            headers=headers,
            content="\n".join(map(_uncounted, lines)).encode(),
        )


def _uncounted(line: str) -> str:
    if not line.startswith("data: {"):
        return line
    chunk = json.loads(line.removeprefix("data: "))
    chunk.pop("usage", None)
    return f"data: {json.dumps(chunk)}"


@pytest.mark.harness_virtual_time
async def test_tokens_that_a_server_does_not_tell_are_neither_zero_nor_used(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 4)
    report = await run(
        tmp_path, source, transport=Uncounted(VirtualClock()), budget_tokens=2_000_000
    )

    rows, calls = rows_of(tmp_path), rows_of(tmp_path, "traces")
    assert report.totals["ok"] == 4
    assert all(row["usage"]["untold"] == row["calls"] and row["cost"] is None for row in rows)
    assert all(call["usage"]["untold"] == 1 for call in calls)
    assert report.spent.untold == report.totals["calls"] == report.totals["usage"]["untold"]
    said = plain([summary_of(report, loaded(tmp_path, budget_tokens=2_000_000).settings)])
    assert f"tokens    not told by the server for {report.spent.untold} answers\n" in said
    assert "→ --no-stream may make the server tell them" in said
    assert "cost      not known: the server told no usage\n" in said
    assert (
        f"{report.spent.tokens_untold:,} reserved for {report.spent.untold} answers, not told by"
        " the server" in said
    )
