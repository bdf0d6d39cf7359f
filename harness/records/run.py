"""A run, read from its directory: the one reader of its files.

The calls of a topic stand before its row, and topics in the same order in both files; so one pass
over both, side by side, brings them together, and no more than one topic is in memory. A run that
is going on is read on from where the last pass stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ResultsError
from harness.records.jsonl_file import texts_of
from harness.records.manifest import Manifest, read_manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running, unfinished_topics
from harness.records.run_standing import Standing
from harness.records.stored import (
    Lines,
    StoredResult,
    StoredSpan,
    owner_of,
    results_in,
    span_of,
    spans_in,
)

Counts = Callable[[int, int], bool]
"""Tells by a topic's index and a session if their row is wanted."""

_NO_FILES = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The bytes at which something begins in `results.jsonl` and in `traces.jsonl`."""

    results: int = 0
    traces: int = 0


class StoredRow(NamedTuple):
    """A row of `results.jsonl`, and the byte at which it begins."""

    row: StoredResult
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTopic:
    """A topic that has a row, with its calls in the order in which they ended; `at` is where both
    begin.

    Calls that were removed from the file are not missed: there are then fewer than `result` says.
    """

    result: StoredResult
    calls: tuple[StoredSpan, ...]
    at: Place


class Run:
    """A run in its directory, finished or not. Made by `open`; `look` takes note of what came
    since.

    `manifest` is what `run.json` said at the last look, `standing` which rows count and what they
    add up to. `generation` counts how often what had been read before did not hold any more and
    `topics` begins again: a topic that had failed was run again, or the files were replaced or cut.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest
        self.generation = 0
        self.standing = Standing()
        self._place = Place()
        self._counted = 0
        self._superseded = 0
        self._read_any = False
        self._inodes: tuple[int | None, ...] = _NO_FILES

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open the run in a directory. Raises ResultsError for a directory that is no run and for
        damaged rows.
        """
        run = cls(path)
        run.look()
        return run

    @property
    def is_running(self) -> bool:
        """True if a process is at work on it now."""
        return is_running(self.path)

    @property
    def unfinished(self) -> int:
        """The number of its topics that have no row."""
        return unfinished_topics(self.manifest, self.standing)

    def look(self) -> None:
        """Take note of the rows that came since the last look.

        Raises ResultsError for a directory that is no run and for damaged rows.
        """
        for _ in self.looking():
            pass

    def looking(self) -> Iterator[StoredRow]:
        """Look, and yield each row as it is noted; what is not asked for is noted by the next look.

        All rows come again after `generation` has changed. Raises as `look` does.
        """
        self.manifest = read_manifest(self.path)
        inodes = tuple(_inode_of(self.path / name) for name in (RESULTS_FILE, TRACES_FILE))
        anew = self._inodes not in (inodes, _NO_FILES) or self._is_shorter()
        self._inodes = inodes
        if not anew:
            yield from self._count()
            anew = self.standing.superseded > self._superseded and self._read_any
            self._superseded = self.standing.superseded
        if anew:
            self.generation += 1
            self.standing, self._place = Standing(), Place()
            self._counted, self._superseded, self._read_any = 0, 0, False
            yield from self._count()
            self._superseded = self.standing.superseded

    @property
    def looked_at(self) -> Place:
        """The bytes of `results` that were noted, and of `traces` that `topics` has read."""
        return Place(results=self._counted, traces=self._place.traces)

    def results(self) -> Iterator[StoredResult]:
        """Yield the rows that count, as far as the last look saw them, in the order in which topics
        were finished.
        """
        for lines, row in results_in(self.path / RESULTS_FILE):
            if lines.began >= self._counted:
                return
            if self.standing.counts(row.index, row.session):
                yield row

    def result(self, topic_id: str) -> StoredResult | None:
        """Return the row that counts of a topic; None where it is not finished."""
        return next((row for row in self.results() if row.topic_id == topic_id), None)

    def spans(self, topic_id: str | None = None) -> Iterator[StoredSpan]:
        """Yield the calls that belong to rows that count, or those of one topic. The calls of a
        topic come together.
        """
        file = self.path / TRACES_FILE
        return (span_of(raw, file, at) for at, raw in self.lines(TRACES_FILE, topic_id))

    def lines(self, name: str, topic_id: str | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the lines of `results` or of `spans` as they stand in the file of this name, with
        their places.
        """
        file = self.path / name
        for at, raw in texts_of(file):
            if name == RESULTS_FILE and at >= self._counted:
                return
            owner = owner_of(raw, file, at)
            if self.standing.counts(owner.index, owner.session) and topic_id in (
                None,
                owner.topic_id,
            ):
                yield at, raw

    def topics(self) -> Iterator[StoredTopic]:
        """Yield the topics that were not read yet, as far as the last look saw them, in the order
        of `results`.
        """
        end = self._counted
        for topic, place in _topics_of(self.path, self.standing.counts, self._place):
            if topic.at.results >= end:
                return
            self._place = place
            self._read_any = True
            yield topic

    def topic_at(self, at: Place) -> StoredTopic:
        """Return a topic that was read before. Raises ResultsError if the files are not what they
        were then.
        """
        # Whatever comes next: to look for another call that counts would be to read to the end.
        found = next(_topics_of(self.path, lambda *_: True, at), None)
        if found is None:
            raise ResultsError(
                f"{self.path / RESULTS_FILE}: has become shorter; open the run again"
            )
        return found[0]

    def _count(self) -> Iterator[StoredRow]:
        for lines, row in results_in(self.path / RESULTS_FILE, start=self._counted):
            self.standing.add(row, row.session)
            self._counted = lines.ended
            yield StoredRow(row, lines.began)

    def _is_shorter(self) -> bool:
        file = self.path / RESULTS_FILE
        return self._counted > 0 and (not file.exists() or file.stat().st_size < self._counted)


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """Return the rows of a run as JSON objects, one a topic, in the order in which they were
    finished.

    docs/formats.md says what is in them; the run may be going on. Raises ResultsError for a
    directory that is no run, and for a damaged row.
    """
    run = Run.open(path)
    return (json.loads(raw) for _, raw in run.lines(RESULTS_FILE))


