"""How a run goes on: with a file that grew, with some of its topics again, after a version that
knew less.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, lasting, loaded, manifest_of, rows_of, run

from harness.cli.summary import summary_of
from harness.domain.redo import Redo
from harness.errors import InputError, ResultsError
from harness.records.run import read_results
from harness.render.plain import plain

pytestmark = pytest.mark.harness_virtual_time

DEGRADED = """
from harness.domain.run import Output

async def ask(step, topic):
    answer = (await step.complete("ask", topic.text)).content
    half = topic.metadata["number"] % 2 and not step.settings.get("mended")
    return Output(value=answer, degraded="the other half is missing" if half else None)
"""


def lines(*numbers: int) -> str:
    return "".join(
        json.dumps({"id": f"t{n}", "topic": f"Invention {n}", "number": n}) + "\n" for n in numbers
    )


def a_file(directory: Path, *numbers: int) -> Path:
    path = directory / "topics.jsonl"
    path.write_text(lines(*numbers))
    return path


def indexes(directory: Path) -> dict[str, int]:
    return {row["topic_id"]: row["index"] for row in rows_of(directory)}


# A dataset that grew


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"filter": ("number!=1",)},
        {"samples": 2},
        {"shuffle": 5},
        {"shuffle": 5, "filter": ("number!=7",)},
    ],
    ids=str,
)
async def test_a_file_that_grew_at_its_end_goes_on_and_may_grow_again(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    source = a_file(tmp_path, *range(4))
    first = await run(tmp_path, source, **settings)
    before = rows_of(tmp_path)
    counts = [first.totals["rows"]]
    for end in (7, 9):
        a_file(tmp_path, *range(end))
        report = await run(tmp_path, source, **settings)
        assert (report.exit_code, report.unfinished) == (0, 0)
        # Only the new topics were run.
        assert report.session.done == report.totals["rows"] - counts[-1] > 0
        counts.append(report.totals["rows"])

    assert rows_of(tmp_path)[: len(before)] == before
    places = sorted(indexes(tmp_path).values())
    assert places == list(range(counts[-1]))
    assert manifest_of(tmp_path)["dataset"]["grown_after"] == [4, 7]
    again = await run(tmp_path, source, **settings)
    assert again.session.totals.calls == 0


async def test_a_shuffled_file_that_grew_reads_the_new_lines_after_the_old_ones(
    tmp_path: Path,
) -> None:
    source = a_file(tmp_path, *range(5))
    await run(tmp_path, source, shuffle=3)
    old = indexes(tmp_path)
    a_file(tmp_path, *range(12))
    await run(tmp_path, source, shuffle=3)

    assert {name: index for name, index in indexes(tmp_path).items() if name in old} == old
    assert sorted(index for name, index in indexes(tmp_path).items() if name not in old) == list(
        range(5, 12)
    )
    new = sorted(set(indexes(tmp_path)) - set(old), key=indexes(tmp_path).__getitem__)
    assert new != sorted(new, key=lambda name: int(name[1:]))


async def test_a_limit_goes_on_taking_the_first_and_says_why_nothing_is_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = a_file(tmp_path, *range(4))
    await run(tmp_path, source, limit=3)
    a_file(tmp_path, *range(6))

    with caplog.at_level("WARNING", logger="harness"):
        same = await run(tmp_path, source, limit=3)
    more = await run(tmp_path, source, limit=5)

    assert (
        "has 2 new lines at its end: none of them is a topic of this run: --limit 3 takes the"
        " first 3" in caplog.text
    )
    assert (same.session.done, same.totals["rows"]) == (0, 3)
    assert (more.session.done, sorted(indexes(tmp_path))) == (2, ["t0", "t1", "t2", "t3", "t4"])


async def test_what_is_no_change_of_a_line_is_none(tmp_path: Path) -> None:
    source = a_file(tmp_path, *range(3))
    await run(tmp_path, source)
    for text in (
        lines(0, 1, 2).rstrip(),
        "\ufeff" + lines(0, 1, 2).replace("\n", "\r\n"),
        lines(0, 1, 2) + "\n\n",
        lines(0, 1, 2),
    ):
        source.write_text(text)
        report = await run(tmp_path, source)
        assert (report.exit_code, report.session.done, report.totals["rows"]) == (0, 0, 3)
    source.write_text(lines(0, 1, 2) + "\n \n" + lines(3))
    assert (await run(tmp_path, source)).session.done == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lines(0, 1, 9, 3), 'line 3 was changed; line 3 is now {"id": "t9"'),
        (
            lines(0, 1, 9, 3, 4),
            "lines were changed, the first of them line 3, and the file has 1 line more",
        ),
        (lines(0), "the file has 3 lines fewer"),
        (lines(0, 3), "lines 2 to 3 were removed"),
        (lines(8, 0, 1, 2, 3), "1 line was put in before line 1"),
        (lines(0, 1, 2) + lines(3).rstrip() + " ", "line 4 was changed"),
        (lines(0, 1, 2) + lines(3).rstrip() + lines(4), "line 4 was changed"),
    ],
)
async def test_any_other_change_of_the_file_is_refused_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    source = a_file(tmp_path, *range(4))
    await run(tmp_path, source)
    before = manifest_of(tmp_path)
    source.write_text(text)

    with pytest.raises(ResultsError) as refused:
        await run(tmp_path, source, skip_bad=True)

    assert said in str(refused.value)
    assert "with a new --out DIR: what the cache has costs nothing there" in str(refused.value)
    assert manifest_of(tmp_path) == before


async def test_a_run_of_a_version_that_kept_no_lines_refuses_a_file_that_grew_and_goes_on_with_the_old_one(
    tmp_path: Path,
) -> None:
    source = a_file(tmp_path, *range(3))
    await run(tmp_path, source)
    (tmp_path / "out" / "dataset.lines").unlink()
    a_file(tmp_path, *range(4))
    with pytest.raises(ResultsError, match="which was changed; only lines at its end may be new"):
        await run(tmp_path, source)

    a_file(tmp_path, *range(3))
    await run(tmp_path, source)
    a_file(tmp_path, *range(4))
    assert (await run(tmp_path, source)).session.done == 1


async def test_topics_that_were_piped_in_may_grow_and_the_copy_grows_with_them(
    tmp_path: Path,
) -> None:
    loop = asyncio.get_running_loop()
    for name, numbers in (("one", range(2)), ("two", range(4))):
        pipe = tmp_path / name
        __import__("os").mkfifo(pipe)
        filling = loop.run_in_executor(None, pipe.write_text, lines(*numbers))
        report = await run(tmp_path, pipe)
        await filling
    assert (report.session.done, report.totals["rows"]) == (2, 4)
    assert (tmp_path / "out" / "dataset.jsonl").read_text() == lines(0, 1, 2, 3)
    assert manifest_of(tmp_path)["dataset"]["kept"] == "dataset.jsonl"


# Topics that are run again


async def a_run_with_holes(directory: Path) -> tuple[Path, str]:
    """Six topics: the odd ones are degraded."""
    (directory / "own.py").write_text(DEGRADED)
    source = a_file(directory, *range(6))
    report = await run(directory, source, workflow=f"{directory / 'own.py'}:ask")
    assert (report.totals["ok"], report.totals["degraded"]) == (3, 3)
    return source, f"{directory / 'own.py'}:ask"


def mend(directory: Path) -> None:
    (directory / "own.py").write_text(DEGRADED.replace('topic.metadata["number"] % 2', "False"))


async def test_degraded_topics_stay_unless_they_are_asked_for(tmp_path: Path) -> None:
    source, workflow = await a_run_with_holes(tmp_path)
    mend(tmp_path)
    report = await run(tmp_path, source, workflow=workflow)
    assert (report.session.done, report.totals["degraded"]) == (0, 3)


async def test_a_degraded_topic_that_is_done_again_takes_the_place_of_its_row(
    tmp_path: Path,
) -> None:
    source, workflow = await a_run_with_holes(tmp_path)
    mend(tmp_path)
    report = await run(tmp_path, source, workflow=workflow, redo=Redo(states=("degraded",)))

    assert report.exit_code == 0
    assert (report.session.done, report.totals["rows"], report.totals["ok"]) == (3, 6, 6)
    rows = {row["topic_id"]: row for row in rows_of(tmp_path)}
    assert [rows[f"t{n}"]["session"] for n in range(6)] == [1, 2, 1, 2, 1, 2]
    assert len(rows_of(tmp_path)) == len(rows_of(tmp_path, "traces")) == 6
    sums = report.totals
    assert sums["cost"] == pytest.approx(sum(row["cost"] for row in rows.values()))
    assert sums["calls"] == sum(row["calls"] for row in rows.values()) == 6
    # What was answered before came from the cache: nothing was paid twice.
    assert report.session.totals.hits == 3


async def test_a_redo_that_is_killed_half_way_leaves_the_old_rows(tmp_path: Path) -> None:
    source, workflow = await a_run_with_holes(tmp_path)
    old = {row["topic_id"]: row for row in rows_of(tmp_path)}
    mend(tmp_path)
    again: dict[str, Any] = {
        "workflow": workflow,
        "redo": Redo(states=("degraded",)),
        "cache_mode": "off",
        "latency": "fixed:10",
        "runs": 1,
    }
    task = asyncio.create_task(run(tmp_path, source, **again))
    await asyncio.sleep(15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    counted = {row["topic_id"]: row for row in read_results(tmp_path / "out")}
    assert {name: row["status"] for name, row in counted.items()} == {
        **dict.fromkeys(("t0", "t1", "t2", "t4"), "ok"),
        **dict.fromkeys(("t3", "t5"), "degraded"),
    }
    assert counted["t3"] == old["t3"]
    assert manifest_of(tmp_path)["totals"]["degraded"] == 2

    report = await run(tmp_path, source, **again)
    assert (report.session.done, report.totals["ok"], report.totals["rows"]) == (2, 6, 6)


async def test_one_topic_is_run_again_by_its_name_and_the_rest_stays(tmp_path: Path) -> None:
    source, workflow = await a_run_with_holes(tmp_path)
    mend(tmp_path)
    redo = Redo(states=("failed", "degraded", "unfinished"), topics=("t3", "t5"))
    report = await run(tmp_path, source, workflow=workflow, redo=redo)
    assert (report.session.done, report.totals["ok"], report.totals["degraded"]) == (2, 5, 1)


@pytest.mark.parametrize(
    ("redo", "said"),
    [
        (
            Redo(states=("failed", "degraded"), topics=("t33",)),
            "--topic 't33': there is no such topic; did you mean 't3'?",
        ),
        (
            Redo(states=("failed", "degraded"), topics=("xyz",)),
            "there is no such topic among those of the run",
        ),
        (
            Redo(states=("failed", "degraded", "unfinished"), topics=("t0",)),
            (
                "--topic 't0': it is ok, and only failed, degraded and unfinished topics are to be"
                " run again"
            ),
        ),
        (
            Redo(states=("failed",), topics=("t1",)),
            "it is degraded, and only failed topics are to be run again; add",
        ),
    ],
)
async def test_a_topic_that_cannot_be_run_again_is_named_and_nothing_is_begun(
    tmp_path: Path, redo: Redo, said: str
) -> None:
    source, workflow = await a_run_with_holes(tmp_path)
    before = manifest_of(tmp_path)
    with pytest.raises(InputError) as refused:
        await run(tmp_path, source, workflow=workflow, redo=redo)
    assert said in str(refused.value)
    assert manifest_of(tmp_path) == before


async def test_what_is_not_chosen_is_still_told_in_the_end(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 6)
    await run(tmp_path, source, limit=2, faults="empty-200=1", attempts=1, patience=0.0)
    assert [row["status"] for row in rows_of(tmp_path)] == ["failed", "failed"]

    report = await run(tmp_path, source, redo=Redo(states=("failed",)))

    assert (report.exit_code, report.unfinished, report.totals["failed"], report.session.done) == (
        1,
        4,
        0,
        2,
    )
    assert manifest_of(tmp_path)["status"] == "incomplete"
    assert "continue  harness resume" in plain([summary_of(report, loaded(tmp_path).settings)])


# Runs of versions before


async def test_a_run_in_which_bad_lines_are_failed_topics_goes_on_and_counts_them_no_more(
    tmp_path: Path,
) -> None:
    source = tmp_path / "topics.jsonl"
    source.write_text(lines(0) + '{"id": "x", "topic": null}\n\n' + lines(3))
    await run(tmp_path, source, skip_bad=True)
    fresh = rows_of(tmp_path)
    # As an earlier version left it: a row for each bad line and for each blank one, and nothing
    # about the lines.
    _make_old(tmp_path / "out", {1: "topics.jsonl:2", 2: "topics.jsonl:3"}, topics=4)
    assert [row["status"] for row in read_results(tmp_path / "out")].count("failed") == 2

    report = await run(tmp_path, source, skip_bad=True)

    assert (report.exit_code, report.session.done, report.totals["failed"], report.skipped) == (
        0,
        0,
        0,
        1,
    )
    assert lasting(rows_of(tmp_path)) == lasting(fresh)


def _make_old(out: Path, bad: dict[int, str], *, topics: int) -> None:
    row, *_ = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    nothing = {
        "calls": 0,
        "hits": 0,
        "cost": 0.0,
        "saved": 0.0,
        "usage": dict.fromkeys(row["usage"], 0),
        "output": None,
    }
    error = {
        "type": "DatasetError",
        "message": "no topic",
        "kind": None,
        "step": None,
        "status": None,
    }
    with (out / "results.jsonl").open("a") as file:
        for index, name in bad.items():
            failed = {
                **row,
                **nothing,
                "index": index,
                "topic_id": name,
                "topic": "",
                "status": "failed",
                "error": error,
            }
            file.write(json.dumps(failed) + "\n")
    manifest = json.loads((out / "run.json").read_text())
    known = {name: manifest["dataset"][name] for name in ("path", "kept", "sha256")}
    (out / "run.json").write_text(json.dumps({**manifest, "dataset": {**known, "topics": topics}}))
    (out / "dataset.lines").unlink()
