"""The cache and the journal in one SQLite file, shared by all calls of a run and by any number of
processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from harness.cache import operations, reports
from harness.cache.lease_owner import LeaseOwner
from harness.cache.lease_table import Claiming, Releasing
from harness.cache.operations import Closing, Opening, Rejecting, Unusable, Withdrawal, Write
from harness.cache.sqlite_thread import Database
from harness.domain.completion import Request
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.machine.batching import Batches, Lane
from harness.ports import Claim, OpenCall, Rejection, Resolution, Stored

_log = logging.getLogger("harness.cache")


class SqliteCache:
    """A `harness.ports.Cache` whose file survives every end of the process.

    What a method reports as done is on the disk. A cancelled caller stops waiting and no more: its
    answer is still stored, and a request it had announced and will not send is taken off the
    journal.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: Lane[tuple[str, Request], Stored | Unusable | None] = Lane(
            self._look_up, of="the cache"
        )
        self._writes: Lane[Write, int] = Lane(self._write, of="the cache")
        self._batches = Batches(self._reads, self._writes)
        self._left: dict[int, tuple[Request, OpenCall]] = {}
        self._owner = LeaseOwner(database.path)
        self._leases: dict[str, Claiming] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[SqliteCache]:
        """The cache at `path`, made if there is none. Leaving waits until all that was handed in is
        durable.

        Raises CacheError for a file that is not a whole cache of ours, StorageError if the disk
        fails; on leaving, StorageError if something could not be stored and its caller, cancelled,
        did not wait to hear of it.
        """
        async with Database.open(path) as database, cls.on(database) as cache:
            yield cache

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database) -> AsyncIterator[SqliteCache]:
        """The cache in a database that is open; the database stays so."""
        cache = cls(database)
        try:
            yield cache
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await cache._batches.close()
            finally:
                cache._leases.clear()
                cache._owner.leave()
        if cache._writes.unheard is not None:
            raise cache._writes.unheard

    async def get(self, key: str, request: Request) -> Stored | None:
        """See `harness.ports.Answers`."""
        found = await self._batches.add(self._reads, (key, request))
        if isinstance(found, Unusable):
            _log.warning("cache entry %s is not used, and will be replaced: %s", key, found.reason)
            return None
        return found

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """See `harness.ports.Answers`."""
        return await self._database.run(partial(reports.of_topic, topic_id))

    async def claim(self, key: str) -> Claim:
        """See `harness.ports.Leases`."""
        claiming = Claiming(key, self._owner)
        try:
            await self._batches.add(self._writes, claiming)
        except asyncio.CancelledError:
            claiming.withdrawn = True
            self._batches.add(self._writes, Releasing(claiming)).cancel()
            raise
        if claiming.claim != "held":
            self._leases[key] = claiming
        return claiming.claim

    def release(self, key: str) -> None:
        """See `harness.ports.Leases`."""
        claiming = self._leases.pop(key, None)
        if claiming is not None:
            self._batches.add(self._writes, Releasing(claiming)).cancel()

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """See `harness.ports.Journal`."""
        opening = Opening(entry)
        try:
            number = await self._batches.add(self._writes, opening)
        except asyncio.CancelledError:
            opening.withdrawn = True
            self._batches.add(self._writes, Withdrawal(opening)).cancel()
            raise
        self._left[number] = (request, entry)
        return number

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """See `harness.ports.Journal`. Raises ValueError for a number that is not open in this
        process.
        """
        if number not in self._left:
            raise ValueError(
                f"call {number} is not open here: it was resolved before, or opened by another"
                " process"
            )
        request, entry = self._left.pop(number)
        closing = Closing(number, request, entry, resolution, self._leases.get(entry.key))
        await self._batches.add(self._writes, closing)
        if closing.releases:
            self._leases.pop(entry.key, None)

    async def reject(self, rejection: Rejection) -> None:
        """See `harness.ports.Journal`."""
        await self._batches.add(self._writes, Rejecting(rejection))

    async def spent(self, run_id: str) -> Spent:
        """See `harness.ports.Journal`."""
        return await self._database.run(partial(operations.spent, run_id))

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """See `harness.ports.Journal`."""
        return await self._database.run(partial(operations.left_open, run_id))

    async def _look_up(
        self, asks: Sequence[tuple[str, Request]]
    ) -> Sequence[Stored | Unusable | None]:
        return await self._database.run(partial(operations.look_up, asks))

    async def _write(self, writes: Sequence[Write]) -> Sequence[int | Exception]:
        return await self._database.run(partial(operations.write, writes, self._database))
