"""The disk of the nights: what was committed survives every death of the process, and nothing else
does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from harness.cache.memory import MemoryCache
from harness.domain.completion import Request
from harness.domain.key import cache_key
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Span, TopicResult
from harness.errors import StorageError
from harness.ports import Claim, OpenCall, Rejection, Resolution, Stored
from simulation.session import Dead, Session
from simulation.world import DiskWork

T = TypeVar("T")


class Disk:
    """What is durable: the cache with its journal, and the rows of each topic by index, oldest
    first.

    `leases` are those of living processes, by key.
    """

    def __init__(self) -> None:
        self.cache = MemoryCache()
        self.open_rows: dict[int, OpenCall] = {}
        self.rows: dict[int, list[TopicResult]] = {}
        self.spans: dict[int, Sequence[Span]] = {}
        self.answered: set[str] = set()
        self.leases: dict[str, object] = {}

    def bury(self, holder: object) -> None:
        """What a dead process held, nobody holds."""
        self.leases = {
            key: held_by for key, held_by in self.leases.items() if held_by is not holder
        }

    def peek(self, request: Request) -> Stored | None:
        """What the cache knows about a request, in no time."""
        return _now(self.cache.get(cache_key(request), request))

    def spent(self, run_id: str) -> Spent:
        """The journal's word, in no time."""
        return _now(self.cache.spent(run_id))


class NightCache:
    """A `harness.ports.Cache` of one session over the disk."""

    def __init__(
        self, disk: Disk, session: Session, on_closing: Callable[[int, Resolution], None]
    ) -> None:
        self._disk = disk
        self._session = session
        self._on_closing = on_closing

    async def get(self, key: str, request: Request) -> Stored | None:
        """See `harness.ports.Answers`."""
        await work(self._session, "look", self._session.world.look_s, lambda: None)
        return await self._disk.cache.get(key, request)

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """See `harness.ports.Answers`."""
        return await self._disk.cache.recorded(topic_id)

    async def claim(self, key: str) -> Claim:
        """See `harness.ports.Leases`."""
        claim: list[Claim] = []
        withdrawn = False

        def commit() -> None:
            if key in self._disk.leases:
                claim.append("held")
            elif not withdrawn:
                self._disk.leases[key] = self._session
                claim.append("found" if key in self._disk.answered else "taken")

        try:
            await work(self._session, "open", self._session.world.commit_s, commit)
        except asyncio.CancelledError:
            withdrawn = True
            if claim and claim[0] != "held":
                self.release(key)
            raise
        return claim[0]

    def release(self, key: str) -> None:
        """See `harness.ports.Leases`."""
        if self._disk.leases.get(key) is self._session:
            del self._disk.leases[key]

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """See `harness.ports.Journal`."""
        number = 0
        withdrawn = False

        def commit() -> None:
            nonlocal number
            if not withdrawn:
                number = _now(self._disk.cache.open_call(request, entry))
                self._disk.open_rows[number] = entry

        try:
            await work(self._session, "open", self._session.world.commit_s, commit)
        except asyncio.CancelledError:
            withdrawn = True
            raise
        return number

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """See `harness.ports.Journal`."""

        def commit() -> None:
            self._on_closing(number, resolution)
            _now(self._disk.cache.resolve(number, resolution))
            entry = self._disk.open_rows.pop(number)
            if resolution.outcome == "stored" and resolution.keep:
                self._disk.answered.add(entry.key)
                self.release(entry.key)

        await work(self._session, "resolve", self._session.world.commit_s, commit)

    async def reject(self, rejection: Rejection) -> None:
        """See `harness.ports.Journal`."""

        def commit() -> None:
            _now(self._disk.cache.reject(rejection))

        await work(self._session, "resolve", self._session.world.commit_s, commit)

    async def spent(self, run_id: str) -> Spent:
        """See `harness.ports.Journal`."""
        return await self._disk.cache.spent(run_id)

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """See `harness.ports.Journal`."""
        return await self._disk.cache.left_open(run_id)


class NightResults:
    """A `harness.ports.Results` of one session over the disk."""

    def __init__(
        self, disk: Disk, session: Session, on_row: Callable[[TopicResult, Sequence[Span]], None]
    ) -> None:
        self._disk = disk
        self._session = session
        self._on_row = on_row

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """See `harness.ports.Results`."""

        cancelled = False

        def commit() -> None:
            if cancelled:
                return
            self._on_row(result, spans)
            self._disk.rows.setdefault(result.index, []).append(result)
            self._disk.spans[result.index] = spans

        self._session.rows_begun += 1
        try:
            await work(self._session, "row", self._session.world.commit_s, commit)
        except asyncio.CancelledError:
            cancelled = True
            raise


async def work(
    session: Session, kind: DiskWork, seconds: float, commit: Callable[[], None]
) -> None:
    """Take the time, commit in one instant, and take the time to say so: the process may die on
    either side of it.

    What has begun is done, even if its caller is cancelled.
    """
    session.event()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def perform() -> None:
        session.writes(-1)
        error: BaseException | None = None
        try:
            session.event()
            fails = session.disk_fails_at(kind)
            if not fails or (session.ending is not None and session.ending.committed):
                commit()
            if fails:
                error = StorageError(f"{kind}: the disk is full")
        except Dead as dead:
            error = dead
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    session.writes(+1)
    session.busy += 1
    loop.call_later(seconds * 0.7, perform)
    try:
        await done
        await asyncio.sleep(seconds * 0.3)
    finally:
        session.busy -= 1
    session.event()


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine that never waits: what is in memory is changed in one instant."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        value: T = returned.value
        return value
    raise AssertionError("the cache in memory has waited")
