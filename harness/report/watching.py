"""The runs of a directory, looked at again and again while they may grow: each is read once, a
slice at a time, and then read on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.errors import ResultsError
from harness.records.directory_lock import LOCK_FILE
from harness.records.manifest import RUN_FILE, read_manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running
from harness.report.away import down_in
from harness.report.detail import detail_of
from harness.report.digest import Digest
from harness.report.reading import RunReader
from harness.report.summary import Sums, numbers_of, overview_of
from harness.report.topic_index import TopicIndex, TopicTable

SLICE_S = 0.25
"""Seconds of reading that a request waits for."""

NUMBERS = ("time", "attempts", "steps", "series", "shares")
"""The parts of a summary that are made from all calls."""

_FILES = (RUN_FILE, RESULTS_FILE, TRACES_FILE)
# Numbers that take a second are not made anew every second.
_REST, _LONGEST_REST_S = 4.0, 60.0
_A_CALL_S = 5e-5


class WatchedRun:
    """One run and what is shown of it. Its methods read files: call them beside the event loop.
    They may be called from several threads: one reads, all others see what it showed last.
    """

    def __init__(self, path: Path, table: TopicTable) -> None:
        self.path = path
        self.table = table
        self._lock = threading.Lock()
        self._reader = RunReader(path, table)
        self._numbers = _Numbers()
        self._files: str | None = None
        self._rows_of: str | None = None
        self._calls_of: str | None = None
        self._listed_of: str | None = None
        self._problem: str | None = None
        self._shown: Mapping[str, Any] | None = None
        self._changes = 0

    def stamp(self) -> str:
        """A text that is another one whenever another thing is shown."""
        return f"{self._changes:x}"

    def file_stamp(self) -> str:
        """A text that is another one whenever the run may have changed."""
        running = is_running(self.path)
        files = map(_size_and_time, (self.path / name for name in _FILES))
        return "-".join(map(str, (*files, running, down_in(self.path) if running else None)))

    def listed_stamp(self) -> str:
        """A text that is another one whenever the list may tell another thing of the run."""
        files = self.file_stamp()
        is_being_read = self._files is not None and self._rows_of != files
        return f"{files}-{self._changes}" if is_being_read else files

    def read_on(self, for_s: float = SLICE_S, *, calls: bool = True, patient: bool = False) -> bool:
        """Read what came, for so many seconds at most; returns whether all of it is read.

        Without `calls` the rows are enough. Numbers that take longer than a slice are made only
        for one who is `patient`. Where another thread reads, this one does not wait for it, unless
        nothing is shown yet.
        """
        nothing_shown = self._shown is None and self._problem is None
        if not self._lock.acquire(blocking=nothing_shown):
            return False
        try:
            files, until = self.file_stamp(), time.monotonic() + for_s
            before = (self._files, self._problem, self._reader.progress, self._numbers.made)
            read = self._read(files, until, calls=calls)
            if read and calls:
                self._make_numbers(files, patient=patient)
            if before != (files, self._problem, self._reader.progress, self._numbers.made):
                self._files = files
                self._show()
            return read and (not calls or self._numbers.made > 0 or self._problem is not None)
        finally:
            self._lock.release()

    def summary(self) -> Mapping[str, Any]:
        """Read on, and return what `shown` does then."""
        self.read_on()
        return self.shown()

    def topic(self, index: int) -> dict[str, Any] | None:
        """A topic, whole, by its place in the dataset; None if it is not finished. Raises
        ResultsError.
        """
        self.read_on()
        found = self._reader.topic(index)
        return None if found is None else detail_of(found)

    def line(self, for_s: float = SLICE_S) -> dict[str, Any]:
        """The run in the list of all. What is wrong with it is a part of it.

        A run that ended says itself what it came to: its rows are not read.
        """
        running = is_running(self.path)
        try:
            manifest = read_manifest(self.path)
            sums = Sums.told(manifest, running=running)
            if sums is None:
                self.read_on(for_s, calls=False)
                shown = self.shown()
            else:
                shown = overview_of(self.path.name, manifest, sums, Digest(), running=running)
        except ResultsError as error:
            return {"name": self.path.name, "problem": str(error)}
        totals, money = shown["totals"], shown["money"]
        return {
            "name": self.path.name,
            "state": shown["state"],
            **{name: totals[name] for name in ("ok", "degraded", "failed", "unfinished")},
            "cost": round(money["cost"], 9) if money["known"] else None,
            "wall_s": None if running else manifest.wall_s,
            "model": manifest.identity.get("model"),
            "created_at": manifest.created_at,
        }

    def count_on(self, for_s: float) -> bool:
        """Read rows for the list, if it needs them; returns whether it has what it needs."""
        files = self.file_stamp()
        if self._listed_of != files:
            try:
                told = Sums.told(read_manifest(self.path), running=is_running(self.path))
            except ResultsError:
                # The list says it.
                return True
            if told is None and not self.read_on(for_s, calls=False):
                return False
            self._listed_of = files
        return True

    def shown(self) -> Mapping[str, Any]:
        """Return the page's data without its topics, as of the last reading. Raises ResultsError.

        `reading` is the share that is read, None for a run that is read; `rows_read` says whether
        all rows are. `made` is another number
        when those over all calls are, `stamp` is what `stamp` was.
        """
        if self._problem is not None or self._shown is None:
            raise ResultsError(self._problem or f"{self.path}: could not be read")
        return self._shown

    def _read(self, files: str, until: float, *, calls: bool) -> bool:
        """Return whether all is read that these files say."""
        try:
            if self._rows_of != files:
                self._calls_of = None
                if not self._reader.read_rows(until):
                    return False
                self._rows_of = files
            if calls and self._calls_of != files:
                if not self._reader.read_calls(until):
                    return False
                self._calls_of = files
        except ResultsError as error:
            self._problem = str(error)
            return True
        self._problem = None
        return True

    def _make_numbers(self, files: str, *, patient: bool) -> None:
        """Make the numbers over all calls anew, if they are of another state and are not dear."""
        if self._problem is not None or self._numbers.of == files:
            return
        cost_s = max(self._numbers.took_s, self._reader.digest.calls * _A_CALL_S)
        rested_s = time.monotonic() - self._numbers.at_s
        dear = cost_s > SLICE_S
        if dear and (not patient or rested_s < min(_LONGEST_REST_S, _REST * self._numbers.took_s)):
            return
        reader, running = self._reader, is_running(self.path)
        began = time.monotonic()
        self._numbers = _Numbers(
            told=numbers_of(
                reader.manifest, reader.sums(running=running).totals, reader.digest, running=running
            ),
            of=files,
            made=self._numbers.made + 1,
            at_s=time.monotonic(),
            took_s=time.monotonic() - began,
        )

    def _show(self) -> None:
        self._changes += 1
        if self._problem is not None:
            return
        all_read = self._calls_of == self._files
        reader, running = self._reader, is_running(self.path)
        down = down_in(self.path) if running else None
        sums, name = reader.sums(running=running), self.path.name
        overview = overview_of(
            name, reader.manifest, sums, reader.digest, running=running, down=down
        )
        told = self._numbers.told
        if told is None:
            told = numbers_of(reader.manifest, sums.totals, Digest(), running=running)
        counts = self.table.cause_counts()
        for status, causes in overview["troubles"].items():
            for number, cause in enumerate(causes):
                cause["count"] = counts.get((status, number), 0)
        self._shown = {
            **overview,
            **told,
            "reading": None if all_read and self._numbers.made else reader.share(),
            "rows_read": self._rows_of == self._files,
            "made": self._numbers.made,
            "stamp": self.stamp(),
            "base": f"run/{quote(name, safe='')}/",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """The numbers over all calls, of which state of the files, and how long they took."""

    told: Mapping[str, Any] | None = None
    of: str | None = None
    made: int = 0
    at_s: float = 0.0
    took_s: float = 0.0


class WatchedDirectory:
    """All runs of a directory, or the only one if it is a run itself."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.index = TopicIndex()
        self._runs: dict[str, WatchedRun] = {}

    def names(self) -> list[str]:
        """The names of the runs, the latest first."""
        if (self.path / RUN_FILE).exists():
            return [self.path.name]
        with _gone_is_empty():
            runs = [entry.parent for entry in self.path.glob(f"*/{RUN_FILE}")]
            return [
                run.name
                for run in sorted(runs, key=lambda run: (_begun_ns(run), run.name), reverse=True)
            ]
        return []

    def run(self, name: str) -> WatchedRun | None:
        """The run of this name; None if there is none."""
        return self._watched(name) if name in self.names() else None

    def read_on(self, for_s: float) -> bool:
        """Read what the list needs of its runs, for so many seconds in all; returns whether it has
        all of it.
        """
        until = time.monotonic() + for_s
        return all(run.count_on(max(0.0, until - time.monotonic())) for run in self._all())

    def stamp(self) -> str:
        """A text that is another one whenever the list may look otherwise."""
        return " ".join(f"{run.path.name}-{run.listed_stamp()}" for run in self._all())

    def listing(self) -> dict[str, Any]:
        """The list of the runs as the page shows it."""
        until = time.monotonic() + 2 * SLICE_S
        lines = [run.line(max(0.0, until - time.monotonic())) for run in self._all()]
        return {"directory": f"{self.path.name}/", "runs": lines}

    def _all(self) -> Iterator[WatchedRun]:
        return map(self._watched, self.names())

    def _watched(self, name: str) -> WatchedRun:
        if name not in self._runs:
            single = (self.path / RUN_FILE).exists()
            path = self.path if single else self.path / name
            self._runs[name] = WatchedRun(path, self.index.new_table())
        return self._runs[name]


def _begun_ns(run: Path) -> int:
    """The time at which the directory was made, as far as one can tell: its lock is never written
    to.
    """
    lock = run / LOCK_FILE
    return (lock if lock.exists() else run / RUN_FILE).stat().st_mtime_ns


def _size_and_time(path: Path) -> str:
    with _gone_is_empty():
        found = path.stat()
        return f"{found.st_size:x}.{found.st_mtime_ns:x}.{found.st_ino:x}"
    return ""


@contextmanager
def _gone_is_empty() -> Iterator[None]:
    """A file that is removed while one looks is one that is not there."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        return
