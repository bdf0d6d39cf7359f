from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from harness.domain.completion import AtMost, Completion, Message, Request, Usage
from harness.domain.failures import TransientError
from harness.domain.pricing import (
    DEEPSEEK_PRICES,
    Charge,
    Price,
    Pricing,
    Rates,
    charge_of,
    flat_price,
    is_peak,
)
from harness.domain.token_estimate import input_tokens_at_most

OFF_PEAK = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)  # a Monday
PEAK = datetime(2026, 11, 16, 2, 0, tzinfo=UTC)
DEEPSEEK = Pricing(prices=DEEPSEEK_PRICES)
MILLION_EACH = Usage(input_tokens=2_000_000, cached_tokens=1_000_000, output_tokens=1_000_000)
ASKING = Request(
    endpoint="deepseek",
    model="deepseek-flash",
    messages=(Message(role="user", content="a"),),
    max_tokens=1000,
)


@pytest.mark.parametrize(
    ("instant", "peak"),
    [
        (datetime(2026, 11, 16, 0, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 16, 1, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 16, 4, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 16, 6, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 16, 9, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 16, 10, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 15, 2, 0, tzinfo=UTC), False),  # a Sunday
        # Nine in Beijing.
        (datetime(2026, 11, 16, 9, 0, tzinfo=timezone(timedelta(hours=8))), True),
    ],
)
def test_peak_hours_are_those_of_working_days_in_beijing(instant: datetime, peak: bool) -> None:
    assert is_peak(instant) is peak


def test_a_cost_counts_hits_misses_and_output_at_their_own_rates() -> None:
    assert DEEPSEEK.cost("deepseek-flash", MILLION_EACH, OFF_PEAK) == pytest.approx(
        0.15 + 0.003 + 0.60
    )
    assert DEEPSEEK.cost("deepseek-flash", MILLION_EACH, PEAK) == pytest.approx(0.30 + 0.006 + 1.20)


def test_more_hits_than_input_do_not_give_money_back() -> None:
    usage = Usage(input_tokens=0, cached_tokens=1_000_000)
    assert DEEPSEEK.cost("deepseek-flash", usage, OFF_PEAK) == pytest.approx(0.003)


