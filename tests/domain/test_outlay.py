from __future__ import annotations

from harness.domain.outlay import Outlay
from harness.domain.tally import Totals

TOTALS = Totals(cost=0.5, input_tokens=100, output_tokens=20)


def test_the_budget_counts_what_broke_off_at_its_most() -> None:
    journal = {"cost": 0.75, "tokens": 150, "cost_at_risk": 2.0, "tokens_at_risk": 1000}
    outlay = Outlay.of(TOTALS, journal)
    assert (outlay.cost, outlay.cost_in_rows, outlay.counted_cost) == (0.75, 0.5, 2.75)
    assert (outlay.tokens, outlay.counted_tokens) == (150, 1150)


def test_rows_that_the_journal_does_not_know_yet_count() -> None:
    for journal in ({}, {"cost": 0.25, "tokens": 60}):
        outlay = Outlay.of(TOTALS, journal)
        assert (outlay.cost, outlay.counted_cost, outlay.tokens) == (0.5, 0.5, 120)
