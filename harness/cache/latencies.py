"""The times that answers took when they were paid for, read from a cache file that is left
untouched.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from harness.cache.sqlite_schema import APPLICATION_ID
from harness.errors import CacheError


def latencies_in(path: Path, keys: Iterable[str]) -> dict[str, float]:
    """Seconds of the attempt that brought the answer, by key. A key without an answer, or whose
    answer does not tell, is left out.

    Raises CacheError for a file that is no cache of ours, or cannot be read.
    """
    found = {}
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?{_how(path)}", uri=True)
        ) as connection:
            connection.execute("PRAGMA query_only = ON")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            if application_id != APPLICATION_ID:
                raise CacheError(f"{path}: not a cache of ours, such as .harness/cache.db")
            for key in keys:
                row = connection.execute(
                    "SELECT value FROM responses WHERE key = ?", (key,)
                ).fetchone()
                latency_s = None if row is None else _latency_s(row[0])
                if latency_s is not None:
                    found[key] = latency_s
    except sqlite3.Error as error:
        raise CacheError(f"{path}: cannot be read: {error}") from error
    return found


def _latency_s(value: str) -> float | None:
    """The time that a stored answer tells, None where it took none or tells none."""
    try:
        took = json.loads(value)["served"]["latency_s"]
    except (ValueError, KeyError, TypeError):
        return None
    if isinstance(took, int | float) and took > 0:
        return float(took)
    return None


def _how(path: Path) -> str:
    """Return the mode in which to open a file that is only read.

    SQLite needs files beside it while it reads, and takes them away again only where it may write.
    Where it may not, and no other process has left any, nobody writes.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    if path.with_name(f"{path.name}-wal").exists():
        return "mode=ro"
    return "mode=ro&immutable=1"
