"""The gate for all calls of a run: who may send next, and when.

The decisions are in `domain.pace`; here are the queue and the waiting. The call of the oldest open topic goes first,
so topics finish early and memory stays flat. A pause after a 429 holds back every call, not only the one refused.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from harness.domain.pace import Bucket, Window
from harness.domain.policy import Limits
from harness.engine.stopping import Stop

State = TypeVar("State")


@dataclass(slots=True, order=True)
class _Waiter:
    priority: int
    order: int
    tokens: int = field(compare=False)
    granted: asyncio.Future[None] = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The right to have one call in flight; `queued_s` and `paced_s` are what waiting for it took, by cause."""

    sent_at: float
    tokens: int
    queued_s: float
    paced_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """What the limiter learned: shown to the user and saved with the run."""

    in_flight: int
    waiting: int
    places: int
    maximum: int
    refusals: int
    named_limit: int | None
    paused_s: float


class Limiter:
    """Places for calls in flight, requests per minute and tokens per minute, in order of priority."""

    def __init__(self, limits: Limits, stop: Stop) -> None:
        self._limits = limits
        self._stop = stop
        self._window = Window.opening(limits.in_flight)
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self._in_flight = 0
        self._order = 0
        self._queue: list[_Waiter] = []
        self._open_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._blocked_since: float | None = None
        self._blocked_s = 0.0
        self._refusals = 0
        self._named: int | None = None
        self._buckets_at: float | None = None
        stop.on_set(self._refuse_all)

    def state(self) -> LimiterState:
        """A snapshot for display and for the record."""
        now = asyncio.get_running_loop().time()
        return LimiterState(
            in_flight=self._in_flight,
            waiting=sum(not waiter.granted.done() for waiter in self._queue),
            places=self._window.places,
            maximum=self._window.maximum,
            refusals=self._refusals,
            named_limit=self._named,
            paused_s=max(0.0, self._open_at - now),
        )

    async def acquire(self, *, priority: int, tokens: int) -> Place:
        """Wait for a place; raises RunStopped once the run is ending. `tokens` is the likely cost of the call."""
        self._stop.check()
        loop = asyncio.get_running_loop()
        self._start_buckets(loop.time())
        wanted_at, blocked_before = loop.time(), self._blocked_total(loop.time())
        waiter = _Waiter(priority, self._order, tokens, loop.create_future())
        self._order += 1
        heapq.heappush(self._queue, waiter)
        self._advance()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled() and waiter.granted.exception() is None:
                self._in_flight -= 1
                self._advance()
            else:
                waiter.granted.cancel()
            raise
        now = loop.time()
        waited, paced = now - wanted_at, self._blocked_total(now) - blocked_before
        return Place(sent_at=now, tokens=tokens, queued_s=max(0.0, waited - paced), paced_s=min(waited, paced))

    def release(self, place: Place, *, tokens_used: int) -> None:
        """Give the place back; the difference between likely and real tokens is corrected."""
        self._in_flight -= 1
        if self._tokens is not None:
            self._tokens = self._tokens.taken(tokens_used - place.tokens)
        self._advance()

    def succeeded(self) -> None:
        """Learn from a call that was answered; call it before `release`."""
        self._window = self._window.succeeded()

    def refused(self, place: Place, *, named: int | None, pause_s: float, by_rate: bool) -> None:
        """Learn from a 429; call it before `release`. For `pause_s` no call at all is sent."""
        now = asyncio.get_running_loop().time()
        self._refusals += 1
        self._named = named if named is not None else self._named
        self._open_at = max(self._open_at, now + pause_s)
        self._window = self._window.refused(
            now=now, sent_at=place.sent_at, others=self._in_flight - 1, named=named, by_rate=by_rate
        )

    def _start_buckets(self, now: float) -> None:
        if self._buckets_at is None:
            self._buckets_at = now
            if self._limits.requests_per_minute is not None:
                self._requests = Bucket.full(self._limits.requests_per_minute, now)
            if self._limits.tokens_per_minute is not None:
                self._tokens = Bucket.full(self._limits.tokens_per_minute, now)

    def _advance(self) -> None:
        """Grant all places that can be granted now, and wake up again when more can be."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._window = self._window.ramped(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s: float | None = None
        while self._queue:
            if self._queue[0].granted.done():
                heapq.heappop(self._queue)
                continue
            if self._in_flight >= self._window.places:
                wait_s = Window.RAMP_S if self._window.ramping else None
                self._unblock(now)
                break
            wait_s = self._pace_s(now)
            if wait_s > 0:
                self._blocked_since = now if self._blocked_since is None else self._blocked_since
                break
            self._unblock(now)
            self._grant(heapq.heappop(self._queue), now)
        else:
            self._unblock(now)
        if wait_s is not None and self._queue:
            self._timer = loop.call_later(max(wait_s, 1e-6), self._advance)

    def _grant(self, waiter: _Waiter, now: float) -> None:
        self._in_flight += 1
        if self._requests is not None:
            self._requests = self._requests.filled(now).taken(1)
        if self._tokens is not None:
            self._tokens = self._tokens.filled(now).taken(waiter.tokens)
        waiter.granted.set_result(None)

    def _pace_s(self, now: float) -> float:
        """Seconds until the pace lets the next call go."""
        waits = [self._open_at - now]
        if self._requests is not None:
            waits.append(self._requests.filled(now).wait_s(1))
        if self._tokens is not None:
            waits.append(self._tokens.filled(now).wait_s(1))
        return max(waits)

    def _blocked_total(self, now: float) -> float:
        current = now - self._blocked_since if self._blocked_since is not None else 0.0
        return self._blocked_s + current

    def _unblock(self, now: float) -> None:
        self._blocked_s = self._blocked_total(now)
        self._blocked_since = None

    def _refuse_all(self) -> None:
        for waiter in self._queue:
            if not waiter.granted.done():
                waiter.granted.set_exception(self._stop.error())
        self._queue.clear()


class Places:
    """A fixed number of places, first come first served: the limit of one workflow run."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._number = number
        self._queue: list[asyncio.Future[None]] = []

    @property
    def unused(self) -> bool:
        return self._free == self._number and not self._queue

    async def acquire(self) -> float:
        """Wait for a place; returns the seconds that took."""
        if self._free > 0:
            self._free -= 1
            return 0.0
        loop = asyncio.get_running_loop()
        started = loop.time()
        turn: asyncio.Future[None] = loop.create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            else:
                self._queue.remove(turn)
            raise
        return loop.time() - started

    def release(self) -> None:
        """Give the place to the one who waits longest, else back."""
        while self._queue:
            turn = self._queue.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def wake(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        for turn in self._queue:
            if not turn.done():
                turn.set_exception(error())
        self._queue.clear()
