"""What a cache file tells of calls that were paid for: when each was sent, how long it took, what came back.

The file is read and left untouched.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.cache.reports import Sound, checked
from harness.adapters.cache.sqlite_schema import APPLICATION_ID
from harness.adapters.cache_entry import instant
from harness.domain.completion import Completion, Request
from harness.errors import CacheError

# Stamps are texts that sort as the instants do.
_RUNS = """
SELECT run_id, count(DISTINCT topic_id), count(*) FILTER (WHERE outcome = 'stored') AS answers, max(closed_at) AS last
FROM calls WHERE outcome <> 'open' GROUP BY run_id HAVING answers > 0 ORDER BY last DESC
"""
# Columns that came with later versions are left out: a file that is only read is not brought to the version of today.
_ANSWER = """
SELECT CAST(key AS BLOB), CAST(request AS BLOB), CAST(value AS BLOB), CAST(digest AS BLOB), CAST(created_at AS BLOB),
       CAST(run_id AS BLOB), CAST('' AS BLOB), CAST('' AS BLOB), NULL
FROM responses WHERE key = ?
"""
_TOPICS = "SELECT DISTINCT topic_id FROM calls WHERE run_id = ? AND outcome <> 'open'"
_SENT = """
SELECT topic_id, span_id, key, opened_at, closed_at, outcome, cost, tokens, error FROM calls
WHERE run_id = ? AND outcome <> 'open' ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRun:
    """A run that the journal of a cache knows, with the topics that it asked for and its answers.

    `last` is when the last of its requests came back.
    """

    run_id: str
    topics: int
    answers: int
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A request that left and came back, answered or not. Times in seconds since the epoch; `cost` None: not known."""

    topic_id: str
    span_id: str
    key: str
    sent_s: float
    ended_s: float
    answered: bool
    cost: float | None
    tokens: int
    error: str


class RecordedTimes:
    """Looks things up in a cache file. Made by `open`, ended by `close`; every method raises CacheError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> RecordedTimes:
        """Raises CacheError for a file that is no cache of ours, or cannot be read."""
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?{_how(path)}", uri=True)
        except sqlite3.Error as error:
            raise CacheError(f"{path}: cannot be read: {error}") from error
        try:
            connection.execute("PRAGMA query_only = ON")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise CacheError(f"{path}: not a cache that can be read: {error}") from error
        if application_id != APPLICATION_ID:
            connection.close()
            raise CacheError(f"{path}: not a cache of ours, such as .harness/cache.db")
        return cls(path, connection)

    def latency_s(self, key: str) -> float | None:
        """Seconds of the attempt that brought the answer; None if there is no such entry, or it does not tell."""
        with self._readable():
            row = self._connection.execute("SELECT value FROM responses WHERE key = ?", (key,)).fetchone()
        try:
            took = json.loads(row[0])["served"]["latency_s"] if row is not None else None
        except (ValueError, KeyError, TypeError):
            return None
        return float(took) if isinstance(took, int | float) and took > 0 else None

    def runs(self) -> tuple[CachedRun, ...]:
        """The runs that have answers here, the latest first."""
        with self._readable():
            return tuple(
                CachedRun(run_id=run_id, topics=topics, answers=answers, last=last)
                for run_id, topics, answers, last in self._connection.execute(_RUNS)
            )

    def topic_ids(self, run_id: str) -> Iterator[str]:
        """The topics of a run whose requests came back, each once."""
        with self._readable():
            for (topic_id,) in self._connection.execute(_TOPICS, (run_id,)):
                yield topic_id

    def sent(self, run_id: str) -> Iterator[SentRequest]:
        """The requests of a run that came back, in the order in which they were sent."""
        with self._readable():
            for row in self._connection.execute(_SENT, (run_id,)):
                topic_id, span_id, key, opened_at, closed_at, outcome, cost, tokens, error = row
                yield SentRequest(
                    topic_id=topic_id,
                    span_id=span_id,
                    key=key,
                    sent_s=instant(opened_at).timestamp(),
                    ended_s=instant(closed_at).timestamp(),
                    answered=outcome == "stored",
                    cost=cost,
                    tokens=tokens or 0,
                    error=error or "",
                )

    def answer(self, key: str) -> tuple[Request, Completion] | None:
        """What was asked and what is kept of the answer; None if there is no such entry, or it is damaged."""
        with self._readable():
            row = self._connection.execute(_ANSWER, (key,)).fetchone()
        found = None if row is None else checked(row)
        return (found.request, found.stored.completion) if isinstance(found, Sound) else None

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Tell of what cannot be read as a CacheError: the disk's fault, or a stamp that is none."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise CacheError(f"{self._path}: cannot be read: {error}") from error


def _how(path: Path) -> str:
    """How to open a file that is only read.

    SQLite needs files beside it while it reads, and takes them away again only where it may write. Where it may not,
    and no other process has left any, nobody writes.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    return "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
