"""The meaning of SQLite's errors: a damaged file, or a disk that fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from harness.errors import CacheError, HarnessError, StorageError

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_CONTENDED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and run again",
    sqlite3.SQLITE_READONLY: (
        "the file or its directory is read-only: make both writable and run again"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file or its directory cannot be opened: check that they exist and may be read and "
        "written"
    ),
    sqlite3.SQLITE_PERM: "access is denied: check the permissions of the file and its directory",
    sqlite3.SQLITE_BUSY: (
        "another process holds it locked: end that process, or give this run a cache of its own"
    ),
}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 where the error came from Python's module
    itself.
    """
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_contended(error: sqlite3.Error) -> bool:
    """Return whether another process was in the way, so that the same statement may succeed
    later.
    """
    return primary_code(error) in _CONTENDED


def is_of_the_statement(error: Exception) -> bool:
    """Return whether the values of one statement are at fault, so that others of its batch may
    succeed.
    """
    if not isinstance(error, sqlite3.Error):
        return not isinstance(error, HarnessError | OSError | MemoryError)
    return primary_code(error) in {
        0,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }


def translated(error: sqlite3.Error, path: Path) -> HarnessError:
    """CacheError for a damaged file, StorageError for everything a disk or another process can
    do.
    """
    code = primary_code(error)
    if code in _DAMAGED:
        return damaged(path, str(error))
    advice = _ADVICE.get(code, "check the disk and run again")
    return StorageError(f"{path}: the cache could not be used ({error}); {advice}")


def damaged(path: Path, reason: str) -> CacheError:
    return CacheError(
        f"{path}: the cache file is damaged ({reason}). Restore it from a copy, or move it away to"
        f" begin a new one; `sqlite3 {path.name} .recover` may save what is readable"
    )
