"""The gate for all calls of a run: who may send next, and when.

The decisions are in `domain.pace` and `domain.order`; here are the queue and the waiting. A pause after a 429 holds
back every call, not only the one refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.domain.history import Levels
from harness.domain.order import goes_by_arrival
from harness.domain.pace import Pace, Window
from harness.domain.policy import Limits
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.turns import Turns

log = logging.getLogger("harness.limit")


@dataclass(slots=True)
class _Wish:
    tokens: int
    among: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The right to have one call in flight; `queued_s` and `paced_s` are what waiting for it took, by cause.

    `number` counts the calls of the run in the order in which they were let go, `among` those that were in flight
    then, itself included.
    """

    number: int
    among: int
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
    """Places for calls in flight, requests per minute and tokens per minute, in order of priority.

    `capped` says whether a budget may end the run before its work is done. `history` is how many calls the limiter let
    in at once, on the loop's clock.
    """

    def __init__(self, limits: Limits, stop: Stop, *, capped: Callable[[], bool] = lambda: False) -> None:
        self._window = Window.opening(limits.in_flight)
        self.history = Levels()
        self._pace = Pace.of(limits)
        self._turns: Turns[_Wish] = Turns(stop)
        self._capped = capped
        self._left: int | None = None
        self._in_flight = 0
        self._resting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._paced_since: float | None = None
        self._paced_s = 0.0
        self._refusals = 0
        self._named: int | None = None
        stop.on_set(self._turns.refuse_all)

    @property
    def in_flight(self) -> int:
        """Calls that have a place now."""
        return self._in_flight

    @property
    def goes_by_arrival(self) -> bool:
        """Whether calls go in the order of their arrival now, as at the end of a batch."""
        return self._turns.goes_by_arrival

    @property
    def streak(self) -> int:
        """Bursts of refusals since the last success."""
        return self._window.streak

    @property
    def is_paced(self) -> bool:
        """Whether the pace, or a pause, holds calls back now."""
        return self._paced_since is not None

    def state(self) -> LimiterState:
        """A snapshot for display and for the record."""
        return LimiterState(
            in_flight=self._in_flight,
            waiting=len(self._turns),
            places=self._window.places,
            maximum=self._window.maximum,
            refusals=self._refusals,
            named_limit=self._named,
            paused_s=max(0.0, self._pace.open_at - now()),
        )

    def ending(self, left: int) -> None:
        """Learn that only so many topics are left, and no other follows."""
        self._left = left

    async def acquire(self, *, priority: int, tokens: int) -> Place:
        """Wait for a place; raises RunStopped once the run is ending. `tokens` is the likely cost of the call."""
        wanted_at = now()
        paced_before = self._paced_until(wanted_at)
        wish = _Wish(tokens)
        number = await self._turns.take(
            wish, priority=priority, advance=self._advance, give_back=partial(self._give_back, tokens)
        )
        got_at = now()
        paced_s = min(got_at - wanted_at, self._paced_until(got_at) - paced_before)
        return Place(
            number=number,
            among=wish.among,
            tokens=tokens,
            queued_s=got_at - wanted_at - paced_s,
            paced_s=paced_s,
        )

    def release(self, place: Place, *, tokens_used: int) -> None:
        """Give the place back; the difference between likely and real tokens is corrected."""
        self._in_flight -= 1
        self._pace = self._pace.corrected(tokens_used - place.tokens)
        if self._window.turnaround_s:
            self._resting += 1
            asyncio.get_running_loop().call_later(self._window.turnaround_s, self._rested)
        else:
            self._advance()

    def _rested(self) -> None:
        self._resting -= 1
        self._advance()

    def succeeded(self, place: Place) -> None:
        """Learn from a call that was answered; call it before `release`."""
        self._learn(self._window.succeeded(place.number, min(place.among, self._in_flight)))

    def refused(self, place: Place, *, named: int | None, by_rate: bool) -> None:
        """Learn from a 429; call it before `release`."""
        self._refusals += 1
        self._named = named if named is not None else self._named
        self._learn(
            self._window.refused(
                number=place.number,
                newest=self._turns.granted,
                others=self._in_flight - 1,
                named=named,
                by_rate=by_rate,
            )
        )
        log.info("refused (429): %d places from now on, %d requests under way", self._window.places, self._in_flight)

    def pause(self, seconds: float) -> None:
        """Send no call at all for so long, and then begin again with few."""
        log.info("nothing is sent for %.1f s", seconds)
        self._pace = self._pace.paused(now() + seconds)
        self._learn(self._window.paused())

    def _learn(self, window: Window) -> None:
        self._window = window
        self.history.note(now(), window.places)

    def _give_back(self, tokens: int) -> None:
        """Undo a grant whose call was not sent."""
        self._in_flight -= 1
        self._pace = self._pace.corrected(-tokens, requests=-1)

    def _advance(self) -> None:
        """Grant all places that can be granted now, and wake up again when more can be."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s: float | None = None
        paced = full = False
        self._turns.go_by_arrival(goes_by_arrival(left=self._left, in_flight=self._in_flight, capped=self._capped()))
        while (wish := self._turns.first) is not None:
            wait_s = self._pace.wait_s(at)
            paced = wait_s > 0
            if paced:
                break
            used = self._in_flight + self._resting
            full = used >= self._window.places
            if full:
                self._learn(self._window.seen(at, full=True))
                full = used >= self._window.places
            if full:
                wait_s = self._window.opens_in_s(at)
                break
            self._in_flight += 1
            wish.among = self._in_flight
            self._pace = self._pace.sent(at, wish.tokens)
            self._turns.grant()
        else:
            wait_s = None
        if not full:
            self._learn(self._window.seen(at, full=False))
        self._count_paced(at, paced=paced)
        if wait_s is not None:
            self._timer = loop.call_at(at + wait_s, self._advance)

    def _paced_until(self, at: float) -> float:
        """Seconds in all for which the pace held calls back."""
        return self._paced_s + (at - self._paced_since if self._paced_since is not None else 0.0)

    def _count_paced(self, at: float, *, paced: bool) -> None:
        self._paced_s = self._paced_until(at)
        self._paced_since = at if paced else None


class Places:
    """A fixed number of places, first come first served: the limit of one workflow run."""

    def __init__(self, number: int, stop: Stop) -> None:
        self._number = number
        self._free = number
        self._stop = stop
        self._turns: Turns[int] = Turns(stop)

    @property
    def unused(self) -> bool:
        return self._free == self._number and not self._turns

    async def acquire(self) -> float:
        """Wait for a place; returns the seconds that took. Raises RunStopped once the run is ending."""
        if self._free and not self._turns:
            self._stop.check()
            self._free -= 1
            return 0.0
        started = now()
        await self._turns.take(1, advance=self._advance, give_back=self.release)
        return now() - started

    def release(self) -> None:
        """Give the place to the one who waits longest, else back."""
        self._free += 1
        self._advance()

    def refuse_all(self) -> None:
        """Have all who wait raise RunStopped."""
        self._turns.refuse_all()

    def _advance(self) -> None:
        while self._free and self._turns.first is not None:
            self._free -= 1
            self._turns.grant()
