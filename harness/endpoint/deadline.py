"""Three clocks over one call: until its first token, between its tokens, and in all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import anyio

from harness.domain.attempt import OnSilence

Phase = Literal["first_token", "idle"]
Expired = Literal["first_token", "idle", "total", "lost"]

_TICK_S = 1e-6  # a timer may fire this much before its time by rounding
_LOOK_EVERY_S = 5.0  # the most by which a standstill can be told too long
_LATE_S = 1.0  # a busy loop is late by less


def _no_token() -> float | None:
    return None


class Deadline:
    """Ends its `with` block when nothing comes for too long, or after `total_s` in all.

    Then `expired` says which. Until the first token, `heard()` ends a silence, whatever was heard,
    and `first_token_s` bounds it. From `begun()` on only tokens count, and `idle_s` is the longest
    time between two of them. `last_token_at` tells when the last one came, None before the first;
    it is asked when this looks, so that nobody needs to tell each token: a stream has thousands.
    One timer per call that looks when it is due, instead of one that is moved with every chunk.

    `on_silence` is asked at each look while no first token has come, and may give the call up
    before its time, or have it waited for beyond. Nothing moves the total.

    A look that comes far too late tells that not the server stood still, but this process: a laptop
    was closed, the job was stopped and continued. What came meanwhile lies unread, so the call is
    given that time again, once.
    """

    def __init__(
        self,
        *,
        first_token_s: float,
        idle_s: float,
        total_s: float,
        last_token_at: Callable[[], float | None] = _no_token,
        on_silence: Callable[[float], OnSilence] | None = None,
    ) -> None:
        self.expired: Expired | None = None
        self._loop = asyncio.get_running_loop()
        self.clock: Callable[[], float] = self._loop.time
        self.started_at = self._heard_at = self.clock()
        self._first_token_s = first_token_s
        self._idle_s = idle_s
        self._total_at = self.started_at + total_s
        self._last_token_at = last_token_at
        self._on_silence = on_silence
        self._scope = anyio.CancelScope()
        self._looked_at = self.started_at
        self._forgave = False
        self._forgiven_until = self.started_at
        self._timer: asyncio.TimerHandle

    def heard(self) -> None:
        """Something came before the first token, if only a keep-alive."""
        self._heard_at = self.clock()

    def begun(self) -> None:
        """The first token came: from now on the time between tokens counts."""
        self._timer.cancel()
        self._look_later()

    @property
    def silent_s(self) -> float:
        """Seconds since anything was heard."""
        return self.clock() - self._silence()[1]

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self.started_at

    def __enter__(self) -> Deadline:
        self._scope.__enter__()
        self._look_later()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._timer.cancel()
        return bool(self._scope.__exit__(kind, error, traceback))

    def _silence(self) -> tuple[Phase, float, float]:
        """Return the phase that is waited for, its begin, and its limit in seconds."""
        token_at = self._last_token_at()
        if token_at is None:
            return "first_token", max(self._heard_at, self._forgiven_until), self._first_token_s
        return "idle", max(token_at, self._forgiven_until), self._idle_s

    def _look_later(self) -> None:
        self._looked_at = self.clock()
        _, since, longest_s = self._silence()
        due = min(self._total_at, self._looked_at + _LOOK_EVERY_S)
        if since + longest_s > self._looked_at:
            due = min(due, since + longest_s)
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        at = self.clock()
        if at - self._timer.when() > _LATE_S and not self._forgave:
            self._forgive(at, lost_s=at - self._looked_at)
        phase, since, longest_s = self._silence()
        told = self._told_to(phase, at - since)
        if at >= self._total_at - _TICK_S:
            self._expire("total")
        elif told == "give up":
            self._expire("lost")
        elif told == "wait on" or at < since + longest_s - _TICK_S:
            self._look_later()
        else:
            self._expire(phase)

    def _told_to(self, phase: Phase, silent_s: float) -> OnSilence:
        if phase != "first_token" or self._on_silence is None:
            return "as set"
        return self._on_silence(silent_s)

    def _forgive(self, at: float, *, lost_s: float) -> None:
        self._forgave = True
        _, since, _ = self._silence()
        self._forgiven_until = min(at, since + lost_s)
        self._total_at += lost_s

    def _expire(self, what: Expired) -> None:
        self.expired = what
        self._scope.cancel()
