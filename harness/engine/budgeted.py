"""The budget layer: the worst case of a request is reserved before it leaves, so no cap is ever passed."""

from __future__ import annotations

from collections.abc import Callable

from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.failures import CompletionError, TopicBudgetExceeded
from harness.domain.pricing import AtMost, Pricing, charge_of
from harness.domain.purse import Purse
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
    payment is unknown (a broken stream, a cancelled call, an answer without usage) keeps its whole reservation as
    spent.
    """

    def __init__(self, inner: Completer, purse: Purse, pricing: Pricing, clock: WallClock, stop: Stop) -> None:
        self._inner = inner
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._run = _Till(purse, stop, self._end_run)
        self._topics: dict[str, _Till] = {}
        stop.on_set(self._refuse_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        most = self._pricing.at_most(request, self._clock.now())
        started = now()
        reserved: list[_Till] = []
        cost, tokens, sent = 0.0, 0, False
        try:
            for till in self._tills(call):
                await till.reserve(most, call.priority)
                reserved.append(till)
            cost, tokens, sent = most.cost or 0.0, most.tokens, True
            completion = await telling(self._inner.complete(request, call), budget_s=now() - started)
            if completion.usage.total_tokens:
                cost, tokens = completion.cost or 0.0, completion.usage.total_tokens
        except CompletionError as error:
            charge = charge_of(error)
            if charge.usage is not None:
                cost, tokens = charge.cost or 0.0, charge.usage.total_tokens
            raise
        except RunStopped:
            cost, tokens, sent = 0.0, 0, False  # it never left
            raise
        else:
            return completion
        finally:
            for till in reserved:
                till.settle(most, cost=cost, tokens=tokens, sent=sent)
            self._forget(call.topic_id)

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


class _Till:
    """A purse, and the queue of those who want to reserve from it: the oldest topic first."""

    def __init__(self, purse: Purse, stop: Stop, exhausted: Callable[[_Till, AtMost], None]) -> None:
        self.purse = purse
        self._exhausted = exhausted
        self._stop = stop
        self._turns: Turns[AtMost] = Turns(stop)

    @property
    def unused(self) -> bool:
        return not self.purse.reservations and not self._turns

    async def reserve(self, most: AtMost, priority: int) -> None:
        """Wait until the purse can pay for this; raises what ended the purse, or the run."""
        if not self._turns and self.purse.can_afford(most):
            self._stop.check()
            self.purse.reserve(most)
            return
        await self._turns.take(
            most,
            priority=priority,
            advance=self._advance,
            give_back=lambda: self.settle(most, cost=0.0, tokens=0, sent=False),
        )

    def settle(self, most: AtMost, *, cost: float, tokens: int, sent: bool) -> None:
        """Turn a reservation into what was really spent, and let the next go."""
        self.purse.settle(most, cost=cost, tokens=tokens, sent=sent)
        self._advance()

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        self._turns.refuse_all(error)

    def _advance(self) -> None:
        """Reserve for all who can go now; where the first can never go, the purse is at its end."""
        while (most := self._turns.first) is not None:
            if self.purse.can_afford(most):
                self.purse.reserve(most)
                self._turns.grant()
            elif self.purse.could_ever_afford(most):
                return
            else:
                self._exhausted(self, most)
