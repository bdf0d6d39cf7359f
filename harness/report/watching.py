"""The runs of a directory, looked at again and again while they may grow: each is read once, and
then read on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.domain.outlay import Outlay
from harness.errors import ResultsError
from harness.records.directory_lock import LOCK_FILE
from harness.records.manifest import RUN_FILE
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running
from harness.records.run import Place, Run
from harness.report.away import down_in
from harness.report.detail import detail_of
from harness.report.digest import Digest
from harness.report.summary import state_of, summary_of

_FILES = (RUN_FILE, RESULTS_FILE, TRACES_FILE)


class WatchedRun:
    """One run. Its methods read files: call them beside the event loop. They may be called from
    several threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.took_s = 0.0
        self._lock = threading.Lock()
        self._run = Run(path)
        self._generation = -1
        self._digest = Digest()
        self._places: dict[int, Place] = {}
        self._summary: tuple[str, Mapping[str, Any]] | None = None

    def stamp(self) -> str:
        """A text that is another one whenever the run may look otherwise."""
        running = is_running(self.path)
        files = map(_size_and_time, (self.path / name for name in _FILES))
        return "-".join(map(str, (*files, running, down_in(self.path) if running else None)))

    def summary(self) -> Mapping[str, Any]:
        """Return the page's data before a topic is opened. Raises ResultsError."""
        stamp, running = self.stamp(), is_running(self.path)
        down = down_in(self.path) if running else None
        with self._lock:
            if self._summary is None or self._summary[0] != stamp:
                began = time.monotonic()
                self._read_on()
                read = self._run
                found = summary_of(
                    self.path.name,
                    read.manifest,
                    read.standing,
                    self._digest,
                    running=running,
                    down=down,
                )
                self._summary = stamp, {**found, "base": f"run/{quote(self.path.name, safe='')}/"}
                self.took_s = time.monotonic() - began
            return self._summary[1]

    def topic(self, index: int) -> dict[str, Any] | None:
        """A topic, whole, by its place in the dataset; None if it is not finished. Raises
        ResultsError.
        """
        with self._lock:
            self._read_on()
            place = self._places.get(index)
            if place is None:
                return None
            topic = self._run.topic_at(place)
        return detail_of(topic)

    def line(self) -> dict[str, Any]:
        """The run in the list of all. What is wrong with it is a part of it."""
        running = is_running(self.path)
        down = down_in(self.path) if running else None
        with self._lock:
            try:
                self._run.look()
            except ResultsError as error:
                return {"name": self.path.name, "problem": str(error)}
            manifest, unfinished = self._run.manifest, self._run.unfinished
            totals = self._run.standing.totals.rounded()
        cost = Outlay.of(totals, manifest.journal).cost
        return {
            "name": self.path.name,
            "state": state_of(
                manifest, running=running, failed=totals.failed, missing=unfinished, down=down
            ),
            "ok": totals.ok,
            "degraded": totals.degraded,
            "failed": totals.failed,
            "unfinished": unfinished,
            "cost": round(cost, 9) if cost > 0 or not totals.unpriced else None,
            "wall_s": None if running else manifest.wall_s,
            "model": manifest.identity.get("model"),
            "created_at": manifest.created_at,
        }

    def _read_on(self) -> None:
        run = self._run
        run.look()
        if run.generation != self._generation:
            self._generation, self._digest, self._places = run.generation, Digest(), {}
        for topic in run.topics():
            self._digest.add(topic)
            self._places[topic.result.index] = topic.at


class WatchedDirectory:
    """All runs of a directory, or the only one if it is a run itself."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
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

    def stamp(self) -> str:
        """A text that is another one whenever the list may look otherwise."""
        return " ".join(f"{run.path.name}-{run.stamp()}" for run in self._all())

    def listing(self) -> dict[str, Any]:
        """The list of the runs as the page shows it."""
        return {"directory": f"{self.path.name}/", "runs": [run.line() for run in self._all()]}

    def _all(self) -> Iterator[WatchedRun]:
        return map(self._watched, self.names())

    def _watched(self, name: str) -> WatchedRun:
        if name not in self._runs:
            single = (self.path / RUN_FILE).exists()
            self._runs[name] = WatchedRun(self.path if single else self.path / name)
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
