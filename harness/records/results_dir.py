"""A results directory: `run.json`, `results.jsonl` (a row a topic), `traces.jsonl` (a row a call).

Rows are appended as topics finish, the calls of a topic before its row. A topic that is run again
appends a new row: of several rows of one topic the last counts, and the calls of its session belong
to it. `finish` makes that literally true by writing both files anew beside the old ones and moving
them in.

After a crash the last line may be torn, and the last calls may lack their rows, as the calls of
topics that end together are written before their rows; both are cut off when the directory is
opened, and the topics are run again from the cache. Lines are not synced to the disk one by one:
what a power cut takes is restored from the cache without a payment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from harness.domain.completion import Json
from harness.domain.run import Span, TopicResult
from harness.errors import ResultsError, StorageError
from harness.machine.batching import Batches, Lane
from harness.machine.threads import in_thread
from harness.records.directory_lock import LOCK_FILE, DirectoryLock, is_locked
from harness.records.json_text import to_text
from harness.records.jsonl_file import (
    NEW_SUFFIX,
    AppendedFile,
    count_lines,
    cut_torn_line,
    last_texts_of,
    pretty,
    storage_errors,
    texts_of,
    write_whole,
)
from harness.records.manifest import RUN_FILE, Manifest, read_manifest
from harness.records.rows import result_to_row, span_to_row
from harness.records.run_standing import Standing
from harness.records.stored import owner_of, results_in

RESULTS_FILE = "results.jsonl"
TRACES_FILE = "traces.jsonl"
KEPT_INPUTS = ("dataset.jsonl", "dataset.txt")
LINES_FILE = "dataset.lines"
LIVE_FILE = "live.json"

# What a run that was killed before its `run.json` may have left.
_BEGINNINGS = {
    *(LOCK_FILE, RUN_FILE + NEW_SUFFIX, LINES_FILE, LINES_FILE + NEW_SUFFIX),
    *KEPT_INPUTS,
    *(f".{name}.part" for name in KEPT_INPUTS),
}

Describe = Callable[[Manifest | None], dict[str, Any]]

_Finished: TypeAlias = tuple[TopicResult, Sequence[Span]]


class ResultsDir:
    """The results of one run, written by one process at a time: it holds a lock on the directory
    until `close`.

    `standing` is how the run stands, kept up to date with every row. Made by `create_or_continue`.
    """

    def __init__(
        self, path: Path, lock: DirectoryLock, manifest: Manifest, standing: Standing
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.standing = standing
        self._lock = lock
        self._begun = False
        self._results = AppendedFile(path / RESULTS_FILE)
        self._traces = AppendedFile(path / TRACES_FILE)
        self._topics: Lane[_Finished, None] = Lane(self._append_beside, of=str(path))
        self._batches = Batches(self._topics)

    @property
    def session(self) -> int:
        """The number of times that the run was begun or continued, from 1."""
        return self.manifest.sessions

    @classmethod
    def create_or_continue(cls, path: Path, describe: Describe) -> ResultsDir:
        """Take a directory for a run, new or to be continued; until `begin` nothing in it says so.

        `describe` is given what `run.json` says, or None where there is none, and returns what it
        shall say from now on; it raises ResultsError where the run cannot be continued. Raises
        ResultsError for a directory that is in use, holds something else, or cannot be written.
        """
        try:
            _refuse_foreign(path)
            lock = DirectoryLock.take(path)
        except BlockingIOError:
            raise ResultsError(
                f"{path}: in use by another process; wait for it, or choose another directory with"
                " --out DIR"
            ) from None
        except OSError as error:
            raise ResultsError(
                f"{path}: cannot be made: {error.strerror}; choose another with --out DIR"
            ) from error
        try:
            known = read_manifest(path) if (path / RUN_FILE).exists() else None
            sessions = 0 if known is None else known.sessions
            manifest = Manifest.of({**describe(known), "sessions": sessions + 1})
            return cls(path, lock, manifest, _repaired(path, sessions))
        except OSError as error:
            lock.undo()
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from error
        except BaseException:
            lock.undo()
            raise

    def begin(self) -> None:
        """Write `run.json`, and the files of rows without rows where there are none. Raises
        StorageError.

        From now on this is the run's directory.
        """
        with storage_errors(self.path / RUN_FILE):
            self.manifest.write(self.path)
        self._begun = True
        with storage_errors(self.path):
            self._traces.begin()
            self._results.begin()

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Append the calls of a topic and then its row; both are with the operating system on
        return.

        Topics that end at the same time are written together: all their calls, then all their rows,
        in one order. Raises StorageError if the disk fails or the files were deleted.
        """
        await self._batches.add(self._topics, (result, spans))

    def update(self, changes: Mapping[str, Json]) -> None:
        """Replace `run.json` by one with these changes. Raises StorageError."""
        self.manifest = self.manifest.changed(changes)
        with storage_errors(self.path / RUN_FILE):
            self._lock.check()
            self.manifest.write(self.path)

    def tell(self, moment: Mapping[str, Json]) -> None:
        """Replace what other processes are told of the run while it goes on. Raises
        StorageError.
        """
        with storage_errors(self.path / LIVE_FILE):
            self._lock.check()
            write_whole(self.path / LIVE_FILE, pretty(moment), synced=False)

    def finish(self) -> None:
        """Leave one row a topic, and the calls that belong to it. Raises StorageError, also if a
        row is missing.
        """
        if self.standing.superseded:
            for file in (self._traces, self._results):
                with storage_errors(file.path):
                    file.close()
                    write_whole(file.path, self._counting(file.path))
            self.standing.superseded = 0
        expected, found = self.standing.totals.rows, count_lines(self._results.path)
        if found != expected:
            raise StorageError(
                f"{self._results.path}: {expected} rows were written and {found} are there"
            )

    def _counting(self, path: Path) -> Iterator[bytes]:
        for at, raw in texts_of(path):
            owner = owner_of(raw, path, at)
            if self.standing.counts(owner.index, owner.session):
                yield raw

    def close(self) -> None:
        """Sync to the disk and give the directory free; one that was never begun is left as it was
        found.

        Raises StorageError.
        """
        if not self._begun:
            self._lock.undo()
            return
        try:
            with storage_errors(self.path):
                try:
                    self._traces.close()
                finally:
                    self._results.close()
                # From here on the rows and `run.json` say how the run stands.
                (self.path / LIVE_FILE).unlink(missing_ok=True)
        finally:
            self._lock.release()

    async def _append_beside(self, topics: Sequence[_Finished]) -> Sequence[None]:
        return await in_thread(partial(self._append, topics))

    def _append(self, topics: Sequence[_Finished]) -> Sequence[None]:
        rows: list[str] = []
        calls: list[str] = []
        for result, spans in topics:
            rows.append(to_text(result_to_row(result, session=self.session)))
            for span in spans:
                calls.append(to_text(span_to_row(span, index=result.index, session=self.session)))
        with storage_errors(self.path):
            self._lock.check()
            calls_began = self._traces.append(calls)
            try:
                self._results.append(rows)
            except OSError:
                self._traces.cut(calls_began)
                raise
        for result, _ in topics:
            self.standing.add(result, self.session)
        return [None] * len(topics)


