"""What every `harness.ports.Results` promises; each implementation is put through all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import ListResults
from records import a_failed_result, a_result, a_span

from harness.errors import StorageError
from harness.ports import Results
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, ResultsDir

MANIFEST = {"version": 1, "run_id": "run", "status": "running", "identity": {}, "settings": {}}


class Kept(NamedTuple):
    """An implementation, what it holds by now (topic ids, span ids), and a way to break its
    disk.
    """

    results: Results
    topics: Callable[[], Sequence[str]]
    spans: Callable[[], Sequence[str]]
    break_disk: Callable[[], None]
    close: Callable[[], None] = lambda: None


def in_a_directory(path: Path) -> Kept:
    results = ResultsDir.create_or_continue(
        path, lambda known: {**MANIFEST, "dataset": {"topics": 9}}
    )
    results.begin()

    def break_disk() -> None:
        path.rename(path.with_name("moved away"))

    def column(file: str, name: str) -> list[str]:
        file_path = path / file
        return (
            [json.loads(line)[name] for line in file_path.read_text().splitlines()]
            if file_path.exists()
            else []
        )

    return Kept(
        results,
        lambda: column(RESULTS_FILE, "topic_id"),
        lambda: column(TRACES_FILE, "id"),
        break_disk,
        results.close,
    )


def in_a_list(path: Path) -> Kept:
    results = ListResults()

    def break_disk() -> None:
        results.failing = StorageError("the disk is full")

    return Kept(
        results,
        lambda: [row.topic_id for row in results.rows],
        lambda: [span.id for span in results.spans],
        break_disk,
    )


@pytest.fixture(params=[in_a_directory, in_a_list])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    made: Kept = request.param(tmp_path / "run")
    yield made
    made.close()


async def test_what_was_written_is_there_on_return(kept: Kept) -> None:
    await kept.results.write(a_result(0), [a_span(span_id="first"), a_span(span_id="second")])

    assert kept.topics() == ["t0"]
    assert kept.spans() == ["first", "second"]


async def test_rows_keep_the_order_in_which_they_were_written(kept: Kept) -> None:
    for index in (2, 0, 1):
        await kept.results.write(a_result(index), [])

    assert kept.topics() == ["t2", "t0", "t1"]


async def test_writers_at_the_same_time_do_not_mix_their_rows(kept: Kept) -> None:
    await asyncio.gather(
        *(
            kept.results.write(
                a_result(index), [a_span(span_id=f"{index}.{call}") for call in range(3)]
            )
            for index in range(20)
        )
    )

    assert sorted(kept.topics()) == sorted(f"t{index}" for index in range(20))
    spans = kept.spans()
    assert [spans[at : at + 3] for at in range(0, 60, 3)] == [
        [f"{topic[1:]}.{call}" for call in range(3)] for topic in kept.topics()
    ]


async def test_a_topic_without_calls_has_a_row(kept: Kept) -> None:
    await kept.results.write(a_failed_result(0), [])

    assert (kept.topics(), kept.spans()) == (["t0"], [])


async def test_a_failing_disk_is_said_and_nothing_is_half_written(kept: Kept) -> None:
    kept.break_disk()

    with pytest.raises(StorageError):
        await kept.results.write(a_result(0), [a_span()])
