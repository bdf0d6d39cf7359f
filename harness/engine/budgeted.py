"""The budget layer: the worst case of a request is reserved before it leaves, so the cap is never passed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from harness.domain.completion import Call, Completion, Request, Served
from harness.domain.policy import Budget
from harness.domain.pricing import AtMost, Pricing
from harness.engine.stopping import Stop
from harness.errors import CompletionError
from harness.ports import Completer, Spent, WallClock


@dataclass(slots=True)
class Purse:
    """What is spent and what is reserved, in USD and tokens; over all sessions of the run.

    Money whose payment is unknown counts as spent: `before` brings in what the journal cannot account for.
    """

    budget: Budget
    cost: float = 0.0
    tokens: int = 0
    reserved_cost: float = 0.0
    reserved_tokens: int = 0

    @classmethod
    def after(cls, budget: Budget, before: Spent) -> Purse:
        """The purse of a session that follows others."""
        return cls(
            budget=budget,
            cost=before.cost + before.cost_at_risk,
            tokens=before.tokens + before.tokens_at_risk,
        )

    def could_ever_afford(self, most: AtMost) -> bool:
        """Whether this request fits, if all that is reserved by others came back unspent."""
        return self.budget.allows(cost=self.cost + (most.cost or 0.0), tokens=self.tokens + most.tokens)

    def can_afford(self, most: AtMost) -> bool:
        """Whether this request fits now, with all that others have reserved."""
        return self.budget.allows(
            cost=self.cost + self.reserved_cost + (most.cost or 0.0),
            tokens=self.tokens + self.reserved_tokens + most.tokens,
        )

    def reserve(self, most: AtMost) -> None:
        self.reserved_cost += most.cost or 0.0
        self.reserved_tokens += most.tokens

    def settle(self, most: AtMost, *, cost: float, tokens: int) -> None:
        """Turn a reservation into what was really spent."""
        self.reserved_cost -= most.cost or 0.0
        self.reserved_tokens -= most.tokens
        self.cost += cost
        self.tokens += tokens


class Budgeted:
    """Waits while others hold the money in reserve; ends the run when not even the next call is sure to fit.

    Each attempt is reserved on its own. A request whose payment is unknown (a broken stream, a cancelled call) keeps
    its whole reservation as spent.
    """

    def __init__(self, inner: Completer, purse: Purse, pricing: Pricing, clock: WallClock, stop: Stop) -> None:
        self._inner = inner
        self._purse = purse
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._waiting: list[asyncio.Future[None]] = []
        stop.on_set(self._wake_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        self._stop.check()
        most = self._pricing.at_most(request, self._clock.now())
        waited_s = await self._reserve(most)
        cost, tokens = most.cost or 0.0, most.tokens
        try:
            completion = await self._inner.complete(request, call)
            cost, tokens = completion.cost or 0.0, completion.usage.total_tokens
        except CompletionError as error:
            if error.billed == "no":
                cost, tokens = 0.0, 0
            elif error.billed == "yes" and error.partial is not None:
                cost, tokens = error.partial.cost or 0.0, error.partial.usage.total_tokens
            served = error.served or Served()
            error.served = replace(served, budget_s=served.budget_s + waited_s)
            raise
        finally:
            self._purse.settle(most, cost=cost, tokens=tokens)
            self._wake_all()
        if waited_s == 0.0:
            return completion
        return replace(completion, served=replace(completion.served, budget_s=completion.served.budget_s + waited_s))

    async def _reserve(self, most: AtMost) -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while not self._purse.can_afford(most):
            if not self._purse.could_ever_afford(most):
                self._stop.set("budget", self._exhausted(most))
                raise self._stop.error()
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.append(turn)
            await turn
            self._stop.check()
        self._purse.reserve(most)
        return loop.time() - started

    def _exhausted(self, most: AtMost) -> str:
        purse, budget = self._purse, self._purse.budget
        parts = []
        if budget.cost is not None:
            parts.append(
                f"${purse.cost:.4f} of ${budget.cost:.4f} is spent and the next call may cost up to "
                f"${most.cost or 0:.4f}"
            )
        if budget.tokens is not None:
            parts.append(
                f"{purse.tokens:,} of {budget.tokens:,} tokens are spent and the next call may take up to "
                f"{most.tokens:,}"
            )
        return f"the budget is reached: {'; '.join(parts)}. Resume with a higher one, or lower max_tokens."

    def _wake_all(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()
