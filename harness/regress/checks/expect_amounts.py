"""Expectations of what was used: tokens, money and calls; of one call, or of all the topic's calls
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.domain.completion import Usage
from harness.domain.pricing import Pricing
from harness.records.stored import StoredSpan
from harness.regress.checks.expectation import Finding, Shortfall, View

Amount = Literal["tokens", "reasoning_tokens", "calls"]
_WORDS: dict[Amount, str] = {
    "tokens": "tokens",
    "reasoning_tokens": "tokens of reasoning",
    "calls": "calls",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """No more than this. Tokens are input and output together, as the provider counted them."""

    amount: Amount
    most: int

    @property
    def wanted(self) -> str:
        return f"at most {self.most:,} {_WORDS[self.amount]}"

    def look(self, view: View) -> Finding:
        number = amount_of(self.amount, view)
        if number <= self.most:
            return None
        got = f"{number:,} {_WORDS[self.amount]}"
        return Shortfall(message=f"{got}, expected {self.wanted}", expected=self.wanted, got=got)


def amount_of(amount: Amount, view: View) -> int:
    """Return how much was used by the calls that are looked at."""
    match amount:
        case "calls":
            return len(view.calls)
        case "tokens":
            return sum(call.usage.total_tokens for call in view.calls)
        case "reasoning_tokens":
            return sum(call.usage.reasoning_tokens for call in view.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAtMost:
    """No dearer than this, in USD, at the price of `list_price`."""

    most: float

    @property
    def wanted(self) -> str:
        return f"at most ${self.most:.6f}"

    def look(self, view: View) -> Finding:
        costs = {call.id: list_price(call, view.pricing) for call in view.calls}
        unpriced = sorted({_answered(call) for call in view.calls if costs[call.id] is None})
        if unpriced:
            message = (
                f"no price is known for the model {unpriced[0]!r}; give one in the suite as"
                f' [prices."{unpriced[0]}"]'
            )
            return Shortfall(message=message, expected=self.wanted, got="a price that nobody knows")
        cost = sum(cost for cost in costs.values() if cost is not None)
        if cost <= self.most:
            return None
        got = f"${cost:.6f}"
        return Shortfall(message=f"{got}, expected {self.wanted}", expected=self.wanted, got=got)


def list_price(call: StoredSpan, pricing: Pricing) -> float | None:
    """USD for a call's tokens at the latest known price: the dearer hour, and nothing from the
    provider's cache.

    So it is the same in a recording and in its replay, at any hour and on any day. None where no
    price is known.
    """
    prices = pricing.at(call.request.endpoint)
    rows = prices.rows(prices.billed(call.request.model, call.model or ""))
    if not rows:
        return None
    usage = Usage(input_tokens=call.usage.input_tokens, output_tokens=call.usage.output_tokens)
    return max(rows, key=lambda row: row.valid_from).cost_at_most(usage)


def _answered(call: StoredSpan) -> str:
    """The model that answered, by its own word; where it says nothing, the one that was asked
    for.
    """
    return call.model or call.request.model
