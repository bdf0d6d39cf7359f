"""Caps on money, tokens and requests that hold for a whole benchmark: what its sessions spent is gone for the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.domain.ledger import Spent
from harness.domain.policy import Budget


def left_of(budget: Budget, sessions: Sequence[Spent]) -> dict[str, Any]:
    """The settings of a session that follows these: what they left of each cap. Payments that are unknown count."""
    cost, tokens, calls = budget.cost, budget.tokens, budget.calls
    return {
        "budget": None if cost is None else max(0.0, cost - sum(one.cost + one.cost_at_risk for one in sessions)),
        "budget_tokens": None
        if tokens is None
        else max(0, tokens - sum(one.tokens + one.tokens_at_risk for one in sessions)),
        "run_calls": None if calls is None else max(0, calls - sum(one.calls for one in sessions)),
    }
