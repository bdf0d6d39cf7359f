"""A run read in slices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_runs import Told, a_failed_topic, a_topic, append, write_run

from harness.errors import ResultsError
from harness.records.run import Run
from harness.report.reading import RunReader
from harness.report.topic_index import TopicIndex
from harness.report.topic_query import Query
from harness.report.watching import WatchedDirectory, WatchedRun

NO_TIME, ALL_THE_TIME = 0.0, float("inf")
MANY = 1_200
"""More than one slice reads."""


@pytest.fixture
def index() -> Iterator[TopicIndex]:
    opened = TopicIndex()
    yield opened
    opened.close()


def shown(index: TopicIndex, run: WatchedRun) -> list[tuple[str, str, int | None]]:
    found = index.window([run.table], Query(), start=0, most=10_000)
    cells = [(row["id"], row["cells"][0]) for row in found["rows"]]
    return [(topic_id, cell["status"], cell["retries"]) for topic_id, cell in cells]


def with_totals(path: Path) -> Path:
    """Let the run say what it came to, as one does that ended."""
    manifest = json.loads((path / "run.json").read_text())
    totals = {**Run.open(path).standing.totals.as_json(), "unfinished": 0, "wall_s": 8.0}
    (path / "run.json").write_text(json.dumps({**manifest, "totals": totals}))
    return path


def test_slices_read_all_rows_and_then_all_calls(tmp_path: Path, index: TopicIndex) -> None:
    table = index.new_table()
    reader = RunReader(write_run(tmp_path / "run", [a_topic(n) for n in range(MANY)]), table)
    slices, shares = 0, []
    while not reader.read_rows(NO_TIME):
        slices += 1
        shares.append(reader.share())
    while not reader.read_calls(NO_TIME):
        shares.append(reader.share())
    assert slices == 2
    assert shares == sorted(shares)
    assert reader.share() == 1.0
    assert reader.digest.calls == 2 * MANY
    assert index.window([table], Query(), start=0, most=1)["counts"] == {"all": MANY, "ok": MANY}


def test_a_page_shows_what_is_read_so_far_and_the_sums_that_the_run_tells(
    tmp_path: Path, index: TopicIndex
) -> None:
    path = with_totals(write_run(tmp_path / "run", [a_topic(n) for n in range(MANY)]))
    run = WatchedRun(path, index.new_table())
    run.read_on(NO_TIME)
    assert len(shown(index, run)) == 500
    assert {retries for _, _, retries in shown(index, run)} == {None}
    summary = run.shown()
    assert 0 < summary["reading"] < 0.5
    assert not summary["rows_read"]
    assert summary["totals"]["ok"] == MANY
    assert summary["state"]["word"] == "complete"
    assert summary["steps"] == []
    while not run.read_on(NO_TIME, patient=True):
        pass
    summary = run.shown()
    assert summary["reading"] is None
    assert [step["calls"] for step in summary["steps"]] == [MANY, MANY]
    assert shown(index, run) == [(f"t{n}", "ok", 1) for n in range(MANY)]


def test_a_run_that_does_not_tell_its_sums_shows_those_of_what_is_read(
    tmp_path: Path, index: TopicIndex
) -> None:
    path = write_run(tmp_path / "run", [a_topic(n) for n in range(MANY)], status="running")
    run = WatchedRun(path, index.new_table())
    run.read_on(NO_TIME)
    totals = run.shown()["totals"]
    assert (totals["ok"], totals["unfinished"]) == (500, 0)


def test_a_topic_opens_before_its_calls_were_met(tmp_path: Path, index: TopicIndex) -> None:
    path = write_run(tmp_path / "run", [a_topic(n) for n in range(4)])
    table = index.new_table()
    reader = RunReader(path, table)
    reader.read_rows(ALL_THE_TIME)
    early = reader.topic(2)
    reader.read_calls(ALL_THE_TIME)
    late = reader.topic(2)
    assert early is not None
    assert late is not None
    assert (early.result, early.calls) == (late.result, late.calls)
    assert len(late.calls) == 2
    assert reader.topic(4) is None


def test_what_came_is_read_on_and_a_topic_that_is_run_again_begins_all_anew(
    tmp_path: Path, index: TopicIndex
) -> None:
    path = write_run(tmp_path / "run", [a_failed_topic(0), a_topic(1)])
    run = WatchedRun(path, index.new_table())
    run.read_on()
    before = run.stamp()
    append(path, [a_topic(2)])
    run.read_on()
    assert run.stamp() != before
    assert [status for _, status, _ in shown(index, run)] == ["failed", "ok", "ok"]
    again = a_topic(0)
    append(path, [Told(again.result, again.calls, session=2)])
    run.read_on()
    summary = run.shown()
    assert [status for _, status, _ in shown(index, run)] == ["ok", "ok", "ok"]
    assert [step["calls"] for step in summary["steps"]] == [3, 3]
    # The cause keeps its number; the page leaves out what has no topic.
    assert [cause["count"] for cause in summary["troubles"]["failed"]] == [0]


def test_nothing_that_was_read_is_lost_before_a_damaged_row(
    tmp_path: Path, index: TopicIndex
) -> None:
    path = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    whole = (path / "results.jsonl").read_text()
    first, second = whole.splitlines(keepends=True)
    (path / "results.jsonl").write_text(first + "not a row\n")
    run = WatchedRun(path, index.new_table())
    run.read_on()
    with pytest.raises(ResultsError, match="not a row"):
        run.shown()
    assert [topic_id for topic_id, _, _ in shown(index, run)] == ["t0"]
    with (path / "results.jsonl").open("w") as file:
        file.write(first + second)
    run.read_on()
    assert run.shown()["totals"]["ok"] == 2


@pytest.mark.parametrize("changes", [{}, {"status": "interrupted"}])
def test_the_list_does_not_read_the_rows_of_a_run_that_tells_its_sums(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = with_totals(write_run(tmp_path / "runs" / "night", [a_topic(0), a_topic(1)], **changes))
    (path / "results.jsonl").write_text("not a row\n")
    watched = WatchedDirectory(tmp_path / "runs")
    assert watched.read_on(ALL_THE_TIME)
    (line,) = watched.listing()["runs"]
    assert (line["ok"], line["unfinished"], line["cost"]) == (2, 0, 0.5)
    watched.index.close()


def test_files_that_were_replaced_are_read_anew_and_the_page_says_so(
    tmp_path: Path, index: TopicIndex
) -> None:
    path = write_run(tmp_path / "run", [a_topic(0)], status="running")
    run = WatchedRun(path, index.new_table())
    run.read_on()
    assert run.shown()["reading"] is None
    other = write_run(tmp_path / "other", [a_topic(n) for n in range(MANY)], status="running")
    for name in ("traces.jsonl", "results.jsonl"):
        (other / name).replace(path / name)
    run.read_on(NO_TIME)
    assert run.shown()["reading"] < 1
    while not run.read_on(NO_TIME, patient=True) or run.shown()["reading"] is not None:
        pass
    assert [step["calls"] for step in run.shown()["steps"]] == [MANY, MANY]
    assert len(shown(index, run)) == MANY
