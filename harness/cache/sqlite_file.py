"""Opening the cache file: ours and whole, or a clear error. A file that is there is never replaced
by an empty one.

A new cache is built beside its place and linked in when it is complete, so the place holds either
nothing or a whole cache, also when several processes begin at once or one dies half way. An empty
file there is therefore never ours.

Everything here blocks, and runs on the database's thread.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from harness.cache import sqlite_schema
from harness.cache.sqlite_errors import damaged, primary_code, translated
from harness.errors import CacheError, StorageError

BUSY_TIMEOUT_S = 30.0
"""The longest wait of a statement for another process. A group commit holds the lock for
milliseconds.
"""

_MAGIC = b"SQLite format 3\x00"
_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This directory holds a cache of model responses, made by harness. For information about cache directory tags see
# https://bford.info/cachedir/
"""


def open_file(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """A connection to the cache at `path`, which is made if it is absent and `create` says so.

    Raises CacheError for a file that is foreign, damaged, newer than this version, absent without
    `create`, or out of reach; StorageError where the disk fails or another process keeps it locked.
    """
    try:
        if create and not os.path.lexists(path):
            _create(path)
        _check_file(path)
        return _connected(path)
    except sqlite3.Error as error:
        if primary_code(error) in {
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_PERM,
        }:
            raise _out_of_reach(path, str(error)) from error
        raise translated(error, path) from error
    except FileNotFoundError as error:
        raise CacheError(
            f"{path}: there is no cache file here; a run with this cache makes one"
        ) from error
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise _out_of_reach(path, error.strerror) from error
    except OSError as error:
        raise StorageError(f"{path}: the cache could not be opened ({error.strerror})") from error


def _create(path: Path) -> None:
    _make_directory(path.parent)
    # mkstemp gives the mode 0600 that the linked file keeps: prompts and answers are their owner's
    # business.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            sqlite_schema.create(connection)
        try:
            os.link(name, path)
        except FileExistsError:
            return  # another process was first, and its file is as good
        _sync_directory(path.parent)
    finally:
        for leftover in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal"):
            Path(leftover).unlink(missing_ok=True)


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise
        return
    if directory.name == ".harness":
        with os.fdopen(
            os.open(directory / "CACHEDIR.TAG", os.O_WRONLY | os.O_CREAT, 0o600), "w"
        ) as tag:
            tag.write(_TAG)


def _sync_directory(directory: Path) -> None:
    """Without this a power cut could lose the new file's name, and with it all that was stored
    since.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_file(path: Path) -> None:
    """Refuse what can be told without SQLite, which would take an empty file for a new database."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise CacheError(
            f"{path}: a cache is a file, and this is a directory or a device; name a file in it"
        )
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if not head:
        raise damaged(path, "it is empty, which no cache ever is")
    if head != _MAGIC:
        raise CacheError(
            f"{path}: this is no SQLite file; name a cache made by harness, or a new file"
        )


def _connected(path: Path) -> sqlite3.Connection:
    # mode=rw: a file deleted since the check must not come back empty.
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    try:
        _check_schema(connection, path)
        sqlite_schema.migrate(connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise CacheError(
                f"{path}: this file system cannot hold a cache (SQLite's WAL mode gave {mode!r});"
                " use another"
            )
        # A completion is durable before it is used; group commit makes the price of FULL small.
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    if sqlite_schema.application_of(connection) != sqlite_schema.APPLICATION_ID:
        raise CacheError(
            f"{path}: this SQLite file was made by another program; name a cache made by harness,"
            " or a new file"
        )
    version = sqlite_schema.version_of(connection)
    if version > sqlite_schema.VERSION:
        raise CacheError(
            f"{path}: this cache was written by a newer version of harness (schema {version}, this"
            f" one knows {sqlite_schema.VERSION}); update harness, or name another file"
        )
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if version < 1 or any(
        since <= version and name not in tables for name, since in sqlite_schema.TABLES.items()
    ):
        raise damaged(path, "its tables are missing")


def _out_of_reach(path: Path, reason: str | None) -> CacheError:
    return CacheError(
        f"{path}: the cache cannot be opened for reading and writing ({reason}); check the"
        " permissions of the file and of its directory, or name another file"
    )
