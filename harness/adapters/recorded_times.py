"""How long cached answers took when they were paid for: read from a cache file, which is left untouched."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from harness.adapters.sqlite_schema import APPLICATION_ID
from harness.errors import CacheError


class RecordedTimes:
    """Looks up latencies by key. Made by `open`, ended by `close`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> RecordedTimes:
        """Raises CacheError for a file that is no cache of ours, or cannot be read."""
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as error:
            raise CacheError(f"{path}: cannot be read: {error}") from error
        try:
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise CacheError(f"{path}: cannot be read: {error}") from error
        if application_id != APPLICATION_ID:
            connection.close()
            raise CacheError(f"{path}: not a cache of ours")
        return cls(path, connection)

    def latency_s(self, key: str) -> float | None:
        """Seconds of the attempt that brought the answer; None if there is no such entry, or it does not tell."""
        try:
            row = self._connection.execute("SELECT value FROM responses WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise CacheError(f"{self._path}: cannot be read: {error}") from error
        try:
            took = json.loads(row[0])["served"]["latency_s"] if row is not None else None
        except (ValueError, KeyError, TypeError):
            return None
        return float(took) if isinstance(took, int | float) and took > 0 else None

    def close(self) -> None:
        self._connection.close()
