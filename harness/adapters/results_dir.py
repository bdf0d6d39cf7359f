"""A results directory: `run.json`, `results.jsonl` (a row a topic), `traces.jsonl` (a row a call).

Rows are appended as topics finish, the calls of a topic before its row. A topic that is run again appends a new row; of
several rows of one topic the last one counts, and the calls that belong to it are those of its session. `compact` makes
this literally true by writing both files anew beside the old ones and moving them into place. A torn last line, as a
crash may leave it, is cut off when the directory is opened: its topic has no row then, and is run again from the cache.
Lines are not synced to the disk one by one: what a power cut takes is restored from the cache without a payment.
"""

from __future__ import annotations

import fcntl
import json
import os
from array import array
from asyncio import get_running_loop
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.lowlevel
import anyio.to_thread

from harness.adapters.codec import to_text
from harness.adapters.rows import result_to_row, span_to_row
from harness.domain.completion import Json
from harness.domain.run import Span, TopicResult
from harness.errors import ResultsError, StorageError

RUN_FILE = "run.json"
RESULTS_FILE = "results.jsonl"
TRACES_FILE = "traces.jsonl"
LOCK_FILE = "run.lock"


class ResultsDir:
    """The results of one run, written by one process at a time.

    Open it with `create_or_continue`; it holds an exclusive lock on the directory until `close`.
    """

    def __init__(self, path: Path, lock: BinaryIO, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._lock_file = lock
        self._writing = anyio.Lock()
        self._results = _Appended(path / RESULTS_FILE)
        self._traces = _Appended(path / TRACES_FILE)

    @property
    def session(self) -> int:
        return int(self.manifest["sessions"])

    @classmethod
    def create_or_continue(cls, path: Path, describe: Callable[[dict[str, Any] | None], dict[str, Any]]) -> ResultsDir:
        """Open a directory for a run, new or to be continued.

        `describe` is given what `run.json` says, or None where there is none, and returns what it shall say from now
        on; it raises ResultsError where the run cannot be continued. Raises ResultsError for a directory that is in
        use, that holds something else, or that cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be made: {error.strerror}; choose another with --out DIR") from error
        lock = _locked(path)
        try:
            known = read_manifest(path) if (path / RUN_FILE).exists() else None
            if known is None and any(entry.name != LOCK_FILE for entry in path.iterdir()):
                raise ResultsError(
                    f"{path}: holds files but no {RUN_FILE}, so it is not a run of ours; choose another with --out DIR"
                )
            manifest = describe(known)
            manifest["sessions"] = (known["sessions"] if known else 0) + 1
            _write_whole(path / RUN_FILE, _pretty(manifest))
            for name in (RESULTS_FILE, TRACES_FILE):
                _cut_torn_line(path / name)
            return cls(path, lock, manifest)
        except OSError as error:
            lock.close()
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from error
        except BaseException:
            lock.close()
            raise

    def finished(self) -> Finished:
        """Which topics have a row that a continued run leaves as it is."""
        finished = Finished()
        for row in read_results(self.path):
            finished.add(row["index"], row["status"])
        return finished

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Append the calls of a topic and then its row; both are with the operating system on return."""
        async with self._writing:
            await _in_thread(lambda: self._append(result, spans))

    def update(self, changes: Mapping[str, Json]) -> None:
        """Replace `run.json`, atomically."""
        self.manifest.update(changes)
        with _storage_errors(self.path / RUN_FILE):
            _write_whole(self.path / RUN_FILE, _pretty(self.manifest))

    def compact(self) -> None:
        """Leave one row a topic, and the calls that belong to it. Each file is replaced atomically, traces first."""
        latest = _latest_sessions(self.path)
        for name, appended in ((TRACES_FILE, self._traces), (RESULTS_FILE, self._results)):
            if all(latest.count(row) for _, row in _lines(self.path / name)):
                continue
            with _storage_errors(self.path / name):
                appended.close()
                _write_whole(self.path / name, (raw for raw, row in _lines(self.path / name) if latest.count(row)))

    def close(self) -> None:
        """Flush to the disk and give the directory free."""
        try:
            self._traces.close()
            self._results.close()
        finally:
            self._lock_file.close()

    def _append(self, result: TopicResult, spans: Sequence[Span]) -> None:
        with _storage_errors(self.path):
            calls = [to_text(span_to_row(span, index=result.index, session=self.session)) for span in spans]
            self._traces.append(calls)
            self._results.append([to_text(result_to_row(result, session=self.session))])


class Finished:
    """The topics that need no more work, a byte each: what ended ok or degraded. Failed ones are tried again."""

    def __init__(self) -> None:
        self._done = bytearray()
        self.counts: dict[str, int] = {"ok": 0, "degraded": 0, "failed": 0}

    def add(self, index: int, status: str) -> None:
        self.counts[status] += 1
        if status != "failed":
            self._done.extend(bytes(max(0, index + 1 - len(self._done))))
            self._done[index] = 1

    def __contains__(self, index: int) -> bool:
        return index < len(self._done) and self._done[index] == 1


class _Appended:
    """A file that lines are appended to, opened at the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def append(self, lines: Sequence[str]) -> None:
        if self._file is None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
        elif not self._still_there():
            raise FileNotFoundError(2, "was deleted or replaced while the run was writing it", str(self._path))
        data = b"".join(line.encode("utf-8") + b"\n" for line in lines)
        start = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError:
            os.ftruncate(self._file.fileno(), start)
            raise

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file.fileno())
            finally:
                file.close()

    def _still_there(self) -> bool:
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(self._file.fileno())
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)


class _storage_errors:  # noqa: N801 - used as a statement
    """Translate what the operating system says about a file into StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise StorageError(
                f"{error.filename or self._path}: cannot be written: {error.strerror or error}; "
                "what was written before stays readable, and the run can be resumed"
            ) from error


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


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run, one a topic, in the order in which they were finished."""
    latest = _latest_sessions(path)
    return (row for _, row in _lines(path / RESULTS_FILE) if latest.count(row))


def read_spans(path: Path, topic_id: str | None = None) -> Iterator[dict[str, Any]]:
    """The calls of a run, or of one of its topics, that belong to the rows that count."""
    latest = _latest_sessions(path)
    rows = (row for _, row in _lines(path / TRACES_FILE) if latest.count(row))
    return rows if topic_id is None else (row for row in rows if row["topic_id"] == topic_id)


class _Sessions:
    """The last session in which each topic got a row, by the topic's index: four bytes a topic."""

    def __init__(self) -> None:
        self._by_index = array("I")

    def note(self, row: Mapping[str, Any]) -> None:
        missing = row["index"] + 1 - len(self._by_index)
        if missing > 0:
            self._by_index.extend([0] * missing)
        self._by_index[row["index"]] = max(self._by_index[row["index"]], row["session"])

    def count(self, row: Mapping[str, Any]) -> bool:
        """Whether this row, or the row of this call, is the one that counts."""
        index: int = row["index"]
        return index < len(self._by_index) and bool(self._by_index[index] == row["session"])


def _latest_sessions(path: Path) -> _Sessions:
    latest = _Sessions()
    for _, row in _lines(path / RESULTS_FILE):
        latest.note(row)
    return latest


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Whole lines with their rows; a last line without its end is left out. Raises ResultsError for a broken one."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                return
            try:
                row = json.loads(raw)
                if not (isinstance(row["topic_id"], str) and row["index"] >= 0 and row["session"] >= 1):
                    raise ValueError("topic_id, index or session is wrong")
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise ResultsError(f"{path}:{number}: not a row of ours: {error}; restore or remove the line") from None
            yield raw, row


def _cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        block, at = 65536, size
        while at > 0:
            start = max(0, at - block)
            file.seek(start)
            end = file.read(at - start).rfind(b"\n")
            if end >= 0:
                file.truncate(start + end + 1)
                return
            at = start
        file.truncate(0)


def _locked(path: Path) -> BinaryIO:
    try:
        lock = os.fdopen(os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600), "rb+")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}; choose another with --out DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ResultsError(
            f"{path}: in use by another process; wait for it, or choose another with --out DIR"
        ) from None
    return lock


def _write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file beside its place and move it in, so that a reader sees the old one or the new one."""
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _pretty(value: Mapping[str, Any]) -> Iterable[bytes]:
    return [json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"]


async def _in_thread(work: Callable[[], None]) -> None:
    """Run in a worker thread; a loop whose clock jumps is told that real work is under way."""
    with getattr(get_running_loop(), "real", nullcontext)():
        await anyio.to_thread.run_sync(work)
