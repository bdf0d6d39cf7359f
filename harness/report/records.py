"""A run's files as records, a topic with its calls, read on from where one stopped as they grow.

The calls of a topic stand before its row, and topics in the same order in both files; so one pass over both, side by
side, brings them together, and no more than one topic is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from harness.records.jsonl_file import placed_lines_of
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, read_manifest
from harness.records.run_standing import Standing
from harness.errors import ResultsError

Row: TypeAlias = Mapping[str, Any]
Counts: TypeAlias = Callable[[Row], bool]

_NO_FILES = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something begins in `results.jsonl` and in `traces.jsonl`, in bytes."""

    results: int = 0
    traces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A topic's row and its calls; `at` is where they begin."""

    row: Row
    calls: tuple[Row, ...]
    at: Place


def records_of(path: Path, counts: Counts, start: Place) -> Iterator[tuple[Record, Place]]:
    """The topics whose rows count, from a place on, each with the place after it.

    Raises ResultsError for a line that is no row. Calls that were removed from the file are not missed here: the record
    has fewer than its row says.
    """
    groups = _Groups(path / TRACES_FILE, counts, start.traces)
    for began, ended, row in placed_lines_of(path / RESULTS_FILE, start=start.results):
        if counts(row):
            calls, traces = groups.of(row)
            record = Record(row=row, calls=calls, at=Place(results=began, traces=traces))
            yield record, Place(results=ended, traces=groups.ended)


class _Groups:
    """The calls of one topic after another."""

    def __init__(self, path: Path, counts: Counts, start: int) -> None:
        self._lines = (line for line in placed_lines_of(path, start=start) if counts(line[2]))
        self._next = next(self._lines, None)
        self.ended = start

    def of(self, row: Row) -> tuple[tuple[Row, ...], int]:
        """The calls of this topic, and where they begin."""
        began = self._next[0] if self._next else self.ended
        calls = []
        while self._next is not None and _same_topic(self._next[2], row):
            _, self.ended, call = self._next
            calls.append(call)
            self._next = next(self._lines, None)
        return tuple(calls), began


def _same_topic(call: Row, row: Row) -> bool:
    return bool(call["index"] == row["index"] and call["session"] == row["session"])


class RunReader:
    """Reads a run, and reads on as it grows.

    `manifest` is what `run.json` said at the last look, `standing` which rows count. `generation` counts how often what
    had been read before did not hold any more and `records` begins again: a topic that had failed was run again, or
    the files were replaced or cut.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Mapping[str, Any] = {}
        self.generation = 0
        self.standing = Standing()
        self._place = Place()
        self._counted = 0
        self._read_any = False
        self._inodes: tuple[int | None, ...] = _NO_FILES

    def look(self) -> None:
        """Take note of the rows that came since the last look.

        Raises ResultsError for a directory that is no run and for damaged rows.
        """
        self.manifest = read_manifest(self.path)
        inodes = tuple(_inode_of(self.path / name) for name in (RESULTS_FILE, TRACES_FILE))
        anew = self._inodes not in (inodes, _NO_FILES) or self._is_shorter()
        self._inodes = inodes
        if not anew:
            superseded = self.standing.superseded
            self._count()
            anew = self.standing.superseded > superseded and self._read_any
        if anew:
            self.generation += 1
            self.standing, self._place, self._counted, self._read_any = Standing(), Place(), 0, False
            self._count()

    def records(self) -> Iterator[Record]:
        """The topics that were not read yet, as far as the last look saw them."""
        end = self._counted
        for record, place in records_of(self.path, self.standing.counts, self._place):
            if record.at.results >= end:
                return
            self._place = place
            self._read_any = True
            yield record

    def record_at(self, at: Place) -> Record:
        """A topic that was read before. Raises ResultsError if the files are not what they were then."""
        row = next((row for *_, row in placed_lines_of(self.path / RESULTS_FILE, start=at.results)), None)
        if row is None:
            raise ResultsError(f"{self.path / RESULTS_FILE}: has become shorter; open the run again")
        found = next(records_of(self.path, lambda other: _same_topic(other, row), at), None)
        if found is None:
            raise ResultsError(f"{self.path / RESULTS_FILE}: was replaced; open the run again")
        return found[0]

    def _count(self) -> None:
        for _, ended, row in placed_lines_of(self.path / RESULTS_FILE, start=self._counted):
            try:
                self.standing.add(row)
            except (KeyError, TypeError) as error:
                raise damaged(self.path / RESULTS_FILE, row, error) from None
            self._counted = ended

    def _is_shorter(self) -> bool:
        file = self.path / RESULTS_FILE
        return self._counted > 0 and (not file.exists() or file.stat().st_size < self._counted)


def damaged(file: Path, row: Row, error: Exception) -> ResultsError:
    """What is said of a row that lacks what every row has."""
    return ResultsError(f"{file}: a row of topic {row['topic_id']!r} is damaged: {error!r}; restore or remove the line")


def _inode_of(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
