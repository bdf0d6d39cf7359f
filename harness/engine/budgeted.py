"""The budget layer: what a request may cost is reserved before it leaves, so no cap is passed.

Reserved is the worst case. With a `Likely` it is what the answers of the same step so far say, for
the run's own ledger and for most of its budget; then the cap can be passed, and the ledger keeps by
how much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request
from harness.domain.failures import CompletionError, TopicBudgetExceeded
from harness.domain.ledger import NOT_SENT, NOTHING, Charged, Ledger, Reserved
from harness.domain.likely import Likely
from harness.domain.policy import Limits
from harness.domain.pricing import Pricing, charge_of
from harness.domain.recorded_call import step_of
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.turns import SteppedBackError, Turns
from harness.errors import RunStopped
from harness.ports import Completer, WallClock
from harness.text.safe import one_line


class Budgeted:
    """Waits while others hold the money in reserve; refuses when not even the next call is sure to
    fit.

    What the run's ledger cannot pay ends the run; what the ledger of a call's topic cannot pay is the
    end of that topic, with TopicBudgetExceeded for this call and all its later ones. Each attempt
    is reserved on its own. A request whose payment is unknown (a broken stream, a cancelled call,
    an answer without usage) counts at the most that it can have cost: what the journal judged, else
    its worst case. An answer of a model that was not asked for, and whose price nobody knows, ends
    the run: no cap in money can be kept any more.

    `limits` are those of the layers within, `places` is how many calls may be in flight now: where
    fewer hold money and others wait for it, time is lost, which the run's ledger keeps. `by_arrival`
    says whether places are given in the order of arrival now: then money is, too.
    """

    def __init__(
        self,
        inner: Completer,
        ledger: Ledger,
        pricing: Pricing,
        clock: WallClock,
        stop: Stop,
        *,
        likely: Likely | None = None,
        limits: Limits,
        places: Callable[[], int] | None = None,
        by_arrival: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inner = inner
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._likely = likely
        self._limits = limits
        self._most = AtMost(cost=None, tokens=0)
        self._run = _ReservationQueue(
            ledger,
            stop,
            self._end_run,
            limits=limits,
            places=places,
            makes_likely=likely is not None,
            by_arrival=by_arrival,
        )
        self._topics: dict[str, _ReservationQueue] = {}
        stop.on_set(self._refuse_all)

    def may_end_the_run(self) -> bool:
        """Return whether the run's budget may be at its end before its work is, going by the last
        request.
        """
        return self._run.ledger.may_end_the_run(places=self._limits.in_flight, most=self._most)

    async def complete(self, request: Request, call: Call) -> Completion:
        most = self._most = self._pricing.at_most(request, self._clock.now())
        wanted: list[tuple[_ReservationQueue, _Want]] = []
        charged = NOT_SENT
        call.tracker.at("money")
        try:
            for till in self._tills(call):
                want = self._want(till, request, call, most)
                waited = await till.reserve(want, call.priority)
                wanted.append((till, want))
                call.attempt.waited(budget_s=waited.budget_s, queued_s=waited.queued_s)
            charged = Charged.unknown(most)
            completion = await self._inner.complete(request, call)
            worst = call.attempt.at_most or most
            charged = _charged(completion, worst)
            self._keep_sure(most, completion, completion.cost, worst)
            if self._likely is not None:
                self._likely.learn(step_of(call.span_id), request, completion.usage)
        except CompletionError as error:
            worst = call.attempt.at_most or most
            charged = _charged_for(error, worst)
            if error.partial is not None and error.billed == "yes":
                self._keep_sure(most, error.partial, charge_of(error).cost, worst)
            raise
        except (RunStopped, SteppedBackError):
            charged = NOT_SENT
            raise
        else:
            return completion
        finally:
            for till, want in wanted:
                till.settle(want, charged)
            self._forget(call.topic_id)

    def _keep_sure(
        self, most: AtMost, answer: Completion, cost: float | None, worst: AtMost
    ) -> None:
        """End the run where another model answered, of unknown price: what is left of the budget is
        then not known.
        """
        if most.cost is None or cost is not None or not self._caps_money():
            return
        if answer.usage.total_tokens or worst.cost is None:
            name = one_line(answer.model, 120)
            self._stop.set(
                "budget",
                f"the budget cannot be kept: {name} answered, which is not the model that was asked"
                " for, and its price "
                f'is not known. Give it one as [prices."{name}"] in harness.toml and run the same'
                " command again, "
                "or cap with --budget-tokens.",
            )

    def _caps_money(self) -> bool:
        return any(
            till.ledger.budget.cost is not None for till in (self._run, *self._topics.values())
        )

    def _want(self, till: _ReservationQueue, request: Request, call: Call, most: AtMost) -> _Want:
        """Return what to reserve. A topic's cap is kept by worst cases alone: it has too few
        answers to go by.
        """
        step, likely = step_of(call.span_id), self._likely
        if likely is None or till is not self._run:
            return _Want(call.topic_id, step, most)

        def likely_now() -> AtMost | None:
            usage = likely.usage(step, request)
            return (
                None
                if usage is None
                else self._pricing.of(request).dearest(request.model, usage, self._clock.now())
            )

        return _Want(call.topic_id, step, most, likely_now)

    def _tills(self, call: Call) -> tuple[_ReservationQueue, ...]:
        """The topic's comes first: who waits for the run's money holds nothing that another topic
        waits for.
        """
        if call.topic_ledger is None:
            return (self._run,)
        till = self._topics.get(call.topic_id)
        if till is None:
            till = self._topics[call.topic_id] = _ReservationQueue(
                call.topic_ledger, self._stop, self._end_topic, limits=self._limits
            )
        return (till, self._run)

    def _forget(self, topic_id: str) -> None:
        """Drop the queue of a topic where nobody is; its ledger lives with the topic."""
        till = self._topics.get(topic_id)
        if till is not None and till.unused:
            del self._topics[topic_id]

    def _end_run(self, till: _ReservationQueue, most: AtMost) -> None:
        shortage = till.ledger.shortage(most)
        self._stop.set(
            "budget",
            f"the budget is reached: {shortage}. Resume with a higher one, or lower max_tokens.",
        )

    def _end_topic(self, till: _ReservationQueue, most: AtMost) -> None:
        message = (
            f"the topic's budget is reached: {till.ledger.shortage(most)}; raise it, or lower"
            " max_tokens"
        )
        till.ledger.closed = True
        till.refuse_all(lambda: TopicBudgetExceeded(message))

    def _refuse_all(self) -> None:
        for till in (self._run, *self._topics.values()):
            till.refuse_all(self._stop.error)


def _charged(completion: Completion, worst: AtMost) -> Charged:
    if not completion.usage.total_tokens:
        return Charged.unknown(worst)
    return Charged(cost=completion.cost or 0.0, tokens=completion.usage.total_tokens)


def _charged_for(error: CompletionError, worst: AtMost) -> Charged:
    charge = charge_of(error)
    if charge.usage is None:
        return Charged.unknown(worst)
    return Charged(cost=charge.cost or 0.0, tokens=charge.usage.total_tokens)


@dataclass(slots=True, eq=False)
class _Want:
    """The most a request may cost, and its likely cost as things stand; `reserved` once it has its
    turn.
    """

    topic_id: str
    step: str
    most: AtMost
    likely: Callable[[], AtMost | None] = lambda: None
    reserved: Reserved = NOTHING


class _Room:
    """The calls that hold money and can be in flight at once, with at most so many of one topic."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._holding: Counter[str] = Counter()
        self.taken = 0

    @property
    def is_left(self) -> bool:
        return self.taken < self._limits.in_flight

    def take(self, topic_id: str) -> None:
        self._holding[topic_id] += 1
        self.taken += self._holding[topic_id] <= self._limits.per_run

    def give_back(self, topic_id: str) -> None:
        self.taken -= self._holding[topic_id] <= self._limits.per_run
        self._holding[topic_id] -= 1
        if not self._holding[topic_id]:
            del self._holding[topic_id]


