"""A run that has ended, read topic by topic: an index says where the rows of each stand; they are read when asked for.

Some hundred bytes a topic are held in memory, however long its calls are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.domain.run import topic_of_drawn
from harness.errors import ResultsError
from harness.records.jsonl_file import texts_of
from harness.records.results_dir import (
    RESULTS_FILE,
    TRACES_FILE,
    is_running,
    read_manifest,
    read_standing,
)
from harness.records.run_standing import Standing
from harness.records.stored import StoredResult, StoredSpan, owner_of, result_of, results_in, span_of


@dataclass(slots=True)
class _Place:
    """Where a topic's row begins, from where to where its calls reach, and how many of them there must be and are."""

    row: int
    wanted: int
    calls: int = 0
    calls_end: int = 0
    number: int = 0


class RunIndex:
    """The topics of a run that has ended, in the order in which they were finished. Made by `open`."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], places: Mapping[str, _Place]) -> None:
        self.path = path
        self.manifest = manifest
        self._places = places

    @classmethod
    def open(cls, path: Path) -> RunIndex:
        """Raises ResultsError for a directory that is no run or is being written, and for rows that are damaged."""
        manifest = read_manifest(path)
        if is_running(path):
            raise ResultsError(f"{path}: this run is still going; wait for it, or interrupt it with Ctrl-C")
        for name in (RESULTS_FILE, TRACES_FILE):
            _refuse_torn(path, name)
        standing = read_standing(path)
        places = {
            row.topic_id: _Place(lines.began, row.calls)
            for lines, row in results_in(path / RESULTS_FILE)
            if standing.counts(row.index, row.session)
        }
        _place_calls(path, standing, places)
        return cls(path, manifest, places)

    @property
    def samples(self) -> int:
        """How often each topic of the dataset was drawn."""
        return int(self.manifest["identity"].get("samples", 1))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, topic_id: object) -> bool:
        return topic_id in self._places

    def draw_of(self, row: StoredResult) -> tuple[str, int]:
        """The topic of the dataset that a row is a draw of, and which one, from 0."""
        sample = row.index % self.samples
        return topic_of_drawn(row.topic_id, sample), sample

    def row(self, topic_id: str) -> StoredResult:
        """The topic's row. Raises ResultsError where it is damaged, KeyError for an unknown topic."""
        file = self.path / RESULTS_FILE
        with file.open("rb") as opened:
            opened.seek(self._places[topic_id].row)
            return result_of(opened.readline(), file, self._places[topic_id].row)

    def calls(self, topic_id: str) -> list[StoredSpan]:
        """The topic's calls in the order in which they were wanted. Raises ResultsError where the file lacks some."""
        place, file = self._places[topic_id], self.path / TRACES_FILE
        if place.number == 0:
            return []
        with file.open("rb") as opened:
            opened.seek(place.calls)
            lines = opened.read(place.calls_end - place.calls).splitlines()
        calls = [span_of(line, file, place.calls) for line in lines]
        return sorted(calls, key=lambda call: call.start_s)


def _place_calls(path: Path, standing: Standing, places: Mapping[str, _Place]) -> None:
    for start, raw in texts_of(path / TRACES_FILE):
        call, end = owner_of(raw, path / TRACES_FILE, start), start + len(raw)
        place = places.get(call.topic_id)
        if place is None or not standing.counts(call.index, call.session):
            continue
        if place.number and place.calls_end != start:
            raise ResultsError(
                f"{path / TRACES_FILE}: the calls of topic {call.topic_id!r} do not stand together, as a run leaves "
                "them; restore the file"
            )
        place.calls = place.calls if place.number else start
        place.calls_end = end
        place.number += 1
    for topic_id, place in places.items():
        if place.number != place.wanted:
            raise ResultsError(
                f"{path / TRACES_FILE}: has {place.number} calls of topic {topic_id!r}, whose row speaks of "
                f"{place.wanted}; restore the file"
            )


def _refuse_torn(path: Path, name: str) -> None:
    file = path / name
    if not file.exists() or file.stat().st_size == 0:
        return
    with file.open("rb") as opened:
        opened.seek(-1, os.SEEK_END)
        if opened.read(1) != b"\n":
            raise ResultsError(
                f"{file}: its last line is torn, so the run was killed; `harness resume {path}` repairs it"
            )
