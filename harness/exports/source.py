"""The rows of a run in the order of its dataset, one topic at a time.

On the disk they lie in the order in which topics were finished. A first pass notes where each row begins, some tens of
bytes a topic; the second reads them from there. Both files are opened once and held, so that a run that goes on, or
that tidies up at its end and replaces them, changes nothing of what is being exported.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import ResultsError
from harness.records.jsonl_file import texts_in
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running, read_manifest
from harness.records.run_standing import Standing
from harness.records.stored import owner_of, result_of, result_row, span_of, span_row

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRows:
    """One topic: its row of `results.jsonl`, and those of its calls, in the order in which they were wanted."""

    row: Row
    calls: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is said of the run as a whole.

    `finished` of its `topics` have a row. `running`: a process is at work on it, so there will be more.
    """

    run_id: str
    status: str
    created_at: str | None
    workflow: str | None
    endpoint: str | None
    model: str | None
    dataset: str | None
    topics: int
    finished: int
    running: bool

    @property
    def unfinished(self) -> int:
        return max(0, self.topics - self.finished)

    @property
    def standing(self) -> str:
        """How the run stands, in words that follow "is"."""
        if self.running:
            return "under way"
        if self.status == "complete":
            return "complete"
        return f"not complete ({'its process died' if self.status == 'running' else self.status})"


class RunRows:
    """The rows of a run that count. Made by `open_run`."""

    def __init__(self, path: Path, results: BinaryIO | None, traces: BinaryIO | None, manifest: Mapping[str, Any]):
        self._path = path
        self._results = results
        self._traces = traces
        # Where the row of a topic begins, where its first call does, and how many calls it has; -1: there is none.
        self._row_at, self._calls_at, self._calls = array("q"), array("q"), array("I")
        self._index()
        self.facts = self._facts(manifest)

    def __iter__(self) -> Iterator[TopicRows]:
        """All topics that have a row, in the order of the dataset. Raises ResultsError for a damaged line."""
        for index, at in enumerate(self._row_at):
            if at >= 0 and self._results is not None:
                self._results.seek(at)
                row = result_of(self._results.readline(), self._path / RESULTS_FILE, at)
                yield TopicRows(row=result_row(row), calls=self._calls_of(index))

    def _calls_of(self, index: int) -> list[Row]:
        if self._traces is None or not self._calls[index]:
            return []
        path = self._path / TRACES_FILE
        lines = islice(texts_in(self._traces, start=self._calls_at[index]), self._calls[index])
        calls = [span_of(raw, path, at) for at, raw in lines]
        if any(call.index != index for call in calls):
            raise ResultsError(f"{path}: the calls of topic {calls[0].topic_id!r} do not stand together")
        return [span_row(call) for call in calls]

    def _index(self) -> None:
        standing, path = Standing(), self._path / RESULTS_FILE
        for at, raw in _texts(self._results):
            row = result_of(raw, path, at)
            standing.add(row, row.session)
            missing = row.index + 1 - len(self._row_at)
            for places, nothing in ((self._row_at, -1), (self._calls_at, -1), (self._calls, 0)):
                places.extend([nothing] * missing)
            self._row_at[row.index] = at
        path = self._path / TRACES_FILE
        for at, raw in _texts(self._traces):
            call = owner_of(raw, path, at)
            if standing.counts(call.index, call.session):
                if not self._calls[call.index]:
                    self._calls_at[call.index] = at
                self._calls[call.index] += 1

    def _facts(self, manifest: Mapping[str, Any]) -> RunFacts:
        identity, dataset = manifest["identity"], manifest["dataset"]
        return RunFacts(
            run_id=manifest["run_id"],
            status=manifest["status"],
            created_at=manifest.get("created_at"),
            workflow=identity.get("workflow"),
            endpoint=identity.get("endpoint"),
            model=identity.get("model"),
            dataset=dataset.get("path"),
            topics=dataset["topics"],
            finished=sum(at >= 0 for at in self._row_at),
            running=is_running(self._path),
        )


def _texts(file: BinaryIO | None) -> Iterator[tuple[int, bytes]]:
    return iter(()) if file is None else texts_in(file)


@contextmanager
def open_run(path: Path) -> Iterator[RunRows]:
    """The run in a directory, finished or not. Raises ResultsError if it is none, or is damaged."""
    manifest = read_manifest(path)
    with ExitStack() as opened:
        # The results first: whatever they name, the calls of it are in the traces already.
        files: list[BinaryIO | None] = []
        for name in (RESULTS_FILE, TRACES_FILE):
            try:
                files.append(opened.enter_context((path / name).open("rb")))
            except FileNotFoundError:
                files.append(None)
            except OSError as error:
                raise ResultsError(f"{path / name}: cannot be read: {error.strerror or error}") from error
        yield RunRows(path, files[0], files[1], manifest)
