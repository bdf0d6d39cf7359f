"""A results directory: `run.json`, `results.jsonl` (a row a topic), `traces.jsonl` (a row a call).

Rows are appended as topics finish, the calls of a topic before its row. A topic that is run again appends a new row: of
several rows of one topic the last counts, and the calls of its session belong to it. `compact` makes that literally
true by writing both files anew beside the old ones and moving them in.

After a crash the last line may be torn, and the last calls may lack their row, as one topic is written at a time; both
are cut off when the directory is opened, and the topic is run again from the cache. Lines are not synced to the disk
one by one: what a power cut takes is restored from the cache without a payment.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import anyio

from harness.adapters.codec import to_text
from harness.adapters.jsonl_file import (
    AppendedFile,
    cut_torn_line,
    last_lines_of,
    lines_of,
    pretty,
    storage_errors,
    write_whole,
)
from harness.adapters.rows import result_to_row, span_to_row
from harness.adapters.run_standing import Standing
from harness.adapters.threads import in_thread
from harness.domain.completion import Json
from harness.domain.run import Span, TopicResult
from harness.errors import ResultsError

RUN_FILE = "run.json"
RESULTS_FILE = "results.jsonl"
TRACES_FILE = "traces.jsonl"
LOCK_FILE = "run.lock"

Describe = Callable[[dict[str, Any] | None], dict[str, Any]]


class ResultsDir:
    """The results of one run, written by one process at a time: it holds a lock on the directory until `close`.

    `standing` is how the run stands, kept up to date with every row. Made by `create_or_continue`.
    """

    def __init__(self, path: Path, lock: BinaryIO, manifest: dict[str, Any], standing: Standing) -> None:
        self.path = path
        self.manifest = manifest
        self.standing = standing
        self._lock_file = lock
        self._writing = anyio.Lock()
        self._results = AppendedFile(path / RESULTS_FILE)
        self._traces = AppendedFile(path / TRACES_FILE)

    @property
    def session(self) -> int:
        """How often the run was begun or continued, from 1."""
        return int(self.manifest["sessions"])

    @classmethod
    def create_or_continue(cls, path: Path, describe: Describe) -> ResultsDir:
        """Open a directory for a run, new or to be continued.

        `describe` is given what `run.json` says, or None where there is none, and returns what it shall say from now
        on; it raises ResultsError where the run cannot be continued. Raises ResultsError for a directory that is in
        use, holds something else, or cannot be written.
        """
        existed = path.is_dir()
        try:
            if existed and not (path / RUN_FILE).exists() and any(path.iterdir()):
                raise ResultsError(
                    f"{path}: holds files but no {RUN_FILE}, so it is not a run of ours; choose another with --out DIR"
                )
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = _locked(path)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be made: {error.strerror}; choose another with --out DIR") from error
        try:
            known = read_manifest(path) if existed and (path / RUN_FILE).exists() else None
            manifest = {**describe(known), "sessions": (known["sessions"] if known else 0) + 1}
            standing = _repaired(path, manifest["sessions"] - 1)
            write_whole(path / RUN_FILE, pretty(manifest))
            return cls(path, lock, manifest, standing)
        except OSError as error:
            lock.close()
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from error
        except BaseException:
            lock.close()
            if not existed and not (path / RUN_FILE).exists():
                (path / LOCK_FILE).unlink()
                path.rmdir()
            raise

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Append the calls of a topic and then its row; both are with the operating system on return.

        Raises StorageError if the disk fails or the files were deleted.
        """
        async with self._writing:
            await in_thread(lambda: self._append(result, spans))

    def update(self, changes: Mapping[str, Json]) -> None:
        """Replace `run.json` by one with these changes. Raises StorageError."""
        self.manifest.update(changes)
        with storage_errors(self.path / RUN_FILE):
            if not self.path.is_dir():
                raise FileNotFoundError(2, "was deleted during the run", str(self.path))
            write_whole(self.path / RUN_FILE, pretty(self.manifest))

    def compact(self) -> None:
        """Leave one row a topic, and the calls that belong to it, if any topic was run again. Raises StorageError."""
        if not self.standing.superseded:
            return
        for file in (self._traces, self._results):
            with storage_errors(file.path):
                file.close()
                write_whole(file.path, (raw for raw, row in lines_of(file.path) if self.standing.counts(row)))
        self.standing.superseded = 0

    def close(self) -> None:
        """Sync to the disk and give the directory free. Raises StorageError."""
        try:
            with storage_errors(self.path):
                self._traces.close()
                self._results.close()
        finally:
            self._lock_file.close()

    def _append(self, result: TopicResult, spans: Sequence[Span]) -> None:
        row = result_to_row(result, session=self.session)
        calls = [to_text(span_to_row(span, index=result.index, session=self.session)) for span in spans]
        with storage_errors(self.path):
            self._traces.append(calls)
            self._results.append([to_text(row)])
        self.standing.add(row)


def read_manifest(path: Path) -> dict[str, Any]:
    """What `run.json` says. Raises ResultsError if the directory is no run or the file is damaged."""
    try:
        manifest = json.loads((path / RUN_FILE).read_bytes())
    except FileNotFoundError:
        raise ResultsError(f"{path}: not a run: there is no {RUN_FILE}; expected a directory under results/") from None
    except NotADirectoryError:
        raise ResultsError(f"{path}: not a run: it is a file; expected a directory under results/") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path / RUN_FILE}: cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sessions"), int) or "run_id" not in manifest:
        raise ResultsError(f"{path / RUN_FILE}: not the description of a run")
    return manifest


def read_standing(path: Path) -> Standing:
    """How a run stands, from its rows; it may be running. Raises ResultsError for a damaged row."""
    standing = Standing()
    for _, row in lines_of(path / RESULTS_FILE):
        standing.add(row)
    return standing


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run, one a topic, in the order in which they were finished."""
    standing = read_standing(path)
    return (row for _, row in lines_of(path / RESULTS_FILE) if standing.counts(row))


def read_spans(path: Path, topic_id: str | None = None) -> Iterator[dict[str, Any]]:
    """The calls of a run, or of one of its topics, that belong to the rows that count."""
    standing = read_standing(path)
    rows = (row for _, row in lines_of(path / TRACES_FILE) if standing.counts(row))
    return rows if topic_id is None else (row for row in rows if row["topic_id"] == topic_id)


def is_running(path: Path) -> bool:
    """Whether a process holds the directory now."""
    try:
        with (path / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _repaired(path: Path, last_session: int) -> Standing:
    """Cut off what a crash of the last session left unfinished at the ends of both files."""
    for name in (RESULTS_FILE, TRACES_FILE):
        cut_torn_line(path / name)
    standing = read_standing(path)
    cut_at: int | None = None
    for offset, call in last_lines_of(path / TRACES_FILE):
        if standing.counts(call) or call["session"] < last_session:
            break
        cut_at = offset
    if cut_at is not None:
        os.truncate(path / TRACES_FILE, cut_at)
    return standing


def _locked(path: Path) -> BinaryIO:
    lock = os.fdopen(os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600), "rb+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ResultsError(f"{path}: in use by another process; wait for it, or choose another directory") from None
    return lock
