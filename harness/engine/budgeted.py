"""The budget layer: what a request may cost is reserved before it leaves, so no cap is passed.

Reserved is the worst case. With a `Likely` it is what the answers of the same step so far say, for
the run's own funds and for most of its budget; then the cap can be passed, and the ledger keeps by
how much.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request
from harness.domain.failures import CompletionError, TopicBudgetExceeded
from harness.domain.ledger import NOT_SENT, Charged, Ledger
from harness.domain.likely import Likely
from harness.domain.policy import Limits
from harness.domain.pricing import Pricing, charge_of
from harness.domain.recorded_call import step_of
from harness.engine.reservations import LedgerFunds
from harness.engine.stopping import Stop
from harness.engine.turns import SteppedBackError
from harness.errors import RunStopped
from harness.ports import Completer, Funds, Reservation, WallClock, Want
from harness.text.safe import one_line


class Budgeted:
    """Waits while others hold the money in reserve; refuses when not even the next call is sure to
    fit.

    `funds` are the run's: what they cannot pay ends the run. What the ledger of a call's topic
    cannot pay is the end of that topic, with TopicBudgetExceeded for this call and all its later
    ones. Each attempt is reserved on its own. A request whose payment is unknown (a broken stream,
    a cancelled call, an answer without usage) counts at the most that it can have cost: what the
    journal judged, else its worst case. An answer of a model that was not asked for, and whose
    price nobody knows, ends the run: no cap in money can be kept any more.

    `limits` are those of the layers within.
    """

    def __init__(
        self,
        inner: Completer,
        funds: Funds,
        pricing: Pricing,
        clock: WallClock,
        stop: Stop,
        *,
        likely: Likely | None = None,
        limits: Limits,
    ) -> None:
        self._inner = inner
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._likely = likely
        self._limits = limits
        self._most = AtMost(cost=None, tokens=0)
        self._run = funds
        self._topics: dict[str, LedgerFunds] = {}
        stop.on_set(self._refuse_all)

    def may_end_the_run(self) -> bool:
        """Return whether the run's budget may be at its end before its work is, going by the last
        request.
        """
        return self._run.may_run_out(self._most)

    async def complete(self, request: Request, call: Call) -> Completion:
        most = self._most = self._pricing.at_most(request, self._clock.now())
        held: list[tuple[Funds, Reservation]] = []
        charged = NOT_SENT
        call.tracker.at("money")
        try:
            for funds in self._funds_of(call):
                want = self._want(funds, request, call, most)
                reservation = await funds.reserve(want, priority=call.priority)
                held.append((funds, reservation))
                call.attempt.waited(budget_s=reservation.budget_s, queued_s=reservation.queued_s)
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
            for funds, reservation in held:
                funds.settle(reservation, charged)
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
        return self._run.caps_money or any(funds.caps_money for funds in self._topics.values())

    def _want(self, funds: Funds, request: Request, call: Call, most: AtMost) -> Want:
        """Return what to reserve. A topic's cap is kept by worst cases alone: it has too few
        answers to go by.
        """
        step, likely = step_of(call.span_id), self._likely
        if likely is None or funds is not self._run:
            return Want(topic_id=call.topic_id, step=step, most=most)

        def likely_now() -> AtMost | None:
            usage = likely.usage(step, request)
            if usage is None:
                return None
            return self._pricing.of(request).dearest(request.model, usage, self._clock.now())

        return Want(topic_id=call.topic_id, step=step, most=most, likely=likely_now)

    def _funds_of(self, call: Call) -> tuple[Funds, ...]:
        """The topic's come first: who waits for the run's money holds nothing that another topic
        waits for.
        """
        if call.topic_ledger is None:
            return (self._run,)
        funds = self._topics.get(call.topic_id)
        if funds is None:
            ledger = call.topic_ledger
            funds = self._topics[call.topic_id] = LedgerFunds(
                ledger,
                self._stop,
                lambda shortage: _end_topic(ledger, shortage),
                limits=self._limits,
            )
        return (funds, self._run)

    def _forget(self, topic_id: str) -> None:
        """Drop the queue of a topic where nobody is; its ledger lives with the topic."""
        funds = self._topics.get(topic_id)
        if funds is not None and funds.is_unused:
            del self._topics[topic_id]

    def _refuse_all(self) -> None:
        for funds in (self._run, *self._topics.values()):
            funds.refuse_all(self._stop.error)


def end_run(stop: Stop, shortage: str) -> Callable[[], Exception]:
    """End the run for want of money; returns what makes the error for all who wait."""
    stop.set(
        "budget",
        f"the budget is reached: {shortage}. Resume with a higher one, or lower max_tokens.",
    )
    return stop.error


def _end_topic(ledger: Ledger, shortage: str) -> Callable[[], Exception]:
    message = f"the topic's budget is reached: {shortage}; raise it, or lower max_tokens"
    ledger.closed = True
    return lambda: TopicBudgetExceeded(message)


def _charged(completion: Completion, worst: AtMost) -> Charged:
    if not completion.usage.total_tokens:
        return Charged.unknown(worst)
    return Charged(cost=completion.cost or 0.0, tokens=completion.usage.total_tokens)


def _charged_for(error: CompletionError, worst: AtMost) -> Charged:
    charge = charge_of(error)
    if charge.usage is None:
        return Charged.unknown(worst)
    return Charged(cost=charge.cost or 0.0, tokens=charge.usage.total_tokens)
