from __future__ import annotations

import math

import pytest

from harness.domain.braking import Braking, Held, most_ahead, most_at_once, slowdown


def test_places_that_stand_free_while_calls_wait_cost_their_share_of_the_time() -> None:
    braking = Braking()
    # Two of eight slots free for ten seconds, then all full for five.
    assert braking.stands(5.0, waiting=9, holding=6, slots=8) == 2
    assert braking.stands(15.0, waiting=7, holding=8, slots=8) == 0
    braking.went_on(20.0)
    assert (braking.lost_s, braking.short_s) == (2.5, 15.0)


def test_no_more_places_stand_free_for_money_than_calls_wait_for_it() -> None:
    braking = Braking()
    assert braking.stands(0.0, waiting=1, holding=0, slots=4) == 1
    assert braking.stands(8.0, waiting=0, holding=1, slots=4) == 0
    braking.went_on(20.0)
    assert (braking.lost_s, braking.short_s) == (2.0, 8.0)


def test_without_places_only_the_waiting_is_measured() -> None:
    braking = Braking()
    assert braking.stands(0.0, waiting=3, holding=0, slots=0) == 0
    braking.went_on(4.0)
    assert (braking.lost_s, braking.short_s) == (0.0, 4.0)


def test_the_most_that_was_wanted_is_kept() -> None:
    braking = Braking()
    for cost, tokens in ((2.0, 10), (1.0, 30)):
        braking.wanted(cost=cost, tokens=tokens)
    assert (braking.wanted_cost, braking.wanted_tokens) == (2.0, 30)


def held(from_s: float, until_s: float, held: float = 10.0, cost: float = 1.0) -> Held:
    return Held(from_s=from_s, until_s=until_s, held=held, cost=cost)


def test_what_is_held_beyond_the_cost_is_greatest_where_the_least_is_still_to_come() -> None:
    # Three calls of a dollar: two at once, then one. Held at first 20 with 3 to come, in the end 10
    # with 1 to come.
    assert most_ahead([held(0, 5), held(0, 5), held(5, 9)]) == 17.0
    # The same the other way round: in the end 20 is held with 2 to come.
    assert most_ahead([held(0, 5), held(5, 9), held(5, 9)]) == 18.0
    assert most_ahead([]) == 0.0


def test_a_call_that_ends_makes_room_for_the_next() -> None:
    assert most_at_once([held(0, 5), held(5, 9), held(5, 6)]) == 2
    assert most_at_once([]) == 0


def test_a_budget_that_pays_for_every_place_slows_nothing() -> None:
    assert slowdown(50.0, cost=10.0, held=1.0, slots=40) == pytest.approx(1.0)
    assert slowdown(10.5, cost=10.0, held=0.0, slots=40) == 1.0


def test_a_budget_slows_by_the_places_that_it_cannot_pay_for() -> None:
    # With 12 for 10 and one a call, 12 slots in the beginning and 2 in the end of 40: the mean of
    # 40 / slots.
    assert slowdown(12.0, cost=10.0, held=1.0, slots=40) == pytest.approx(4 * math.log(6))
    # With 30 for 10, all of 25 slots are paid for until 5 are spent.
    assert slowdown(30.0, cost=10.0, held=1.0, slots=25) == pytest.approx(
        (5 + 25 * math.log(25 / 20)) / 10
    )


def test_a_budget_that_does_not_hold_the_last_call_ends_the_run() -> None:
    assert slowdown(10.5, cost=10.0, held=1.0, slots=40) is None
