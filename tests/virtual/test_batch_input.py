"""What a batch does before its first call, with input that can be read only once, and with disks
that fail under it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, lasting, manifest_of, rows_of, run

from harness.errors import CacheError, DatasetError, ResultsError, SettingsError
from harness.records.manifest import read_manifest
from harness.runs.wanted import source_of

pytestmark = pytest.mark.harness_virtual_time

OWN = """
from types import MappingProxyType

async def ask(step, topic):
    return MappingProxyType({"answer": (await step.complete("ask", topic.text)).content})

async def fail(step, topic):
    raise RuntimeError("a bug")
"""


def piped(path: Path, text: bytes) -> asyncio.Future[int]:
    """A pipe with a name, as a shell's `<(…)` makes one, and somebody who writes into it."""
    os.mkfifo(path)
    return asyncio.get_running_loop().run_in_executor(None, path.write_bytes, text)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"cache": "no cache"}, CacheError),
        ({"latency": "soon"}, SettingsError),
        ({"faults": "gremlins=0.5"}, SettingsError),
        ({"budget": 1.0, "model": "unheard-of"}, SettingsError),
        ({"cache": "none", "cache_mode": "replay"}, CacheError),
    ],
)
async def test_what_is_wrong_is_said_before_anything_is_written(
    tmp_path: Path, changed: dict[str, Any], error: type[Exception]
) -> None:
    source = a_topic_file(tmp_path, 2)
    (tmp_path / "no cache").write_text(
        "notes of mine, and long enough to be mistaken for something else\n" * 20
    )
    chosen = {**changed, "cache": tmp_path / changed.get("cache", "cache.db")}
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(error):
        await run(tmp_path, source, **chosen)

    assert sorted(set(os.listdir(tmp_path)) - {"cache.db"}) == before


async def test_topics_that_were_piped_in_are_kept_and_resumed(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 3)
    calm = tmp_path / "calm"
    await run(calm, source)

    out = tmp_path / "out"
    text = source.read_bytes()
    filling = piped(tmp_path / "pipe", text)
    await run(tmp_path, tmp_path / "pipe", limit=1)
    await filling

    manifest = read_manifest(out)
    assert manifest.dataset.path == "-"
    assert manifest.dataset.kept == "dataset.jsonl"
    assert (out / "dataset.jsonl").read_bytes() == text
    again = source_of(out, manifest)
    report = await run(tmp_path, again)

    assert report.exit_code == 0
    assert read_manifest(out).dataset == replace(manifest.dataset, topics=3, end=3)
    assert lasting(rows_of(tmp_path)) == lasting(rows_of(calm))


async def test_a_run_whose_directory_was_moved_finds_what_was_kept_in_it(tmp_path: Path) -> None:
    filling = piped(tmp_path / "pipe", a_topic_file(tmp_path, 2).read_bytes())
    await run(tmp_path, tmp_path / "pipe")
    await filling

    (tmp_path / "out").rename(tmp_path / "moved")

    moved = tmp_path / "moved"
    assert source_of(moved, read_manifest(moved)) == str(moved / "dataset.jsonl")


async def test_a_dataset_that_was_moved_is_asked_for(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 2)
    await run(tmp_path, source, limit=1)
    moved = source.rename(tmp_path / "elsewhere.jsonl")

    with pytest.raises(
        ResultsError, match=r"topics are not at .*topics\.jsonl any more.*harness run FILE --out"
    ):
        source_of(tmp_path / "out", read_manifest(tmp_path / "out"))
    report = await run(tmp_path, moved)

    assert report.exit_code == 0
    assert manifest_of(tmp_path)["dataset"]["path"] == str(moved)


async def test_paths_are_recorded_so_that_they_hold_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_topic_file(tmp_path, 1)
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)

    await run(Path(), "topics.jsonl", workflow="own.py:ask")

    settings = manifest_of(tmp_path)["settings"]
    assert settings["cache"] == str(tmp_path / "cache.db")
    assert settings["workflow"] == f"{tmp_path / 'own.py'}:ask"
    monkeypatch.chdir("/")
    report = await run(tmp_path, tmp_path / "topics.jsonl", workflow=settings["workflow"])
    assert report.exit_code == 0
    assert report.session.totals.calls == 0
    assert rows_of(tmp_path)[0]["workflow"] == "own.py:ask"


async def test_a_workflows_own_mapping_becomes_a_row(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)

    await run(tmp_path, a_topic_file(tmp_path, 1), workflow=f"{tmp_path / 'own.py'}:ask")

    assert list(rows_of(tmp_path)[0]["output"]) == ["answer"]


async def test_a_bug_that_hits_every_topic_is_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    with caplog.at_level("WARNING", logger="harness"):
        report = await run(
            tmp_path,
            a_topic_file(tmp_path, 5),
            workflow=f"{tmp_path / 'own.py'}:fail",
            max_failures="off",
        )

    assert report.exit_code == 1
    assert [record.exc_info for record in caplog.records] == [None] * 5
    assert "RuntimeError('a bug')" in caplog.text
    assert "Traceback" not in caplog.text


async def test_code_that_was_changed_is_said_and_failed_topics_are_run_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = a_topic_file(tmp_path, 2)
    own = tmp_path / "own.py"
    own.write_text(
        OWN.replace("async def ask", "async def _").replace("async def fail", "async def ask")
    )
    await run(tmp_path, source, workflow=f"{own}:ask")
    own.write_text(OWN)

    report = await run(tmp_path, source, workflow=f"{own}:ask")

    assert report.exit_code == 0
    assert "the workflow's code was changed" in caplog.text


async def test_results_that_vanish_end_the_run_in_a_report(tmp_path: Path) -> None:
    task = asyncio.create_task(run(tmp_path, a_topic_file(tmp_path, 6), latency="fixed:10", runs=2))
    await asyncio.sleep(45)
    shutil.rmtree(tmp_path / "out")
    report = await task

    assert report.exit_code == 3
    assert report.stop is not None
    assert "deleted or replaced" in report.stop.message


async def test_a_cache_that_vanishes_ends_the_run_and_leaves_the_rows(tmp_path: Path) -> None:
    task = asyncio.create_task(run(tmp_path, a_topic_file(tmp_path, 6), latency="fixed:10", runs=2))
    await asyncio.sleep(45)
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        (tmp_path / name).unlink()
    report = await task

    assert report.exit_code == 3
    assert manifest_of(tmp_path)["status"] == "storage"
    assert [row["status"] for row in rows_of(tmp_path)] == ["ok", "ok"]


async def test_a_row_that_somebody_removed_is_missed_at_the_end(tmp_path: Path) -> None:
    task = asyncio.create_task(run(tmp_path, a_topic_file(tmp_path, 4), latency="fixed:10", runs=1))
    await asyncio.sleep(45)
    with (tmp_path / "out" / "results.jsonl").open("r+") as file:
        file.truncate(0)
    report = await task

    assert report.exit_code == 3
    assert report.stop is not None
    assert "4 rows were written and 3 are there" in report.stop.message


async def test_a_file_that_is_no_dataset_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        await run(tmp_path, tmp_path / "none.jsonl")

    assert os.listdir(tmp_path) == []
