"""What is said of the money when a run is over."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cli.summary import money_lines
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget

TOTALS: dict[str, Any] = {
    "cost": 0.5,
    "saved": 0,
    "unpriced": 0,
    "usage": {"input_tokens": 100, "output_tokens": 20},
}
ALL_IN_ROWS = {"cost": 0.5, "tokens": 120}
MORE = {"cost": 0.75, "tokens": 150, "cost_at_risk": 2.0, "tokens_at_risk": 1000}


def said(journal: dict[str, Any], budget: Budget, *, unfinished: int = 3) -> list[str]:
    return money_lines(Outlay.of(TOTALS, journal), TOTALS, unfinished, budget, simulated=False)


def test_what_is_known_is_one_line() -> None:
    assert said(ALL_IN_ROWS, Budget()) == ["cost      $0.5000"]


def test_a_budget_counts_all_that_was_spent_and_all_that_may_have_been() -> None:
    assert said(MORE, Budget(cost=4.0)) == [
        "cost      $0.7500, $0.2500 of it for topics that are not finished",
        "budget    $2.7500 of $4.00 used: $0.7500 spent, and at most $2.0000 for requests that broke off",
    ]
    assert said(ALL_IN_ROWS, Budget(cost=0.75)) == ["cost      $0.5000", "budget    $0.5000 of $0.75 used"]


def test_without_a_budget_what_may_have_been_spent_is_on_top() -> None:
    assert said(MORE, Budget(), unfinished=0) == [
        "cost      $0.7500, $0.2500 of it for topics that were run again",
        "unknown   at most $2.0000 for requests that broke off, on top of the cost",
    ]


@pytest.mark.parametrize(("journal", "used"), [(ALL_IN_ROWS, "120"), (MORE, "1,150")])
def test_a_budget_in_tokens_counts_them_alike(journal: dict[str, Any], used: str) -> None:
    assert said(journal, Budget(tokens=2000))[-1] == f"budget    {used} of 2,000 tokens used"
