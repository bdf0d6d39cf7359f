from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from exports.runs import a_run_of, many, odd_topics

from harness.errors import ResultsError, StorageError
from harness.exports.formats import FORMATS, export
from harness.exports.placing import placed


def damaged(path: Path) -> Path:
    """A run whose last topic cannot be exported."""
    run = a_run_of(path, many(3))
    text = (run / "results.jsonl").read_text()
    (run / "results.jsonl").write_text(
        text.replace('"index":2', '"index":2,"started_at":"never","was"')
    )
    (run / "traces.jsonl").write_text(
        (run / "traces.jsonl").read_text().replace('"latency_s"', '"lately_s"')
    )
    return run


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_is_there_for_its_owner_and_leaves_nothing_beside_it(
    tmp_path: Path, name: str
) -> None:
    path, facts = export(
        a_run_of(tmp_path / "run", odd_topics()), name, tmp_path / "out", force=False
    )

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "run"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert facts.finished == 4


@pytest.mark.parametrize("name", ["parquet", "csv", "md"])
def test_a_directory_says_what_it_is(tmp_path: Path, name: str) -> None:
    path, _ = export(a_run_of(tmp_path / "run", many(2), topics=3), name, None, force=False)

    said = json.loads((path / "export.json").read_text())
    assert (said["format"], said["run_id"], said["topics"], said["finished"]) == (name, "run", 3, 2)


@pytest.mark.parametrize("name", ["parquet", "csv", "sqlite", "md"])
def test_of_a_damaged_run_nothing_is_left(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultsError, match="damaged"):
        export(damaged(tmp_path / "run"), name, tmp_path / "out", force=False)

    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["csv", "sqlite"])
def test_what_is_there_stays_unless_it_is_forced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    export(a_run_of(tmp_path / "one", many(1)), name, out, force=False)
    other = a_run_of(tmp_path / "other", many(2))
    before = (out / "topics.csv" if name == "csv" else out).read_bytes()

    with pytest.raises(ResultsError, match="is there already; --force replaces it"):
        export(other, name, out, force=False)
    assert (out / "topics.csv" if name == "csv" else out).read_bytes() == before

    export(other, name, out, force=True)
    assert (out / "topics.csv" if name == "csv" else out).read_bytes() != before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "other", "out"]


@pytest.mark.parametrize("name", ["csv", "sqlite"])
def test_a_forced_export_that_fails_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    export(a_run_of(tmp_path / "one", many(1)), name, out, force=False)

    with pytest.raises(ResultsError):
        export(damaged(tmp_path / "other"), name, out, force=True)
    assert (out / "topics.csv" if name == "csv" else out).stat().st_size > 0


def test_a_directory_that_is_no_export_is_never_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")

    with pytest.raises(ResultsError, match=r"holds no export\.json"):
        export(a_run_of(tmp_path / "run", many(1)), "csv", home, force=True)
    assert (home / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("file", ["results.jsonl", "traces.jsonl", "run.json"])
def test_the_run_itself_is_never_replaced(tmp_path: Path, file: str) -> None:
    run = a_run_of(tmp_path / "run", many(1))
    with pytest.raises(ResultsError, match="that is a part of a run"):
        export(run, "jsonl", run / file, force=True)


@pytest.mark.parametrize(("name", "said"), [("csv", "is a file"), ("sqlite", "is a directory")])
def test_a_file_is_no_place_for_a_directory_nor_the_other_way_round(
    tmp_path: Path, name: str, said: str
) -> None:
    out = tmp_path / "out"
    out.write_text("") if name == "csv" else out.mkdir()
    with pytest.raises(ResultsError, match=said):
        export(a_run_of(tmp_path / "run", many(1)), name, out, force=True)


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="there is no directory"):
        export(a_run_of(tmp_path / "run", many(1)), "csv", tmp_path / "a" / "b", force=False)


def test_a_disk_that_fails_is_a_storage_error_and_leaves_nothing(tmp_path: Path) -> None:
    def fill_the_disk() -> None:
        with placed(tmp_path / "out", directory=False) as place:
            place.write_text("half of it")
            raise OSError(28, "disk full")

    with pytest.raises(StorageError, match="disk full"):
        fill_the_disk()
    assert list(tmp_path.iterdir()) == []