def read_standing(path: Path) -> Standing:
    """Read the standing of a run from its rows; it may be running. Raises ResultsError for a
    damaged row.
    """
    standing = Standing()
    for _, row in results_in(path / RESULTS_FILE):
        standing.add(row, row.session)
    return standing


def unfinished_topics(manifest: Manifest, standing: Standing) -> int:
    """Count the topics of a run that have no row."""
    return standing.unfinished(manifest.dataset.topics, manifest.dataset.end)


def is_running(path: Path) -> bool:
    """Return whether a process holds the directory now."""
    return is_locked(path)


def _repaired(path: Path, last_session: int) -> Standing:
    """Cut off what a crash of the last session left unfinished at the ends of both files."""
    for name in (RESULTS_FILE, TRACES_FILE):
        cut_torn_line(path / name)
    standing = read_standing(path)
    standing.forget_bad_lines()
    cut_at: int | None = None
    for offset, raw in last_texts_of(path / TRACES_FILE):
        call = owner_of(raw, path / TRACES_FILE, offset)
        if standing.counts(call.index, call.session) or call.session < last_session:
            break
        cut_at = offset
    if cut_at is not None:
        os.truncate(path / TRACES_FILE, cut_at)
    return standing


def _refuse_foreign(path: Path) -> None:
    if not path.is_dir() or (path / RUN_FILE).exists():
        return
    names = {entry.name for entry in path.iterdir()}
    if names and not (LOCK_FILE in names and names <= _BEGINNINGS):
        raise ResultsError(
            f"{path}: holds files but no {RUN_FILE}, so it is not a run of ours; choose another"
            " with --out DIR"
        )
