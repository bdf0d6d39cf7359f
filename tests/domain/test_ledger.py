from __future__ import annotations

import pytest

from harness.domain.completion import AtMost
from harness.domain.ledger import NOT_SENT, Charged, Ledger, Reservations, Spent
from harness.domain.policy import Budget


def most(cost: float, tokens: int = 0) -> AtMost:
    return AtMost(cost=cost, tokens=tokens)


def test_what_is_likely_is_held_while_the_last_tenth_of_the_budget_is_left_out() -> None:
    ledger = Ledger(budget=Budget(cost=10.0))
    assert ledger.reserve(most(5.0), most(1.0)).held == most(1.0)
    ledger.reserve(most(5.0), most(7.9))
    # 8.9 are held: one more would reach into the last tenth, though it fits the budget.
    assert not ledger.can_afford(most(5.0), most(0.2))
    assert ledger.can_afford(most(5.0), most(0.1))


def test_in_the_last_tenth_only_worst_cases_are_held() -> None:
    ledger = Ledger(budget=Budget(cost=10.0), cost=8.9)
    assert ledger.holds_likely(most(1.0), most(0.05))
    assert not ledger.holds_likely(most(1.0), most(0.2))
    assert ledger.reserve(most(1.0), most(0.2)).held == most(1.0)
    assert not Ledger(budget=Budget(cost=10.0), cost=9.5).could_ever_afford(most(1.0), most(0.2))


def test_the_last_tenth_of_tokens_is_kept_alike() -> None:
    ledger = Ledger(budget=Budget(tokens=105), tokens=90)
    assert ledger.holds_likely(most(0.0, 20), most(0.0, 4))
    assert not ledger.holds_likely(most(0.0, 20), most(0.0, 5))


def test_how_far_past_the_budget_all_that_is_in_flight_could_lead_is_kept() -> None:
    ledger = Ledger(budget=Budget(cost=10.0, tokens=100))
    reserved = [ledger.reserve(most(6.0, 70), most(1.0, 10)) for _ in range(2)]
    for one in reserved:
        ledger.settle(one, Charged(cost=1.0, tokens=10))
    assert ledger.reservations_so_far() == Reservations(could_pass_cost=2.0, could_pass_tokens=40)
    assert (ledger.cost, ledger.reserved_cost, ledger.calls) == (2.0, 0.0, 2)


def test_worst_cases_can_pass_nothing() -> None:
    ledger = Ledger(budget=Budget(cost=10.0))
    ledger.reserve(most(6.0))
    ledger.reserve(most(3.0), None)
    assert ledger.reservations_so_far() == Reservations()


def test_what_does_not_fit_is_not_reserved() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Ledger(budget=Budget(cost=1.0)).reserve(most(2.0))


def test_what_nobody_told_is_a_part_of_what_is_spent() -> None:
    ledger = Ledger.after(
        Budget(cost=10.0), Spent(cost=1.0, cost_at_risk=2.0, tokens=10, tokens_at_risk=20)
    )
    ledger.settle(ledger.reserve(most(5.0, 50)), Charged.unknown(most(0.5, 5)))
    ledger.settle(ledger.reserve(most(5.0, 50)), NOT_SENT)
    assert (ledger.cost, ledger.cost_at_risk, ledger.tokens, ledger.tokens_at_risk) == (
        3.5,
        2.5,
        35,
        25,
    )
    assert ledger.calls == 1
    shortage = ledger.shortage(most(8.0, 5))
    assert (
        shortage
        == "$3.50 of $10.00 is used ($2.50 of it reserved for what was not told) and the next call"
        " may cost up to $8.00"
    )


def test_tokens_that_were_not_told_are_said_to_be_reserved() -> None:
    ledger = Ledger(budget=Budget(tokens=100), tokens=90, tokens_at_risk=60)
    assert (
        ledger.shortage(most(0.0, 20))
        == "90 of 100 tokens are used (60 of them reserved for what was not told) and the next call"
        " may take up to 20"
    )


@pytest.mark.parametrize(
    ("budget", "spent", "may"),
    [
        (Budget(), 5.0, False),
        (Budget(calls=1000), 0.0, True),
        # Not much more than half is spent.
        (Budget(cost=5.0), 3.0, False),
        (Budget(cost=5.0), 3.1, True),
        # What is left would hold two worst cases of a dollar, for half of the slots.
        (Budget(cost=100.0), 98.0, False),
        (Budget(cost=100.0), 98.1, True),
        (Budget(tokens=100), 98.0, False),
        (Budget(tokens=100), 99.0, True),
    ],
)
def test_a_budget_may_end_the_run_where_little_is_left_of_it(
    budget: Budget, spent: float, may: bool
) -> None:
    ledger = Ledger(budget=budget, cost=spent, tokens=round(spent))
    assert ledger.may_end_the_run(slots=4, most=AtMost(cost=1.0, tokens=1)) is may