def read_spans(path: Path, topic_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Return the calls of a run, or of one of its topics, as JSON objects, the calls of a topic
    together.

    They are those of the topics that `read_results` gives; the calls of a topic come in the order
    in which they ended. Raises as that does, and for a line that belongs to no topic.
    """
    run = Run.open(path)
    return (json.loads(raw) for _, raw in run.lines(TRACES_FILE, topic_id))


def _topics_of(path: Path, counts: Counts, start: Place) -> Iterator[tuple[StoredTopic, Place]]:
    """The topics whose rows count, from a place on, each with the place after it."""
    groups = _Groups(path / TRACES_FILE, counts, start.traces)
    for lines, row in results_in(path / RESULTS_FILE, start=start.results):
        if counts(row.index, row.session):
            calls, traces = groups.of(row)
            topic = StoredTopic(
                result=row, calls=calls, at=Place(results=lines.began, traces=traces)
            )
            yield topic, Place(results=lines.ended, traces=groups.ended)


class _Groups:
    """The calls of one topic after another."""

    def __init__(self, path: Path, counts: Counts, start: int) -> None:
        self._calls = _wanted(path, counts, start)
        self._next = next(self._calls, None)
        self.ended = start

    def of(self, row: StoredResult) -> tuple[tuple[StoredSpan, ...], int]:
        """The calls of this topic, and where they begin."""
        began = self._next[0].began if self._next else self.ended
        calls = []
        while self._next is not None:
            lines, call = self._next
            if (call.index, call.session) != (row.index, row.session):
                break
            self.ended = lines.ended
            calls.append(call)
            self._next = next(self._calls, None)
        return tuple(calls), began


def _wanted(path: Path, counts: Counts, start: int) -> Iterator[tuple[Lines, StoredSpan]]:
    for lines, call in spans_in(path, start=start):
        if counts(call.index, call.session):
            yield lines, call


def _inode_of(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
