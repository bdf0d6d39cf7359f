from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from records import a_failed_result, a_result, a_span

from harness.errors import ResultsError, StorageError
from harness.records.directory_lock import LOCK_FILE
from harness.records.manifest import RUN_FILE, Manifest, read_manifest
from harness.records.results_dir import (
    RESULTS_FILE,
    TRACES_FILE,
    ResultsDir,
    is_running,
    read_standing,
)
from harness.records.run import read_results, read_spans


def a_manifest(known: Manifest | None) -> dict[str, Any]:
    if known is not None:
        return dict(known.json)
    return {
        "version": 1,
        "run_id": "run",
        "status": "running",
        "dataset": {"topics": 9},
        "identity": {},
        "settings": {},
    }


@contextmanager
def opened(path: Path, *, begin: bool = True) -> Iterator[ResultsDir]:
    results = ResultsDir.create_or_continue(path, a_manifest)
    try:
        if begin:
            results.begin()
        yield results
    finally:
        results.close()


async def write(results: ResultsDir, *indexes: int, failed: bool = False) -> None:
    make = a_failed_result if failed else a_result
    for index in indexes:
        await results.write(make(index), [a_span(f"t{index}", "one"), a_span(f"t{index}", "two")])


def rows_of(path: Path) -> list[tuple[str, int, str]]:
    return [(row["topic_id"], row["session"], row["status"]) for row in read_results(path)]


def calls_of(path: Path) -> list[tuple[str, int, str]]:
    return [(row["topic_id"], row["session"], row["id"]) for row in read_spans(path)]


async def test_a_run_that_goes_on_counts_its_sessions_and_keeps_its_rows(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0)
    with opened(tmp_path / "run") as results:
        assert results.standing.state(0) == "ok"
        await write(results, 1)

    assert rows_of(tmp_path / "run") == [("t0", 1, "ok"), ("t1", 2, "ok")]
    assert read_manifest(tmp_path / "run").sessions == 2


async def test_of_several_rows_of_a_topic_the_last_counts_with_its_calls(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0, failed=True)
    with opened(tmp_path / "run") as results:
        await write(results, 0)

    assert rows_of(tmp_path / "run") == [("t0", 2, "ok")]
    assert calls_of(tmp_path / "run") == [("t0", 2, "one"), ("t0", 2, "two")]
    assert list(read_spans(tmp_path / "run", "t1")) == []


async def test_finish_leaves_only_what_counts(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0, 1, failed=True)
    with opened(tmp_path / "run") as results:
        await write(results, 0)
        results.finish()
        await write(results, 2)
        results.finish()

    lines = (tmp_path / "run" / RESULTS_FILE).read_text().splitlines()
    assert [json.loads(line)["topic_id"] for line in lines] == ["t1", "t0", "t2"]
    assert len((tmp_path / "run" / TRACES_FILE).read_text().splitlines()) == 6


async def test_finish_finds_a_row_that_somebody_took_away(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0, 1)
        (tmp_path / "run" / RESULTS_FILE).write_text("")

        with pytest.raises(StorageError, match="2 rows were written and 0 are there"):
            results.finish()


async def test_a_topic_whose_row_was_torn_leaves_no_calls(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0, 1)
    results_file = tmp_path / "run" / RESULTS_FILE
    results_file.write_bytes(results_file.read_bytes()[:-5])

    with opened(tmp_path / "run") as results:
        assert results.standing.state(1) == "unfinished"

    assert results_file.read_bytes().endswith(b"\n")
    traces = [
        json.loads(line) for line in (tmp_path / "run" / TRACES_FILE).read_text().splitlines()
    ]
    assert [call["topic_id"] for call in traces] == ["t0", "t0"]


async def test_calls_of_an_earlier_failure_stay_until_the_topic_has_another_row(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0, failed=True)
    with opened(tmp_path / "run"):
        pass
    with opened(tmp_path / "run"):
        pass

    assert calls_of(tmp_path / "run") == [("t0", 1, "one"), ("t0", 1, "two")]


async def test_calls_without_their_row_are_taken_back_when_the_row_cannot_be_written(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0)
        (tmp_path / "run" / RESULTS_FILE).rename(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="deleted or replaced"):
            await write(results, 1)

    assert len((tmp_path / "run" / TRACES_FILE).read_text().splitlines()) == 2