class _ReservationQueue:
    """A ledger, and the queue of those who want to reserve from it: the oldest topic first.

    Less than the worst case is only reserved for as many calls as can be in flight: a call that
    would wait for a place would add to what the budget could be passed by. With `places` the time
    is measured for which places stood free while calls waited for money.
    """

    def __init__(
        self,
        ledger: Ledger,
        stop: Stop,
        exhausted: Callable[[_ReservationQueue, AtMost], None],
        *,
        limits: Limits,
        places: Callable[[], int] | None = None,
        makes_likely: bool = False,
        by_arrival: Callable[[], bool] = lambda: False,
    ) -> None:
        self.ledger = ledger
        self._exhausted = exhausted
        self._stop = stop
        self._places = places
        self._room = _Room(limits)
        self._makes_likely = makes_likely
        self._by_arrival = by_arrival
        self._trying: Counter[str] = Counter()
        self._waiting = 0
        self._turns: Turns[_Want] = Turns(stop)

    @property
    def unused(self) -> bool:
        return not self.ledger.reservations and not self._turns

    async def reserve(self, want: _Want, priority: int) -> _Wait:
        """Wait until the ledger can pay for this; raises what ended the ledger, or the run."""
        self._stop.check()
        if not self._turns and self._granted(want):
            return _Wait()
        began_s, short_s = now(), self._short_s()
        self._waiting += 1
        try:
            await self._turns.take(
                want,
                priority=priority,
                advance=self._advance,
                give_back=lambda: self._give_back(want),
            )
        finally:
            if want.reserved is NOTHING:
                self._waiting -= 1
                self._measure()
        budget_s = self._short_s() - short_s
        return _Wait(budget_s=budget_s, queued_s=max(0.0, now() - began_s - budget_s))

    def settle(self, want: _Want, charged: Charged) -> None:
        """Turn a reservation into what was really spent, and let the next go."""
        self.ledger.settle(want.reserved, charged)
        self._room.give_back(want.topic_id)
        self._trying[want.step] -= 1
        self._advance()

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        self._turns.refuse_all(error)

    def _advance(self) -> None:
        """Reserve for all who can go now; where the first can never go, the ledger is at its end."""
        self._turns.go_by_arrival(self._by_arrival())
        while (want := self._turns.first) is not None:
            if self._granted(want):
                self._waiting -= 1
                self._turns.grant()
            elif self._tries(want):
                self._turns.set_aside()
            elif self.ledger.could_ever_afford(want.most, want.likely()):
                break
            else:
                self._exhausted(self, want.most)
        self._turns.bring_back()
        self._measure()

    def _tries(self, want: _Want) -> bool:
        """Return whether this one will cost less soon: its step has had no answer, and calls of it
        are in flight.

        Then the others need not wait behind it until there is money for its worst case.
        """
        return self._makes_likely and self._trying[want.step] > 0 and want.likely() is None

    def _granted(self, want: _Want) -> bool:
        """Reserve for this one, if that can be done now."""
        likely = want.likely()
        if not self.ledger.can_afford(want.most, likely):
            return False
        if not self._room.is_left and self.ledger.holds_likely(want.most, likely):
            return False
        want.reserved = self.ledger.reserve(want.most, likely)
        self._room.take(want.topic_id)
        self._trying[want.step] += 1
        return True

    def _give_back(self, want: _Want) -> None:
        self.settle(want, NOT_SENT)

    def _short_s(self) -> float:
        """Seconds so far for which the first of those who wait had to wait for money."""
        self.ledger.braking.went_on(now())
        return self.ledger.braking.short_s

    def _measure(self) -> None:
        ledger, first = self.ledger, self._turns.first
        one = None if first is None else first.likely()
        is_short = first is not None and not ledger.can_afford(first.most, one)
        free = ledger.braking.stands(
            now(),
            waiting=self._waiting if is_short else 0,
            holding=self._room.taken,
            places=self._places() if self._places is not None else 0,
        )
        if free and first is not None:
            more = one if one is not None and ledger.holds_likely(first.most, one) else first.most
            ledger.braking.wanted(
                cost=ledger.reserved_cost + free * (more.cost or 0.0),
                tokens=ledger.reserved_tokens + free * more.tokens,
            )


class _Wait(NamedTuple):
    """Seconds waited for money, and for a place that could be used with it."""

    budget_s: float = 0.0
    queued_s: float = 0.0
