"""The funds of one process: a ledger, and the queue of those who want to reserve from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from harness.domain.completion import AtMost
from harness.domain.ledger import NOT_SENT, NOTHING, Charged, Ledger, Reserved
from harness.domain.policy import Limits
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.turns import Turns
from harness.ports import Reservation, Want

Exhausted = Callable[[str], Callable[[], Exception]]
"""Told what is missing when not even the next request fits. It returns what makes the error for all
who wait.
"""


class LedgerFunds:
    """Reserves from a ledger, for the oldest topic first.

    Less than the worst case is only reserved for as many calls as can be in flight: a call that
    would wait for a slot would add to what the budget could be passed by. With `slots` the time is
    measured for which slots stood free while calls waited for money. `exhausted` is told when not
    even the next request fits. `by_arrival` says whether slots are given in the order of arrival
    now: then money is, too.
    """

    def __init__(
        self,
        ledger: Ledger,
        stop: Stop,
        exhausted: Exhausted,
        *,
        limits: Limits,
        slots: Callable[[], int] = lambda: 0,
        makes_likely: bool = False,
        by_arrival: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger = ledger
        self._exhausted = exhausted
        self._stop = stop
        self._slots = slots
        self._limits = limits
        self._holders = _Holders(limits)
        self._makes_likely = makes_likely
        self._by_arrival = by_arrival
        self._trying: Counter[str] = Counter()
        self._waiting = 0
        self._turns: Turns[_Asked] = Turns(stop)

    @property
    def caps_money(self) -> bool:
        """Return whether there is a cap in USD."""
        return self._ledger.budget.cost is not None

    @property
    def is_unused(self) -> bool:
        """Return whether nothing is reserved and nobody waits."""
        return not self._ledger.reservations and not self._turns

    def may_run_out(self, most: AtMost) -> bool:
        """Return whether the budget may be at its end before the work is, going by this request."""
        return self._ledger.may_end_the_run(slots=self._limits.in_flight, most=most)

    async def reserve(self, want: Want, *, priority: int) -> Reservation:
        """Wait until the ledger can pay for this. Raises what ended the funds, or the run."""
        self._stop.check()
        asked = _Asked(want)
        if not self._turns and self._granted(asked):
            return Reservation(want=want, reserved=asked.reserved)
        began_s, short_s = now(), self._short_s()
        self._waiting += 1
        try:
            await self._turns.take(
                asked,
                priority=priority,
                advance=self._advance,
                give_back=lambda: self._settle(want, asked.reserved, NOT_SENT),
            )
        finally:
            if asked.reserved is NOTHING:
                self._waiting -= 1
                self._measure()
        budget_s = self._short_s() - short_s
        queued_s = max(0.0, now() - began_s - budget_s)
        return Reservation(want=want, reserved=asked.reserved, budget_s=budget_s, queued_s=queued_s)

    def settle(self, reservation: Reservation, charged: Charged) -> None:
        """Turn a reservation into what was really spent, and let the next go."""
        self._settle(reservation.want, reservation.reserved, charged)

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        self._turns.refuse_all(error)

    def _settle(self, want: Want, reserved: Reserved, charged: Charged) -> None:
        self._ledger.settle(reserved, charged)
        self._holders.give_back(want.topic_id)
        self._trying[want.step] -= 1
        self._advance()

    def _advance(self) -> None:
        """Reserve for all who can go now; where the first can never go, the ledger is at its
        end.
        """
        self._turns.go_by_arrival(self._by_arrival())
        while (asked := self._turns.first) is not None:
            want = asked.want
            if self._granted(asked):
                self._waiting -= 1
                self._turns.grant()
            elif self._tries(want):
                self._turns.set_aside()
            elif self._ledger.could_ever_afford(want.most, want.likely()):
                break
            else:
                self.refuse_all(self._exhausted(self._ledger.shortage(want.most)))
        self._turns.bring_back()
        self._measure()

    def _tries(self, want: Want) -> bool:
        """Return whether this one will cost less soon: its step has had no answer, and calls of it
        are in flight.

        Then the others need not wait behind it until there is money for its worst case.
        """
        return self._makes_likely and self._trying[want.step] > 0 and want.likely() is None

    def _granted(self, asked: _Asked) -> bool:
        """Reserve for this one, if that can be done now."""
        want, likely = asked.want, asked.want.likely()
        if not self._ledger.can_afford(want.most, likely):
            return False
        if not self._holders.can_be_more and self._ledger.holds_likely(want.most, likely):
            return False
        asked.reserved = self._ledger.reserve(want.most, likely)
        self._holders.take(want.topic_id)
        self._trying[want.step] += 1
        return True

    def _short_s(self) -> float:
        """Seconds so far for which the first of those who wait had to wait for money."""
        self._ledger.braking.went_on(now())
        return self._ledger.braking.short_s

    def _measure(self) -> None:
        ledger, first = self._ledger, self._turns.first
        if first is None:
            ledger.braking.stands(now(), waiting=0, holding=self._holders.number, slots=0)
            return
        most, likely = first.want.most, first.want.likely()
        free = ledger.braking.stands(
            now(),
            waiting=0 if ledger.can_afford(most, likely) else self._waiting,
            holding=self._holders.number,
            slots=self._slots(),
        )
        if free:
            if likely is not None and ledger.holds_likely(most, likely):
                more = likely
            else:
                more = most
            ledger.braking.wanted(
                cost=ledger.reserved_cost + free * (more.cost or 0.0),
                tokens=ledger.reserved_tokens + free * more.tokens,
            )


@dataclass(slots=True, eq=False)
class _Asked:
    """One who wants to reserve; `reserved` is what it holds once it has its turn."""

    want: Want
    reserved: Reserved = NOTHING


class _Holders:
    """The calls that hold money and can be in flight at once, with at most so many of one topic."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of_topic: Counter[str] = Counter()
        self.number = 0

    @property
    def can_be_more(self) -> bool:
        return self.number < self._limits.in_flight

    def take(self, topic_id: str) -> None:
        self._of_topic[topic_id] += 1
        self.number += self._of_topic[topic_id] <= self._limits.per_run

    def give_back(self, topic_id: str) -> None:
        self.number -= self._of_topic[topic_id] <= self._limits.per_run
        self._of_topic[topic_id] -= 1
        if not self._of_topic[topic_id]:
            del self._of_topic[topic_id]