async def test_a_directory_that_was_deleted_is_said_at_the_next_row(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        with opened(tmp_path / "run"):
            with pytest.raises(StorageError, match="deleted or replaced"):
                await write(results, 0)
            with pytest.raises(StorageError, match="deleted or replaced"):
                results.update({"status": "complete"})

    assert read_manifest(tmp_path / "run").status == "running"


def test_a_directory_in_use_is_an_error_that_says_so(tmp_path: Path) -> None:
    with opened(tmp_path / "run"):
        assert is_running(tmp_path / "run")
        with (
            pytest.raises(ResultsError, match="in use by another process"),
            opened(tmp_path / "run"),
        ):
            pass
    assert not is_running(tmp_path / "run")


def test_a_run_that_was_never_begun_leaves_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "results" / "run", begin=False):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_be_continued_is_left_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path / "run"):
        pass
    before = (tmp_path / "run" / RUN_FILE).read_bytes()

    def refuse(known: Manifest | None) -> dict[str, Any]:
        raise ResultsError("another dataset")

    with pytest.raises(ResultsError, match="another dataset"):
        ResultsDir.create_or_continue(tmp_path / "run", refuse)

    assert (tmp_path / "run" / RUN_FILE).read_bytes() == before
    with pytest.raises(ResultsError, match="another dataset"):
        ResultsDir.create_or_continue(tmp_path / "new", refuse)
    assert not (tmp_path / "new").exists()


def test_what_a_kill_leaves_before_the_run_has_begun_is_no_obstacle(tmp_path: Path) -> None:
    for name in (LOCK_FILE, "run.json.new", ".dataset.jsonl.part", "dataset.jsonl"):
        (tmp_path / name).write_text("half")

    with opened(tmp_path):
        pass

    assert read_manifest(tmp_path).sessions == 1


@pytest.mark.parametrize("names", [["notes.txt"], ["dataset.jsonl"], [LOCK_FILE, "notes.txt"]])
def test_a_directory_of_somebody_else_is_not_touched(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("mine")

    with pytest.raises(ResultsError, match="not a run of ours"), opened(tmp_path):
        pass

    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(names)


def test_a_directory_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(ResultsError, match="cannot be made: Not a directory"),
        opened(tmp_path / "file" / "run"),
    ):
        pass
    with (
        pytest.raises(ResultsError, match="cannot be made: File exists"),
        opened(tmp_path / "file"),
    ):
        pass


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: {key: value for key, value in manifest.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda manifest: [], "not the description of a run"),
        (lambda manifest: {}, "not the description of a run"),
        (
            lambda manifest: {**manifest, "version": 2},
            "of version 2, and this harness knows version 1",
        ),
        (_without("run_id"), "'run_id' is missing"),
        (_without("sessions"), "'sessions' is missing"),
        (_without("settings"), "'settings' is missing"),
        (lambda manifest: {**manifest, "sessions": "2"}, "'sessions' is missing or is no int"),
        (lambda manifest: {**manifest, "dataset": {}}, "number of topics is missing"),
    ],
)
def test_a_damaged_description_is_told_from_a_run(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object], said: str
) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / RUN_FILE).write_text(json.dumps(damage(dict(read_manifest(tmp_path).json))))

    with pytest.raises(ResultsError, match=said):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\x00\x00"])
def test_a_torn_description_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text)

    with pytest.raises(ResultsError, match=r"run\.json: cannot be read"):
        read_manifest(tmp_path)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ResultsError, match=r"there is no run\.json"):
        read_manifest(tmp_path)
    with pytest.raises(ResultsError, match="it is a file"):
        read_manifest(tmp_path / "file")


async def test_a_row_that_lacks_a_field_is_named_by_its_topic(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as results:
        await write(results, 0)
    path = tmp_path / "run" / RESULTS_FILE
    path.write_text(path.read_text().replace('"cost":0.25,', ""))

    with pytest.raises(ResultsError, match=r"the row of topic 't0' is damaged: cost: is missing"):
        read_standing(tmp_path / "run")
