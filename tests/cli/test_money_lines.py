"""What is said of the money when a run is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from field_lines import lines_of

from harness.cli.money_words import reservation_fields
from harness.cli.summary import money_fields
from harness.domain.ledger import Reservations
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget, Reserve
from harness.records.run_standing import RowTotals

TOTALS = RowTotals(cost=0.5, input_tokens=100, output_tokens=20)
ALL_IN_ROWS = {"cost": 0.5, "tokens": 120}
MORE = {"cost": 0.75, "tokens": 150, "cost_at_risk": 2.0, "tokens_at_risk": 1000}


def said(journal: dict[str, Any], budget: Budget, *, unfinished: int = 3) -> list[str]:
    return lines_of(
        money_fields(Outlay.of(TOTALS, journal), TOTALS, unfinished, budget, simulated=False)
    )


def test_what_is_known_is_one_line() -> None:
    assert said(ALL_IN_ROWS, Budget()) == ["cost      $0.5000"]


def test_a_budget_counts_all_that_was_spent_and_all_that_may_have_been() -> None:
    assert said(MORE, Budget(cost=4.0)) == [
        "cost      $0.7500, $0.2500 of it for topics that are not finished",
        (
            "budget    $2.75 of $4.00 used: $0.7500 spent, and at most $2.00 for requests that"
            " broke off"
        ),
    ]
    assert said(ALL_IN_ROWS, Budget(cost=0.75)) == [
        "cost      $0.5000",
        "budget    $0.5000 of $0.7500 used",
    ]


def test_without_a_budget_what_may_have_been_spent_is_on_top() -> None:
    assert said(MORE, Budget(), unfinished=0) == [
        "cost      $0.7500, $0.2500 of it for topics that were run again",
        "unknown   at most $2.00 for requests that broke off, on top of the cost",
    ]


def test_a_budget_in_tokens_counts_them_alike() -> None:
    assert said(ALL_IN_ROWS, Budget(tokens=2000))[-1] == "budget    120 of 2,000 tokens used"
    assert (
        said(MORE, Budget(tokens=2000))[-1]
        == "budget    1,150 of 2,000 tokens used: 150 told, and at most 1,000 for requests that"
        " broke off"
    )


def test_what_a_server_did_not_tell_is_reserved_and_not_used() -> None:
    untold = {"cost": 0.0, "tokens": 0, "tokens_at_risk": 900, "untold": 3, "tokens_untold": 700}
    totals = RowTotals(unpriced=3, untold=3)
    assert lines_of(
        money_fields(Outlay.of(totals, untold), totals, 0, Budget(tokens=2000), simulated=False)
    ) == [
        "cost      not known: the server told no usage",
        (
            "budget    900 of 2,000 tokens used or reserved: 0 told, at most 200 for requests that"
            " broke off, and 700 reserved for 3 answers, not told by the server"
        ),
    ]


def test_a_cost_without_a_price_is_not_known_and_a_part_of_it_is_not_counted() -> None:
    unpriced = replace(TOTALS, cost=0.0, unpriced=2)
    journal = {"cost": 0.0, "tokens": 120}
    lines = lines_of(
        money_fields(Outlay.of(unpriced, journal), unpriced, 0, Budget(), simulated=False)
    )
    assert lines == ["cost      not known: no price is known for the model"]
    some = replace(TOTALS, unpriced=1)
    assert lines_of(
        money_fields(Outlay.of(some, ALL_IN_ROWS), some, 0, Budget(), simulated=False)
    ) == [
        "cost      $0.5000 (not counting 1 topic with calls whose cost is not known: no price is"
        " known for the model)"
    ]


def told(
    found: Reservations, budget: Budget, reserve: Reserve = "strict", *, unfinished: int = 0
) -> list[str]:
    outlay = Outlay.of(TOTALS, ALL_IN_ROWS)
    return lines_of(
        reservation_fields(found, outlay, budget, reserve, wall_s=40.0, unfinished=unfinished)
    )


def test_time_lost_to_reservations_is_told_with_what_gives_it_back() -> None:
    assert told(Reservations(lost_s=30.0, wanted_cost=1.081), Budget(cost=1.0)) == [
        "          30 s of the 40 s went by waiting for money held for other calls",
        (
            "            → --budget 1.59 or a lower max_tokens or --budget-reserve likely gives"
            " them back"
        ),
    ]
    assert (
        told(Reservations(lost_s=30.0, wanted_tokens=4000), Budget(tokens=500), unfinished=1)[1]
        == "            → --budget-tokens 4120 and what the other topics cost or a lower max_tokens"
        " or --budget-reserve likely gives them back"
    )
    assert told(Reservations(lost_s=0.7), Budget(cost=1.0)) == []


def test_likely_reservations_say_what_they_risked_and_what_came_of_it() -> None:
    risked = Reservations(could_pass_cost=0.25)
    words = (
        "          likely costs were held back, not worst cases: the budget could have been"
        " passed by "
    )
    assert told(risked, Budget(cost=1.0), "likely") == [f"{words}$0.2500, and was not passed"]
    assert told(risked, Budget(cost=0.45), "likely") == [
        f"{words}$0.2500, and was passed by $0.0500"
    ]
    assert told(Reservations(), Budget(cost=1.0), "likely") == []
    tokens = Reservations(could_pass_tokens=70)
    assert told(tokens, Budget(tokens=110), "likely") == [
        f"{words}70 tokens, and was passed by 10 tokens"
    ]
