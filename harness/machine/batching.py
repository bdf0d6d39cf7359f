"""Waiting operations, taken together: one trip to a thread serves all who wait at that moment.

Nothing sleeps to fill a batch. The first to wait starts a task, which begins on the next pass of
the loop; who comes while a batch is away is in the next. At most one batch is away at a time, reads
before writes, so the order of results follows from the order of asking and not from the speed of a
thread.

The task lives as long as there is work and belongs to no caller: a caller that is cancelled stops
waiting, and what it handed in is still done.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from harness.errors import StorageError

Item = TypeVar("Item")
Result = TypeVar("Result")

Perform: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]

LARGEST = 256
"""Operations in one trip: enough to make its fixed price small, few enough to keep the first of
them from waiting.
"""

_log = logging.getLogger("harness.storage")


class Lane(Generic[Item, Result]):
    """The waiting operations of one kind. `perform` gives a result or an exception for each item,
    in order; `of` names in messages where they go.

    `unheard` is the first failure whose caller had stopped waiting.
    """

    def __init__(self, perform: Perform[Item, Result], *, of: str) -> None:
        self.of = of
        self.unheard: Exception | None = None
        self._perform = perform
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, item: Item) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        return future

    async def send(self) -> None:
        """One trip for those who wait now. What goes wrong on it is raised where they wait, not
        here.
        """
        batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        results: Sequence[Result | Exception] = [self._closed()] * len(batch)
        try:
            results = await self._perform([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - it travels on to every caller
            results = [error] * len(batch)
        finally:
            for (_, future), result in zip(batch, results, strict=True):
                self._settle(future, result)

    def abandon(self) -> None:
        """Tell all who still wait that nothing more will be done."""
        batch, self._waiting = self._waiting, []
        for _, future in batch:
            self._settle(future, self._closed())

    def _settle(self, future: asyncio.Future[Result], result: Result | Exception) -> None:
        if not isinstance(result, Exception):
            if not future.done():
                future.set_result(result)
        elif not future.done():
            future.set_exception(result)
        else:
            _log.error(
                "%s: an operation failed after its caller was cancelled: %s", *(self.of, result)
            )
            self.unheard = self.unheard or result

    def _closed(self) -> StorageError:
        return StorageError(
            f"{self.of} was closed before it was known whether this operation was done"
        )


class Batches:
    """The lanes of one file or database, served in order by one task."""

    def __init__(self, *lanes: Lane[Any, Any]) -> None:
        self._lanes = lanes
        self._task: asyncio.Task[None] | None = None
        self._open = True

    def add(self, lane: Lane[Item, Result], item: Item) -> asyncio.Future[Result]:
        """Hand in one operation. Whoever cancels the future stops waiting, no more."""
        if not self._open:
            raise RuntimeError(f"{lane.of} is closed: use it inside its `async with` block")
        future = lane.add(item)
        if self._task is None:
            # A context of its own: the log lines of a batch belong to none of its callers.
            self._task = asyncio.create_task(
                self._serve(), name="harness-storage", context=contextvars.Context()
            )
        return future

    async def close(self) -> None:
        """Take nothing more, and return when all that was handed in is done."""
        self._open = False
        try:
            while self._task is not None:
                await asyncio.shield(self._task)
        finally:
            for lane in self._lanes:
                lane.abandon()

    async def _serve(self) -> None:
        try:
            while any(self._lanes):
                for lane in self._lanes:
                    if lane:
                        await lane.send()
        finally:
            self._task = None
