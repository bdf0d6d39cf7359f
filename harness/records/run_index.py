"""The topics of a run one by one, in whatever order: a first pass notes where each stands, a second
reads it there.

`RowPlaces` is that first pass, some tens of bytes a topic however long its calls are. `RunIndex` is
a run that has ended, with its topics by their ids.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from harness.domain.run import topic_of_drawn
from harness.errors import ResultsError
from harness.records.jsonl_file import texts_in
from harness.records.manifest import Manifest, read_manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running
from harness.records.run_standing import Standing
from harness.records.stored import StoredResult, StoredSpan, owner_of, result_of, span_of


class RowPlaces:
    """The places, by a topic's index, of the row that counts and of its calls.

    Made from the two files of a run as they are at the time, None for one that is not there; both
    are read to their ends. What is written later is not known, so the same files must be given to
    `row` and `calls`. `path` is named in errors. Raises ResultsError for a row that is damaged, and
    for calls of a topic that do not stand together.
    """

    def __init__(self, path: Path, results: BinaryIO | None, traces: BinaryIO | None) -> None:
        self.path = path
        # -1: there is none.
        self._row_at, self._calls_at, self._calls = array("q"), array("q"), array("I")
        standing = self._note_rows(results)
        self._note_calls(traces, standing)

    def __iter__(self) -> Iterator[int]:
        """The indexes of topics that have a row, in the order of the dataset."""
        return (index for index, at in enumerate(self._row_at) if at >= 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def in_order_of_rows(self) -> list[int]:
        """The same in the order in which the topics were finished."""
        return sorted(self, key=lambda index: self._row_at[index])

    def calls_of(self, index: int) -> int:
        """Return the number of a topic's calls that are there."""
        return self._calls[index]

    def row(self, results: BinaryIO, index: int) -> StoredResult:
        """The row of a topic."""
        at = self._row_at[index]
        results.seek(at)
        return result_of(results.readline(), self.path / RESULTS_FILE, at)

    def calls(self, traces: BinaryIO, index: int) -> list[StoredSpan]:
        """The calls of a topic, in the order in which they ended."""
        lines = islice(texts_in(traces, start=self._calls_at[index]), self._calls[index])
        return [span_of(raw, self.path / TRACES_FILE, at) for at, raw in lines]

    def _note_rows(self, results: BinaryIO | None) -> Standing:
        standing, path = Standing(), self.path / RESULTS_FILE
        for at, raw in _texts(results):
            row = result_of(raw, path, at)
            standing.add(row, row.session)
            missing = row.index + 1 - len(self._row_at)
            self._row_at.extend([-1] * missing)
            self._calls_at.extend([-1] * missing)
            self._calls.extend([0] * missing)
            self._row_at[row.index] = at
        return standing

    def _note_calls(self, traces: BinaryIO | None, standing: Standing) -> None:
        path, before = self.path / TRACES_FILE, None
        for at, raw in _texts(traces):
            call = owner_of(raw, path, at)
            counts = standing.counts(call.index, call.session)
            if counts and not self._calls[call.index]:
                self._calls_at[call.index] = at
            elif counts and before != call.index:
                raise ResultsError(
                    f"{path}: the calls of topic {call.topic_id!r} do not stand together, as a run"
                    " leaves them; restore the file"
                )
            if counts:
                self._calls[call.index] += 1
            before = call.index if counts else None


class RunIndex:
    """The topics of a run that has ended, in the order in which they were finished. Made by
    `open`.
    """

    def __init__(
        self, path: Path, manifest: Manifest, places: RowPlaces, indexes: Mapping[str, int]
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._places = places
        self._indexes = indexes

    @classmethod
    def open(cls, path: Path) -> RunIndex:
        """Raises ResultsError for a directory that is no run or is being written, and for rows that
        are damaged.
        """
        manifest = read_manifest(path)
        if is_running(path):
            raise ResultsError(
                f"{path}: this run is still going; wait for it, or interrupt it with Ctrl-C"
            )
        for name in (RESULTS_FILE, TRACES_FILE):
            _refuse_torn(path, name)
        with ExitStack() as opened:
            results, traces = (
                opened_file(path / name, opened) for name in (RESULTS_FILE, TRACES_FILE)
            )
            places = RowPlaces(path, results, traces)
            return cls(path, manifest, places, _by_id(path, places, results))

    @property
    def samples(self) -> int:
        """The number of draws of each topic of the dataset."""
        return int(self.manifest.identity.get("samples", 1))

    def __iter__(self) -> Iterator[str]:
        return iter(self._indexes)

    def __len__(self) -> int:
        return len(self._indexes)

    def __contains__(self, topic_id: object) -> bool:
        return topic_id in self._indexes

    def draw_of(self, row: StoredResult) -> tuple[str, int]:
        """The topic of the dataset that a row is a draw of, and which one, from 0."""
        sample = row.index % self.samples
        return topic_of_drawn(row.topic_id, sample), sample

    def row(self, topic_id: str) -> StoredResult:
        """The topic's row. Raises ResultsError where it is damaged, KeyError for an unknown
        topic.
        """
        with (self.path / RESULTS_FILE).open("rb") as results:
            return self._places.row(results, self._indexes[topic_id])

    def calls(self, topic_id: str) -> list[StoredSpan]:
        """The topic's calls in the order in which they were wanted. Raises ResultsError where one
        is damaged.
        """
        index = self._indexes[topic_id]
        if not self._places.calls_of(index):
            return []
        with (self.path / TRACES_FILE).open("rb") as traces:
            return sorted(self._places.calls(traces, index), key=lambda call: call.start_s)


def opened_file(path: Path, opened: ExitStack) -> BinaryIO | None:
    """Open a file of a run to be read; None where it is missing. Raises ResultsError where it
    cannot be read.
    """
    try:
        return opened.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error


def _by_id(path: Path, places: RowPlaces, results: BinaryIO | None) -> dict[str, int]:
    """The index of each topic by its id. Raises ResultsError where calls are missing that its row
    speaks of.
    """
    found: dict[str, int] = {}
    if results is None:
        return found
    for index in places.in_order_of_rows():
        row = places.row(results, index)
        found[row.topic_id] = index
        number = places.calls_of(index)
        if number != row.calls:
            raise ResultsError(
                f"{path / TRACES_FILE}: has {number} calls of topic {row.topic_id!r}, whose row"
                f" speaks of {row.calls}; restore the file"
            )
    return found


def _texts(file: BinaryIO | None) -> Iterator[tuple[int, bytes]]:
    return iter(()) if file is None else texts_in(file)


def _refuse_torn(path: Path, name: str) -> None:
    file = path / name
    if not file.exists() or file.stat().st_size == 0:
        return
    with file.open("rb") as opened:
        opened.seek(-1, os.SEEK_END)
        if opened.read(1) != b"\n":
            raise ResultsError(
                f"{file}: its last line is torn, so the run was killed; `harness resume {path}`"
                " repairs it"
            )