def test_a_model_or_a_time_without_a_price_has_an_unknown_cost() -> None:
    assert DEEPSEEK.cost("unheard-of", MILLION_EACH, OFF_PEAK) is None
    assert DEEPSEEK.cost("deepseek-flash", MILLION_EACH, datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert DEEPSEEK.at_most(ASKING, datetime(2026, 1, 1, tzinfo=UTC)).cost is None


def test_the_row_in_force_is_the_latest_that_has_begun() -> None:
    old, new = (
        Price(
            valid_from=datetime(2026, month, 1, tzinfo=UTC),
            off_peak=Rates(cached_input=0, input=0, output=rate),
            peak=Rates(cached_input=0, input=0, output=rate),
        )
        for month, rate in ((1, 1.0), (6, 5.0))
    )
    pricing = Pricing(prices={"m": (new, old)})
    usage = Usage(output_tokens=1_000_000)
    assert pricing.cost("m", usage, datetime(2026, 5, 31, tzinfo=UTC)) == 1.0
    assert pricing.cost("m", usage, datetime(2026, 6, 1, tzinfo=UTC)) == 5.0
    # A call sent just before the change may end after it: its worst case is the dearer price.
    asking = Request(endpoint="e", model="m", messages=(), max_tokens=1_000_000)
    assert pricing.at_most(asking, datetime(2026, 5, 31, tzinfo=UTC)).cost == 5.0
    assert pricing.at_most(asking, datetime(2026, 6, 1, tzinfo=UTC)).cost == 5.0


def test_the_worst_case_is_all_output_no_hits_and_peak_rates() -> None:
    most = DEEPSEEK.at_most(ASKING, OFF_PEAK)
    tokens = input_tokens_at_most(ASKING)
    assert most.tokens == tokens + 1000
    assert most.cost == pytest.approx((tokens * 0.30 + 1000 * 1.20) / 1_000_000)


def test_a_price_of_the_users_holds_at_any_time() -> None:
    rates = Rates(cached_input=1.0, input=2.0, output=3.0)
    pricing = Pricing(prices={"m": flat_price(rates)})
    assert pricing.cost("m", MILLION_EACH, datetime(1999, 1, 1, tzinfo=UTC)) == 6.0


def test_a_charge_without_usage_is_unknown_and_not_zero() -> None:
    silent = Completion(model="m", content=" ", finish_reason="stop", usage=Usage())
    assert charge_of(TransientError("blank", kind="blank", partial=silent, billed="yes")) == Charge(
        usage=None, cost=None
    )


def test_what_a_failed_attempt_was_charged() -> None:
    half = Completion(
        model="m", content="half", finish_reason="", usage=Usage(input_tokens=5), cost=0.5
    )
    assert charge_of(TransientError("", kind="server", partial=half)) == Charge(
        usage=Usage(), cost=0.0
    )
    assert charge_of(TransientError("", kind="server", partial=half, billed="yes")) == Charge(
        usage=half.usage, cost=0.5
    )
    assert charge_of(TransientError("", kind="server", partial=half, billed="unknown")) == Charge(
        usage=None, cost=None
    )
    assert charge_of(TransientError("", kind="server", billed="yes")) == Charge(
        usage=None, cost=None
    )


def test_between_two_instants_the_dearer_price_counts() -> None:
    pricing = Pricing(prices=DEEPSEEK_PRICES)
    usage = Usage(input_tokens=1_000_000)
    before, within = (
        datetime(2026, 11, 16, 0, 59, tzinfo=UTC),
        datetime(2026, 11, 16, 1, 1, tzinfo=UTC),
    )
    for first, last, cost in (
        (before, before, 0.15),
        (before, within, 0.30),
        (within, within, 0.30),
    ):
        assert pricing.dearest_between("deepseek-flash", usage, first, last) == AtMost(
            cost=cost, tokens=1_000_000
        )
    assert pricing.dearest_between("unheard-of", usage, before, within) == AtMost(
        cost=None, tokens=1_000_000
    )


def test_a_request_is_priced_at_the_endpoint_that_it_goes_to() -> None:
    own = Pricing(prices={"m": flat_price(Rates(cached_input=1, input=1, output=1))})
    dear = Pricing(prices={"m": flat_price(Rates(cached_input=9, input=9, output=9))})
    both = replace(own, elsewhere={"http://dear/v1": dear, "http://free/v1": Pricing()})
    asking = Request(
        endpoint="mock",
        model="m",
        messages=(Message(role="user", content="why?"),),
        max_tokens=1000,
    )
    asked = [
        replace(asking, endpoint=endpoint)
        for endpoint in ("mock", "http://dear/v1", "http://free/v1")
    ]
    assert [both.of(one).cost("m", MILLION_EACH, OFF_PEAK) for one in asked] == [3.0, 27.0, None]
    assert [both.at_most(one, OFF_PEAK).cost is None for one in asked] == [False, False, True]


@pytest.mark.parametrize(
    ("asked", "told", "billed"),
    [
        ("m", "m", "m"),
        ("m", "", "m"),
        ("m", "n", "n"),
        ("m", "org/m-2024-07-18", "m"),
        ("m", "org/n-2024-07-18", "n"),
        ("m", "unheard-of", ""),
        ("unheard-of", "n:nitro", "n"),
        ("unheard-of", "n:free", ""),
        ("proxied", "n", "n"),
        ("proxied", "proxied", "proxied"),
        ("proxied", "", "proxied"),
        ("fast", "n", "n"),
        ("fast", "deployment-of-n", "fast"),
        # Which of the two dated ones it is, its name does not say.
        ("unheard-of", "d", ""),
    ],
)
def test_an_answer_has_the_price_of_the_model_that_gave_it(
    asked: str, told: str, billed: str
) -> None:
    price = flat_price(Rates(cached_input=1.0, input=1.0, output=1.0))
    names = ("m", "n", "fast", "d-2024-05-13", "d-2024-08-06")
    pricing = Pricing(
        prices=dict.fromkeys(names, price), aliases={"fast": "deployment-of-n", "proxied": "n"}
    )
    assert pricing.billed(asked, told) == billed
    assert (pricing.cost(pricing.billed(asked, told), MILLION_EACH, OFF_PEAK) is None) == (
        billed == ""
    )
