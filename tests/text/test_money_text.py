from __future__ import annotations

import pytest

from harness.text.amounts import money


@pytest.mark.parametrize(
    ("cost", "written"),
    [
        (1234.5, "$1,234.50"),
        (1.0, "$1.00"),
        (0.99999, "$1.00"),
        (0.9999, "$0.9999"),
        (0.5, "$0.5000"),
        (0.0123, "$0.0123"),
        (0.0001, "$0.0001"),
        (0.000031, "$0.000031"),
        (0.00000123, "$0.0000012"),
        (0, "$0.0000"),
        (-0.25, "$-0.2500"),
        (None, "not known"),
    ],
)
def test_money_has_cents_from_a_dollar_on_and_four_digits_below(
    cost: float | None, written: str
) -> None:
    assert money(cost) == written


def test_an_unknown_amount_may_have_words_of_its_own() -> None:
    assert money(None, unknown="?") == "?"
