"""The gate for all calls of a run: who may send next, and when.

The decisions are in `domain.pace` and `domain.order`; here are the queue and the waiting. A pause
after a 429 holds back every call, not only the one refused.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.domain.history import Levels
from harness.domain.order import goes_by_arrival
from harness.domain.pace import Pace, Window, served_at_once
from harness.domain.policy import Limits, OutagePolicy
from harness.engine.clock import now
from harness.engine.provider import OutageState, Provider
from harness.engine.room import Room
from harness.engine.stopping import Stop
from harness.engine.turns import SteppedBackError, Turns
from harness.ports import Slot

log = logging.getLogger("harness.limit")


@dataclass(slots=True)
class _Ticket:
    tokens: int
    among: int = 0
    probe: bool = False
    answers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """The figures that the limiter learned: shown to the user and saved with the run.

    `works_on` is how many calls the server seems to work on at a time, where it queued the others
    in silence. `outage` is the provider's outage that goes on.
    """

    in_flight: int
    waiting: int
    places: int
    maximum: int
    refusals: int
    named_limit: int | None
    paused_s: float
    works_on: int | None = None
    outage: OutageState | None = None


class Limiter:
    """Places for calls in flight, requests per minute and tokens per minute, in order of priority.

    `capped` says whether a budget may end the run before its work is done. `outages` says how the
    provider's outages are waited out; `rng` draws the jitter of the probes. `history` is how many
    calls the limiter let in at once, on the loop's clock. `provider` is what is known of the
    provider, which has answered earlier sessions if `answered_before`: while it is away, only
    probes get a slot.

    `room` is shared with the limiters of the run's other endpoints; without one all the slots are
    its own. `name` is the endpoint's where there are others.
    """

    def __init__(
        self,
        limits: Limits,
        stop: Stop,
        *,
        name: str | None = None,
        room: Room | None = None,
        capped: Callable[[], bool] = lambda: False,
        outages: OutagePolicy | None = None,
        rng: random.Random | None = None,
        answered_before: bool = False,
    ) -> None:
        jitter = rng or random.Random(0)  # noqa: S311 - jitter, not secrets
        self.provider = Provider(
            outages or OutagePolicy(),
            stop,
            jitter,
            self._provider_changed,
            answered_before=answered_before,
            name=name,
        )
        self._name = name
        self._whose = "" if name is None else f"{name}: "
        self._answers = 0
        self._shortest_s = math.inf
        self._works_on: int | None = None
        self._was_down = False
        self._before_refusals: Window | None = None
        self._refused_from = 0
        self._window = Window.opening(limits.in_flight)
        self.history = Levels()
        self._pace = Pace.of(limits)
        self._turns: Turns[_Ticket] = Turns(stop)
        self._capped = capped
        self._left: int | None = None
        self._in_flight = 0
        self._resting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._paced_since: float | None = None
        self._paced_s = 0.0
        self._refusals = 0
        self._named: int | None = None
        self._changed: Callable[[], None] | None = None
        self._room = room or Room(limits.in_flight)
        self._room.join(self)
        stop.on_set(self._turns.refuse_all)

    @property
    def in_flight(self) -> int:
        """Calls that have a slot now."""
        return self._in_flight

    @property
    def most(self) -> int:
        """Calls that may ever be in flight."""
        return self._window.maximum

    @property
    def next_rank(self) -> float:
        """The rank of the call that goes next, the lower the sooner; infinite where none waits."""
        return self._turns.next_rank

    @property
    def goes_by_arrival(self) -> bool:
        """Return whether calls go in the order of their arrival now, as at the end of a batch."""
        return self._turns.goes_by_arrival

    @property
    def streak(self) -> int:
        """Bursts of refusals since the last success."""
        return self._window.streak

    @property
    def is_paced(self) -> bool:
        """Return whether the pace, or a pause, holds calls back now."""
        return self._paced_since is not None

    def state(self) -> LimiterState:
        """A snapshot for display and for the record."""
        return LimiterState(
            in_flight=self._in_flight,
            waiting=len(self._turns),
            places=self._window.slots,
            maximum=self._window.maximum,
            refusals=self._refusals,
            named_limit=self._named,
            paused_s=max(0.0, self._pace.open_at - now()),
            works_on=self._works_on,
            outage=self.provider.state(),
        )

    def ending(self, left: int) -> None:
        """Learn that only so many topics are left, and no other follows."""
        self._left = left

    async def acquire(self, *, priority: int, tokens: int) -> Slot:
        """Wait for a slot; raises RunStopped once the run is ending. `tokens` is the likely cost
        of the call.
        """
        wanted_at = now()
        paced_before = self._paced_until(wanted_at)
        down_before = self.provider.down_until(wanted_at)
        wish = _Ticket(tokens)
        number = await self._turns.take(
            wish,
            priority=priority,
            advance=self.advance,
            give_back=partial(self._give_back, tokens),
        )
        got_at = now()
        waited_s = got_at - wanted_at
        outage_s = min(waited_s, self.provider.down_until(got_at) - down_before)
        paced_s = min(waited_s - outage_s, self._paced_until(got_at) - paced_before)
        return Slot(
            number=number,
            among=wish.among,
            tokens=tokens,
            queued_s=waited_s - outage_s - paced_s,
            paced_s=paced_s,
            outage_s=outage_s,
            sent_at=got_at,
            answers=wish.answers,
            probe=wish.probe,
        )

    def release(self, slot: Slot, *, tokens_used: int) -> None:
        """Give the slot back; the difference between likely and real tokens is corrected."""
        self._in_flight -= 1
        self._pace = self._pace.corrected(tokens_used - slot.tokens)
        if self._window.turnaround_s:
            self._resting += 1
            asyncio.get_running_loop().call_later(self._window.turnaround_s, self._rested)
            self._room.freed(by=self, rests=True)
        else:
            self._room.freed(by=self)

    def _rested(self) -> None:
        self._resting -= 1
        self.advance()

    def succeeded(self, slot: Slot) -> None:
        """Learn from a call that was answered; call it before `release`."""
        self._answers += 1
        if slot.number > self._refused_from:
            self._before_refusals = None
        self._shortest_s = min(self._shortest_s, now() - slot.sent_at)
        self._learn(self._window.succeeded(slot.number, min(slot.among, self._in_flight)))

    def refused(self, slot: Slot, *, named: int | None, by_rate: bool) -> None:
        """Learn from a 429; call it before `release`."""
        self._refusals += 1
        if self._before_refusals is None:
            self._before_refusals, self._refused_from = self._window, self._turns.granted
        self._named = named if named is not None else self._named
        self._learn(
            self._window.refused(
                number=slot.number,
                newest=self._turns.granted,
                others=self._in_flight - 1,
                named=named,
                by_rate=by_rate,
            )
        )
        log.info(
            "%srefused (429): %d slots from now on, %d requests under way",
            *(self._whose, self._window.slots, self._in_flight),
        )

    def queued(self, slot: Slot) -> int:
        """Learn that the server keeps this call waiting in silence while it serves others: it has
        fewer slots.

        Returns how many it seems to work on at a time.
        """
        at_once = served_at_once(
            answers=self._answers - slot.answers,
            shortest_s=self._shortest_s,
            within_s=now() - slot.sent_at,
        )
        if slot.number > self._window.shrunk_after:
            self._works_on = at_once
            log.warning(
                "%sthe server seems to work on %s at a time and keeps the others waiting: %s says"
                " so from the start",
                *(self._whose, at_once, self._in_flight_setting(at_once)),
            )
        self._learn(
            self._window.refused(
                number=slot.number,
                newest=self._turns.granted,
                others=self._in_flight - 1,
                named=at_once,
                by_rate=False,
            )
        )
        return at_once

    def pause(self, seconds: float) -> None:
        """Send no call at all for so long, and then begin again with few."""
        log.info("%snothing is sent for %.1f s", self._whose, seconds)
        self._pace = self._pace.paused(now() + seconds)
        self._learn(self._window.paused())

    def _provider_changed(self) -> None:
        """Take up that an outage has begun, goes on or has ended; after one the window opens from
        its start.

        What it learned from refusals since the last call that was served was the outage's, and says
        nothing any more.
        """
        if self._was_down and not self.provider.is_down:
            self._learn((self._before_refusals or self._window).paused())
            self._before_refusals = None
        self._was_down = self.provider.is_certainly_down
        if self._was_down and self._changed is not None:
            self._turns.refuse_all(SteppedBackError)
        self.advance()
        if self._changed is not None:
            self._changed()

    def on_provider_changed(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when an outage begins, goes on or ends.

        Those who wait here then step back as soon as it is certain.
        """
        self._changed = changed

    def _in_flight_setting(self, number: int) -> str:
        name = self._name
        if name is None:
            return f"--in-flight {number}"
        return f"in_flight = {number} in [endpoints.{name}]"

    def _learn(self, window: Window) -> None:
        self._window = window
        self.history.note(now(), window.slots)

    def _give_back(self, tokens: int) -> None:
        """Undo a grant whose call was not sent."""
        self._in_flight -= 1
        self._pace = self._pace.corrected(-tokens, requests=-1)
        self._room.freed(by=self, rests=True)

    def advance(self) -> None:
        """Grant all slots that can be granted now, and wake up again when more can be."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s: float | None = None
        paced = full = False
        # While the provider is away each probe is another call: one that fails by itself must not
        # be all of them.
        self._turns.go_by_arrival(
            self.provider.is_down
            or goes_by_arrival(
                left=self._left, in_flight=self._room.in_flight, capped=self._capped()
            )
        )
        while (wish := self._turns.first) is not None:
            wait_s = self.provider.wait_s(at)
            if wait_s > 0:
                break
            wait_s = self._pace.wait_s(at)
            paced = wait_s > 0
            if paced:
                break
            full = self._is_full(at)
            if full:
                wait_s = self._window.opens_in_s(at)
                break
            # Of the calls of others: that says nothing about this window.
            if self._room.is_full_for(self):
                wait_s = None
                break
            self._grant(wish, at)
        else:
            wait_s = None
        if not full:
            self._learn(self._window.seen(at, full=False))
        self._count_paced(at, paced=paced)
        due_at = math.inf if wait_s is None else at + wait_s
        if at < self.provider.gives_up_at:
            due_at = min(due_at, self.provider.gives_up_at)
        if due_at < math.inf:
            self._timer = loop.call_at(due_at, self._look)

    def _is_full(self, at: float) -> bool:
        """Return whether no slot is free. A probe may pass the window: what hangs can fill it,
        too.
        """
        if self.provider.probe_is_due(at):
            return self._in_flight >= self._window.maximum
        used = self._in_flight + self._resting
        if used >= self._window.slots:
            self._learn(self._window.seen(at, full=True))
        return used >= self._window.slots

    def _grant(self, wish: _Ticket, at: float) -> None:
        self._in_flight += 1
        wish.among, wish.answers, wish.probe = self._in_flight, self._answers, self.provider.is_down
        self.provider.sends(at)
        self._pace = self._pace.sent(at, wish.tokens)
        self._turns.grant()

    def _look(self) -> None:
        """Go on when it is time; the run ends here when the patience with the provider does."""
        self.provider.look()
        self.advance()

    def _paced_until(self, at: float) -> float:
        """Seconds in all for which the pace held calls back."""
        return self._paced_s + (at - self._paced_since if self._paced_since is not None else 0.0)

    def _count_paced(self, at: float, *, paced: bool) -> None:
        self._paced_s = self._paced_until(at)
        self._paced_since = at if paced else None
