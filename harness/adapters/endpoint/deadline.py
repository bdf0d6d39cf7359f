"""Two clocks over one call: how long it has been silent, and how long it has lasted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import anyio

_TICK_S = 1e-6  # a timer may fire this much before its time by rounding
_LOOK_EVERY_S = 5.0  # the most by which a standstill can be told too long
_LATE_S = 1.0  # a busy loop is late by less


class Deadline:
    """Ends its `with` block after `idle_s` of silence or `total_s` in all; then `expired` says which.

    `heard()` resets the silence; nothing moves the total. One timer per call that looks when it is due, instead of one
    that is moved with every chunk: a stream has thousands.

    A look that comes far too late tells that not the server stood still, but this process: a laptop was closed, the
    job was stopped and continued. What came meanwhile lies unread, so the call is given that time again, once.
    """

    def __init__(self, *, idle_s: float, total_s: float) -> None:
        self.expired: Literal["idle", "total"] | None = None
        self._loop = asyncio.get_running_loop()
        self.clock: Callable[[], float] = self._loop.time
        self.started_at = self._heard_at = self.clock()
        self._idle_s = idle_s
        self._total_at = self.started_at + total_s
        self._scope = anyio.CancelScope()
        self._looked_at = self.started_at
        self._forgave = False
        self._timer: asyncio.TimerHandle

    def heard(self) -> None:
        """Something came, if only a keep-alive."""
        self._heard_at = self.clock()

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self.started_at

    def __enter__(self) -> Deadline:
        self._scope.__enter__()
        self._look_later()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._timer.cancel()
        return bool(self._scope.__exit__(kind, error, traceback))

    def _next_due(self) -> float:
        return min(self._total_at, self._heard_at + self._idle_s)

    def _look_later(self) -> None:
        self._looked_at = self.clock()
        self._timer = self._loop.call_at(min(self._next_due(), self._looked_at + _LOOK_EVERY_S), self._look)

    def _look(self) -> None:
        at = self.clock()
        if at - self._timer.when() > _LATE_S and not self._forgave:
            self._forgave = True
            lost_s = at - self._looked_at
            self._heard_at = min(at, self._heard_at + lost_s)
            self._total_at += lost_s
        if at < self._next_due() - _TICK_S:
            self._look_later()
            return
        self.expired = "total" if self._total_at <= self._heard_at + self._idle_s else "idle"
        self._scope.cancel()
