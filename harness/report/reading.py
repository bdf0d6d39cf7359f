"""A run, read in slices of time: its rows, which fill the table of the view, then its calls."""

from __future__ import annotations

import time
from pathlib import Path

from harness.errors import ResultsError
from harness.records.manifest import Manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, unfinished_topics
from harness.records.run import Place, Run, StoredTopic
from harness.records.stored import results_in
from harness.report.digest import Digest, TopicLine
from harness.report.summary import Sums
from harness.report.topic_index import TopicTable

_ROWS_AT_ONCE, _TOPICS_AT_ONCE = 500, 100


class RunReader:
    """Reads one run on from where it stopped. `progress` grows with each slice that found
    something.
    """

    def __init__(self, path: Path, table: TopicTable) -> None:
        self.digest = Digest()
        self.progress = 0
        self._path = path
        self._table = table
        self._run = Run(path)
        self._generation = 0
        self._all_rows = False

    @property
    def manifest(self) -> Manifest:
        """The facts in `run.json` at the last look."""
        return self._run.manifest

    def read_rows(self, until: float) -> bool:
        """Read rows until a time of the monotonic clock; returns whether all are read. Raises
        ResultsError.
        """
        self._all_rows = False
        held: list[tuple[TopicLine, int]] = []
        try:
            for row, at in self._run.looking():
                if self._is_other_generation():
                    held = []
                held.append((self.digest.line_of(row, 0), at))
                if len(held) == _ROWS_AT_ONCE:
                    held = self._put(held)
                    if time.monotonic() >= until:
                        return False
        finally:
            # Rows that were noted do not come again, whatever comes after them.
            self._put(held)
        self._is_other_generation()
        self._all_rows = True
        return True

    def read_calls(self, until: float) -> bool:
        """Read the calls of topics whose rows were read, in the same way."""
        held: list[tuple[int, int, int]] = []
        try:
            for topic in self._run.topics():
                retries = self.digest.add_calls(topic)
                held.append((topic.result.index, retries, topic.at.traces))
                if len(held) == _TOPICS_AT_ONCE:
                    held = self._complete(held)
                    if time.monotonic() >= until:
                        return False
        finally:
            self._complete(held)
        return True

    def share(self) -> float:
        """Return the share of the files that was read, in bytes."""
        files = [self._path / name for name in (RESULTS_FILE, TRACES_FILE)]
        whole = sum(file.stat().st_size for file in files if file.exists())
        read = self._run.looked_at
        return min(1.0, (read.results + read.traces) / whole) if whole else 1.0

    def sums(self, *, running: bool) -> Sums:
        """Return the sums over all rows; where not all are read and the run does not tell them,
        those over the rows that are.
        """
        standing = self._run.standing
        if self._all_rows:
            missing = unfinished_topics(self.manifest, standing)
            return Sums(totals=standing.totals.rounded(), unfinished=missing)
        told = Sums.told(self.manifest, running=running)
        return told or Sums(totals=standing.totals.rounded(), unfinished=0)

    def topic(self, index: int) -> StoredTopic | None:
        """Return a topic whose row was read. Raises ResultsError if the files are not what they
        were then.
        """
        places = self._table.places(index)
        if places is None:
            return None
        results_at, traces_at = places
        if traces_at is not None:
            return self._run.topic_at(Place(results=results_at, traces=traces_at))
        # Its calls were not met yet: they are looked for.
        file = self._path / RESULTS_FILE
        row = next((row for _, row in results_in(file, start=results_at)), None)
        if row is None:
            raise ResultsError(f"{file}: has become shorter; open the topic again")
        calls = tuple(self._run.spans(row.topic_id))
        return StoredTopic(result=row, calls=calls, at=Place(results=results_at))

    def _put(self, held: list[tuple[TopicLine, int]]) -> list[tuple[TopicLine, int]]:
        if held:
            self.progress += 1
            self._table.put(held)
        return []

    def _complete(self, held: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        if held:
            self.progress += 1
            self._table.complete(held)
        return []

    def _is_other_generation(self) -> bool:
        """Return whether all begins again; what was known is forgotten then."""
        if self._run.generation == self._generation:
            return False
        self._generation = self._run.generation
        self.digest = Digest()
        self.progress += 1
        self._table.clear()
        return True
