"""The budget layer: what a request may cost is reserved before it leaves, so no cap is passed.

Reserved is the worst case. With a `Likely` it is what the answers of the same step so far say, for the run's own purse
and for most of its budget; then the cap can be passed, and the purse keeps by how much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request
from harness.domain.failures import CompletionError, TopicBudgetExceeded
from harness.domain.likely import Likely
from harness.domain.pricing import Pricing, charge_of
from harness.domain.purse import NOT_SENT, Charged, Purse, Reserved
from harness.domain.recording import step_of
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.telling import telling
from harness.engine.turns import Turns
from harness.errors import RunStopped
from harness.ports import Completer, WallClock


class Budgeted:
    """Waits while others hold the money in reserve; refuses when not even the next call is sure to fit.

    What the run's purse cannot pay ends the run; what the purse of a call's topic cannot pay is the end of that topic,
    with TopicBudgetExceeded for this call and all its later ones. Each attempt is reserved on its own. A request whose
    payment is unknown (a broken stream, a cancelled call, an answer without usage) counts at the most that it can have
    cost: what the journal judged, else its worst case.

    `places` is how many calls may be in flight now: where fewer hold money and others wait for it, time is lost, which
    the run's purse keeps.
    """

    def __init__(
        self,
        inner: Completer,
        purse: Purse,
        pricing: Pricing,
        clock: WallClock,
        stop: Stop,
        *,
        likely: Likely | None = None,
        places: Callable[[], int] | None = None,
    ) -> None:
        self._inner = inner
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._likely = likely
        self._run = _Till(purse, stop, self._end_run, places)
        self._topics: dict[str, _Till] = {}
        stop.on_set(self._refuse_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        most = self._pricing.at_most(request, self._clock.now())
        started = now()
        reserved: list[tuple[_Till, Reserved]] = []
        charged = NOT_SENT
        try:
            for till in self._tills(call):
                reserved.append((till, await till.reserve(self._want(till, request, call, most), call.priority)))
            charged = Charged.unknown(most)
            completion = await telling(self._inner.complete(request, call), budget_s=now() - started)
            charged = _charged(completion, most)
            if self._likely is not None:
                self._likely.learn(step_of(call.span_id), request, completion.usage)
        except CompletionError as error:
            charged = _charged_for(error, most)
            raise
        except RunStopped:
            charged = NOT_SENT
            raise
        else:
            return completion
        finally:
            for till, reservation in reserved:
                till.settle(reservation, charged)
            self._forget(call.topic_id)

    def _want(self, till: _Till, request: Request, call: Call, most: AtMost) -> _Want:
        """What a topic may spend is kept by worst cases alone: it has too few answers to go by."""
        likely = self._likely
        if likely is None or till is not self._run:
            return _Want(most)

        def likely_now() -> AtMost | None:
            usage = likely.usage(step_of(call.span_id), request)
            return None if usage is None else self._pricing.dearest(request.model, usage, self._clock.now())

        return _Want(most, likely_now)

    def _tills(self, call: Call) -> tuple[_Till, ...]:
        """The topic's comes first: who waits for the run's money holds nothing that another topic waits for."""
        if call.purse is None:
            return (self._run,)
        till = self._topics.get(call.topic_id)
        if till is None:
            till = self._topics[call.topic_id] = _Till(call.purse, self._stop, self._end_topic)
        return (till, self._run)

    def _forget(self, topic_id: str) -> None:
        """Drop the queue of a topic where nobody is; its purse lives with the topic."""
        till = self._topics.get(topic_id)
        if till is not None and till.unused:
            del self._topics[topic_id]

    def _end_run(self, till: _Till, most: AtMost) -> None:
        shortage = till.purse.shortage(most)
        self._stop.set("budget", f"the budget is reached: {shortage}. Resume with a higher one, or lower max_tokens.")

    def _end_topic(self, till: _Till, most: AtMost) -> None:
        message = f"the topic's budget is reached: {till.purse.shortage(most)}; raise it, or lower max_tokens"
        till.purse.closed = True
        till.refuse_all(lambda: TopicBudgetExceeded(message))

    def _refuse_all(self) -> None:
        for till in (self._run, *self._topics.values()):
            till.refuse_all(self._stop.error)


def _charged(completion: Completion, most: AtMost) -> Charged:
    if not completion.usage.total_tokens:
        return Charged.unknown(completion.at_most or most)
    return Charged(cost=completion.cost or 0.0, tokens=completion.usage.total_tokens)


def _charged_for(error: CompletionError, most: AtMost) -> Charged:
    charge = charge_of(error)
    if charge.usage is None:
        return Charged.unknown(error.at_most or most)
    return Charged(cost=charge.cost or 0.0, tokens=charge.usage.total_tokens)


@dataclass(slots=True, eq=False)
class _Want:
    """What a request may cost, and what it will likely cost as things stand; `reserved` once it has its turn."""

    most: AtMost
    likely: Callable[[], AtMost | None] = lambda: None
    reserved: Reserved | None = None


class _Till:
    """A purse, and the queue of those who want to reserve from it: the oldest topic first.

    With `places` it measures how long places stood free while calls waited here.
    """

    def __init__(
        self,
        purse: Purse,
        stop: Stop,
        exhausted: Callable[[_Till, AtMost], None],
        places: Callable[[], int] | None = None,
    ) -> None:
        self.purse = purse
        self._exhausted = exhausted
        self._stop = stop
        self._places = places
        self._waiting = 0
        self._turns: Turns[_Want] = Turns(stop)

    @property
    def unused(self) -> bool:
        return not self.purse.reservations and not self._turns

    async def reserve(self, want: _Want, priority: int) -> Reserved:
        """Wait until the purse can pay for this; raises what ended the purse, or the run."""
        self._stop.check()
        if self._turns or not self._granted(want):
            self._waiting += 1
            try:
                await self._turns.take(
                    want, priority=priority, advance=self._advance, give_back=lambda: self._give_back(want)
                )
            finally:
                if want.reserved is None:
                    self._waiting -= 1
                    self._measure()
        if want.reserved is None:
            raise AssertionError("whoever has its turn has its reservation")
        return want.reserved

    def settle(self, reserved: Reserved, charged: Charged) -> None:
        """Turn a reservation into what was really spent, and let the next go."""
        self.purse.settle(reserved, charged)
        self._advance()

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        self._turns.refuse_all(error)

    def _advance(self) -> None:
        """Reserve for all who can go now; where the first can never go, the purse is at its end."""
        while (want := self._turns.first) is not None:
            if self._granted(want):
                self._waiting -= 1
                self._turns.grant()
            elif self.purse.could_ever_afford(want.most, want.likely()):
                break
            else:
                self._exhausted(self, want.most)
        self._measure()

    def _granted(self, want: _Want) -> bool:
        """Reserve for this one, if that can be done now."""
        likely = want.likely()
        if not self.purse.can_afford(want.most, likely):
            return False
        want.reserved = self.purse.reserve(want.most, likely)
        return True

    def _give_back(self, want: _Want) -> None:
        if want.reserved is not None:
            self.settle(want.reserved, NOT_SENT)

    def _measure(self) -> None:
        if self._places is None:
            return
        purse = self.purse
        free = purse.braking.stands(
            now(), waiting=self._waiting, holding=purse.reservations, places=self._places()
        )
        first = self._turns.first
        if free and first is not None:
            one = first.likely() or first.most
            purse.braking.wanted(
                cost=purse.reserved_cost + free * (one.cost or 0.0), tokens=purse.reserved_tokens + free * one.tokens
            )
