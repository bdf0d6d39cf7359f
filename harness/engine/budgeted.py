"""The budget layer: the worst case of a request is reserved before it leaves, so the cap is never passed."""

from __future__ import annotations

from dataclasses import dataclass

from harness.domain.completion import Call, Completion, Request
from harness.domain.policy import Budget
from harness.domain.pricing import AtMost, Pricing, charge_of
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.telling import telling
from harness.engine.turns import Turns
from harness.errors import CompletionError, RunStopped
from harness.ports import Completer, Spent, WallClock


@dataclass(slots=True)
class Purse:
    """What is spent and what is reserved, in USD and tokens; over all sessions of the run.

    Money whose payment is unknown counts as spent: `before` brings in what the journal cannot account for. Where the
    budget is in money, a request without a known price does not fit.
    """

    budget: Budget
    cost: float = 0.0
    tokens: int = 0
    reserved_cost: float = 0.0
    reserved_tokens: int = 0
    reservations: int = 0

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
        return self._fits(most, self.cost, self.tokens)

    def can_afford(self, most: AtMost) -> bool:
        """Whether this request fits now, with all that others have reserved."""
        return self._fits(most, self.cost + self.reserved_cost, self.tokens + self.reserved_tokens)

    def reserve(self, most: AtMost) -> None:
        self.reservations += 1
        self.reserved_cost += most.cost or 0.0
        self.reserved_tokens += most.tokens

    def settle(self, most: AtMost, *, cost: float, tokens: int) -> None:
        """Turn a reservation into what was really spent."""
        self.reservations -= 1
        self.reserved_tokens -= most.tokens
        # Sums of floats come back to nearly zero; with nothing reserved, nobody would be left to wait for.
        self.reserved_cost = self.reserved_cost - (most.cost or 0.0) if self.reservations else 0.0
        self.cost += cost
        self.tokens += tokens

    def _fits(self, most: AtMost, cost: float, tokens: int) -> bool:
        if most.cost is None and self.budget.cost is not None:
            return False
        return self.budget.allows(cost=cost + (most.cost or 0.0), tokens=tokens + most.tokens)


class Budgeted:
    """Waits while others hold the money in reserve; ends the run when not even the next call is sure to fit.

    Each attempt is reserved on its own. A request whose payment is unknown (a broken stream, a cancelled call, an
    answer without usage) keeps its whole reservation as spent.
    """

    def __init__(self, inner: Completer, purse: Purse, pricing: Pricing, clock: WallClock, stop: Stop) -> None:
        self._inner = inner
        self._purse = purse
        self._pricing = pricing
        self._clock = clock
        self._stop = stop
        self._turns: Turns[AtMost] = Turns(stop)
        stop.on_set(self._turns.refuse_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        most = self._pricing.at_most(request, self._clock.now())
        started = now()
        await self._turns.take(
            most, priority=call.priority, advance=self._advance, give_back=lambda: self._settle(most, 0.0, 0)
        )
        budget_s = now() - started
        cost, tokens = most.cost or 0.0, most.tokens
        try:
            completion = await telling(self._inner.complete(request, call), budget_s=budget_s)
            if completion.usage.total_tokens:
                cost, tokens = completion.cost or 0.0, completion.usage.total_tokens
        except CompletionError as error:
            charge = charge_of(error)
            if charge.usage is not None:
                cost, tokens = charge.cost or 0.0, charge.usage.total_tokens
            raise
        except RunStopped:
            cost, tokens = 0.0, 0  # it never left
            raise
        else:
            return completion
        finally:
            self._settle(most, cost, tokens)

    def _settle(self, most: AtMost, cost: float, tokens: int) -> None:
        self._purse.settle(most, cost=cost, tokens=tokens)
        self._advance()

    def _advance(self) -> None:
        """Reserve for all who can go now, the oldest topic first; end the run when the first can never go."""
        while (most := self._turns.first) is not None:
            if self._purse.can_afford(most):
                self._purse.reserve(most)
                self._turns.grant()
            elif self._purse.could_ever_afford(most):
                return
            else:
                self._stop.set("budget", self._exhausted(most))

    def _exhausted(self, most: AtMost) -> str:
        purse, budget = self._purse, self._purse.budget
        parts = []
        if budget.cost is not None:
            next_call = "has no known price" if most.cost is None else f"may cost up to ${most.cost:.4f}"
            parts.append(f"${purse.cost:.4f} of ${budget.cost:.4f} is spent and the next call {next_call}")
        if budget.tokens is not None:
            parts.append(
                f"{purse.tokens:,} of {budget.tokens:,} tokens are spent and the next call may take up to "
                f"{most.tokens:,}"
            )
        return f"the budget is reached: {'; '.join(parts)}. Resume with a higher one, or lower max_tokens."
