"""One database file on one thread: a whole piece of work goes over, runs, and comes back.

A piece of work is a plain function of the connection, so a transaction begins and ends within one
trip to the thread. No cancelled task can leave one open, and no second task can join one, which is
what happens when statements are awaited one by one. Durations: the trip is real work, so a loop on
virtual time holds its clock still meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import anyio

from harness.cache.sqlite_errors import is_contended, translated
from harness.cache.sqlite_file import open_file
from harness.errors import StorageError

T = TypeVar("T")

_BEGIN_ATTEMPTS = 4


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, with whole functions as its unit of work."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        # The interpreter must be able to end also where nobody got to close: what was awaited is
        # durable by then.
        self._thread.daemon = True

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        execute: Callable[..., Coroutine[Any, Any, T]] = self._execute
        return await execute(work, self._conn)

    def end(self) -> None:
        """Have the thread end, if nothing else did, and see it off: its last word needs a loop that
        is still open.
        """
        if self._thread.is_alive():
            self.stop()
            self._thread.join(timeout=1.0)


class Database:
    """The one owner of a connection. Work is done in the order in which it is handed in."""

    def __init__(self, connection: _Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._inodes = _inodes(path)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, create: bool = True) -> AsyncIterator[Database]:
        """Raises CacheError or StorageError as `open_file` does. Closed on every way out,
        cancellation included.
        """
        path = _absolute(path)
        connection = _Connection(partial(open_file, path, create=create))
        try:
            # Shielded: what a cancelled opening has opened by then would be closed by nobody.
            with _real(), anyio.CancelScope(shield=True):
                await connection
            yield cls(connection, path)
        finally:
            try:
                with _real(), anyio.CancelScope(shield=True):
                    await connection.close()
            finally:
                connection.end()  # also on the way out on which even the shielded wait was broken off

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` on the database's thread; it is done also if the caller is cancelled
        meanwhile.

        SQLite's errors come out as CacheError and StorageError.
        """
        try:
            with _real():
                return await self._connection.run(work)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    async def commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `run`, in one transaction, durable when this returns."""
        return await self.run(partial(self.in_transaction, work))

    def in_transaction(
        self,
        work: Callable[[sqlite3.Connection], T],
        connection: sqlite3.Connection,
        *,
        durable: bool = True,
    ) -> T:
        """`work` in one transaction, within a piece of work on the thread.

        Without `durable` it does not wait for the disk: every other process sees it, and a power
        cut may take it back.
        """
        if durable:
            return self._in_transaction(work, connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            return self._in_transaction(work, connection)
        finally:
            connection.execute("PRAGMA synchronous = FULL")

    def _in_transaction(
        self, work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection
    ) -> T:
        _begin(connection)
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        # SQLite goes on without an error in files that were deleted; nobody would ever find what it
        # wrote there.
        if _inodes(self.path) != self._inodes:
            raise StorageError(
                f"{self.path}: the cache file was deleted, moved or replaced while in use, so"
                " nothing can be kept in it; put it back if you can, and run again"
            )
        return result


def _absolute(path: Path) -> Path:
    """The path as it is now: a later change of the working directory moves no cache."""
    return path.absolute()


def _inodes(path: Path) -> list[int | None]:
    """Return which file stands under the database's name, and which under that of its write-ahead
    log.
    """
    found: list[int | None] = []
    for name in (str(path), f"{path}-wal"):
        try:
            found.append(os.stat(name).st_ino)
        except FileNotFoundError:
            found.append(None)
    return found


def _begin(connection: sqlite3.Connection) -> None:
    for attempt in range(1, _BEGIN_ATTEMPTS + 1):
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            # The busy timeout has done the waiting; SQLITE_PROTOCOL and a recovering log come back
            # without any.
            if attempt == _BEGIN_ATTEMPTS or not is_contended(error):
                raise
        else:
            return


def _real() -> AbstractContextManager[object]:
    """On a loop with virtual time, the mark that real work is under way and the clock must
    stand.
    """
    real: Callable[[], AbstractContextManager[object]] = getattr(
        asyncio.get_running_loop(), "real", nullcontext
    )
    return real()
