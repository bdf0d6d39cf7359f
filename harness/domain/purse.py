"""Money, tokens and requests that may be spent: what is reserved before it leaves, and what was spent in the end."""

from __future__ import annotations

from dataclasses import dataclass

from harness.domain.policy import Budget
from harness.domain.pricing import AtMost


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run has spent over all its sessions, from the journal.

    `cost` in USD and `tokens` are known. `cost_at_risk` and `tokens_at_risk` are the worst case of requests whose
    payment is unknown: broken streams, answers without usage, and those left open by a crash. `unpriced` counts calls
    without a known price.
    """

    calls: int = 0
    cost: float = 0.0
    tokens: int = 0
    cost_at_risk: float = 0.0
    tokens_at_risk: int = 0
    open_calls: int = 0
    unpriced: int = 0


@dataclass(slots=True)
class Purse:
    """What is spent and what is reserved, in USD, tokens and requests: of a run over all its sessions, or of a topic.

    Money whose payment is unknown counts as spent: `before` brings in what the journal cannot account for. Where the
    budget is in money, a request without a known price does not fit. From a purse that is `closed` nothing is paid.
    """

    budget: Budget
    cost: float = 0.0
    tokens: int = 0
    calls: int = 0
    reserved_cost: float = 0.0
    reserved_tokens: int = 0
    reservations: int = 0
    closed: bool = False

    @classmethod
    def after(cls, budget: Budget, before: Spent) -> Purse:
        """The purse of a session that follows others."""
        return cls(
            budget=budget,
            cost=before.cost + before.cost_at_risk,
            tokens=before.tokens + before.tokens_at_risk,
            calls=before.calls,
        )

    def could_ever_afford(self, most: AtMost) -> bool:
        """Whether this request fits, if all that is reserved by others came back unspent."""
        return self._fits(most, self.cost, self.tokens, self.calls)

    def can_afford(self, most: AtMost) -> bool:
        """Whether this request fits now, with all that others have reserved."""
        return self._fits(
            most, self.cost + self.reserved_cost, self.tokens + self.reserved_tokens, self.calls + self.reservations
        )

    def reserve(self, most: AtMost) -> None:
        self.reservations += 1
        self.reserved_cost += most.cost or 0.0
        self.reserved_tokens += most.tokens

    def settle(self, most: AtMost, *, cost: float, tokens: int, sent: bool = True) -> None:
        """Turn a reservation into what was really spent; `sent`: the request left."""
        self.reservations -= 1
        self.reserved_tokens -= most.tokens
        # Sums of floats come back to nearly zero; with nothing reserved, nobody would be left to wait for.
        self.reserved_cost = self.reserved_cost - (most.cost or 0.0) if self.reservations else 0.0
        self.cost += cost
        self.tokens += tokens
        self.calls += sent

    def shortage(self, most: AtMost) -> str:
        """Why this request does not fit, cap by cap."""
        budget = self.budget
        parts = []
        if budget.cost is not None:
            next_call = "has no known price" if most.cost is None else f"may cost up to ${most.cost:.4f}"
            parts.append(f"${self.cost:.4f} of ${budget.cost:.4f} is used and the next call {next_call}")
        if budget.tokens is not None:
            parts.append(
                f"{self.tokens:,} of {budget.tokens:,} tokens are used and the next call may take up to {most.tokens:,}"
            )
        if budget.calls is not None:
            parts.append(f"{self.calls:,} of {budget.calls:,} requests are sent")
        return "; ".join(parts)

    def _fits(self, most: AtMost, cost: float, tokens: int, calls: int) -> bool:
        if self.closed or (most.cost is None and self.budget.cost is not None):
            return False
        return self.budget.allows(cost=cost + (most.cost or 0.0), tokens=tokens + most.tokens, calls=calls + 1)
