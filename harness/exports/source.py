"""The rows of a run in the order of its dataset, one topic at a time.

On the disk they lie in the order in which topics were finished. Both files are opened once and
held, so that a run that goes on, or that tidies up at its end and replaces them, changes nothing of
what is being exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.records.manifest import Manifest, read_manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running
from harness.records.run_index import RowPlaces, opened_file
from harness.records.stored import result_row, span_row

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRows:
    """One topic: its row of `results.jsonl`, and those of its calls, in the order in which they
    were wanted.
    """

    row: Row
    calls: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Facts of the run as a whole.

    `finished` of its `topics` have a row; `end` is one more than their largest index. `running`: a
    process is at work on it, so there will be more.
    """

    run_id: str
    status: str
    created_at: str | None
    workflow: str | None
    endpoint: str | None
    model: str | None
    dataset: str | None
    topics: int
    end: int
    finished: int
    running: bool

    @property
    def unfinished(self) -> int:
        return max(0, self.topics - self.finished)

    @property
    def standing(self) -> str:
        """The state of the run, in words that follow "is"."""
        if self.running:
            return "under way"
        if self.status == "complete":
            return "complete"
        return f"not complete ({'its process died' if self.status == 'running' else self.status})"


class RunRows:
    """The rows of a run that count. Made by `open_run`."""

    def __init__(
        self,
        path: Path,
        results: BinaryIO | None,
        traces: BinaryIO | None,
        manifest: Manifest,
    ):
        self._results = results
        self._traces = traces
        self._places = RowPlaces(path, results, traces)
        self.facts = _facts(manifest, finished=len(self._places), running=is_running(path))

    def __iter__(self) -> Iterator[TopicRows]:
        """All topics that have a row, in the order of the dataset. Raises ResultsError for a
        damaged line.
        """
        if self._results is None:
            return
        for index in self._places:
            calls = [] if self._traces is None else self._places.calls(self._traces, index)
            row = result_row(self._places.row(self._results, index))
            yield TopicRows(row=row, calls=[span_row(call) for call in calls])


def _facts(manifest: Manifest, *, finished: int, running: bool) -> RunFacts:
    identity = manifest.identity
    return RunFacts(
        run_id=manifest.run_id,
        status=manifest.status,
        created_at=manifest.created_at,
        workflow=identity.get("workflow"),
        endpoint=identity.get("endpoint"),
        model=identity.get("model"),
        dataset=manifest.dataset.path,
        topics=manifest.dataset.topics,
        end=max(manifest.dataset.end or 0, manifest.dataset.topics),
        finished=finished,
        running=running,
    )


@contextmanager
def open_run(path: Path) -> Iterator[RunRows]:
    """The run in a directory, finished or not. Raises ResultsError if it is none, or is damaged."""
    manifest = read_manifest(path)
    with ExitStack() as opened:
        # The results first: whatever they name, the calls of it are in the traces already.
        results = opened_file(path / RESULTS_FILE, opened)
        traces = opened_file(path / TRACES_FILE, opened)
        yield RunRows(path, results, traces, manifest)
