from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.domain.pace import RARE, RESTED, Bucket, Pace, Window, served_at_once
from harness.domain.policy import Limits


def grown(window: Window) -> Window:
    """The window once it is open to its size."""
    return replace(window, opened=math.inf)


def refused(
    window: Window, *, others: int, number: int = 1, named: int | None = None, by_rate: bool = False
) -> Window:
    return window.refused(number=number, newest=number, others=others, named=named, by_rate=by_rate)


def test_a_small_maximum_is_open_at_once_and_a_large_one_begins_with_eight() -> None:
    assert Window.opening(3).slots == 3
    assert not Window.opening(3).is_opening
    assert Window.opening(1000).slots == 8


def test_a_window_that_is_full_doubles_every_tenth_of_a_second() -> None:
    window = Window.opening(100)
    places = []
    for tick in range(6):
        window = window.seen(tick * 0.1, full=True)
        places.append(window.slots)
    assert places == [8, 16, 32, 64, 100, 100]
    assert window.opens_in_s(0.6) is None


def test_a_window_that_is_not_full_does_not_open() -> None:
    window = Window.opening(100).seen(0.0, full=True).seen(0.05, full=False).seen(0.1, full=True)
    assert window.slots == 8
    assert window.opens_in_s(0.15) == pytest.approx(0.05)
    assert window.seen(0.15, full=True) is window


def test_who_sees_no_news_gets_the_same_window() -> None:
    window = Window.opening(100)
    assert window.seen(0.0, full=False) is window
    assert window.opens_in_s(0.0) is None


def test_a_refusal_leaves_as_many_places_as_calls_are_carried() -> None:
    window = refused(Window.opening(64), others=5)
    assert (window.slots, window.ceiling, window.is_opening) == (5, 6, False)


def test_a_refusal_never_leaves_less_than_one_place() -> None:
    assert refused(Window.opening(64), others=0).slots == 1


def test_a_named_limit_is_taken_at_its_word() -> None:
    assert refused(grown(Window.opening(64)), others=60, named=25).slots == 25


def test_a_limit_named_to_one_who_keeps_within_it_says_that_others_use_it_up() -> None:
    window = refused(grown(Window.opening(64)), others=60, named=25)
    assert refused(window, number=2, others=11, named=25).slots == 11


def test_a_burst_refused_by_rate_cuts_the_window_once() -> None:
    window = grown(Window.opening(100))
    first = window.refused(number=5, newest=100, others=99, named=None, by_rate=True)
    second = first.refused(number=6, newest=100, others=98, named=None, by_rate=True)
    assert (first.slots, second.slots) == (70, 70)
    assert (first.streak, second.streak) == (1, 1)
    later = second.refused(number=101, newest=101, others=60, named=None, by_rate=True)
    assert (later.slots, later.streak) == (49, 2)


def test_a_late_refusal_of_an_old_burst_does_not_close_a_window_that_opens_again() -> None:
    window = refused(grown(Window.opening(100)), others=50, number=100).paused()
    assert window.slots == 8
    late = window.refused(number=60, newest=100, others=49, named=None, by_rate=False)
    assert (late.slots, late.size, late.is_opening) == (8, 49.0, True)


def test_after_a_pause_the_window_opens_again_to_what_was_learned() -> None:
    window = refused(grown(Window.opening(100)), others=50).paused()
    places = []
    for tick in range(5):
        window = window.seen(tick * 0.1, full=True)
        places.append(window.slots)
    assert places == [8, 16, 32, 50, 50]


def test_successes_grow_the_window_by_one_a_round_and_stop_below_the_ceiling() -> None:
    window = replace(refused(Window.opening(64), others=4), ceiling=9)
    for _ in range(5):
        window = window.succeeded()
    assert window.slots == 5
    for _ in range(30):
        window = window.succeeded()
    assert window.slots == 8


def test_a_wide_window_grows_by_a_sixteenth_a_round() -> None:
    window = grown(replace(Window.opening(1000), size=160.0))
    for _ in range(160):
        window = window.succeeded()
    assert window.slots == 170


def test_a_window_at_its_maximum_or_still_opening_does_not_grow() -> None:
    assert grown(Window.opening(100)).succeeded().size == 100
    opening = Window.opening(100)
    assert opening.succeeded() is opening


def test_past_the_ceiling_it_probes_after_a_patience_that_doubles_with_every_failure() -> None:
    window = refused(Window.opening(64), others=5)
    needed = []
    for _ in range(3):
        successes = 0
        while window.slots < 6:
            window = window.succeeded()
            successes += 1
        needed.append(successes)
        window = refused(window, others=5, number=window.shrunk_after + 1)
    assert needed[0] < needed[1] < needed[2]
    assert window.patience == 32
    for _ in range(9):
        window = refused(replace(window, ceiling=None), others=5, number=window.shrunk_after + 1)
    assert window.patience == Window.MAX_PATIENCE


def test_a_success_ends_the_streak_of_refusals() -> None:
    window = refused(refused(Window.opening(64), others=3), others=2, number=2)
    assert window.streak == 2
    assert window.succeeded().streak == 0
    assert replace(window, opened=1.0).succeeded().streak == 0


def test_a_bucket_lets_a_seconds_worth_go_at_once_then_one_a_turn() -> None:
    bucket = Bucket.full(120, 10.0)
    assert bucket.wait_s(10.0) == 0.0
    bucket = bucket.taken(1).taken(1)
    assert bucket.wait_s(10.0) == 0.5
    assert bucket.wait_s(10.25) == 0.25
    assert bucket.wait_s(11.0) == 0.0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket.full(30).filled(1e9)
    assert (bucket.burst, bucket.level) == (1.0, 1.0)


def test_a_bucket_goes_into_debt_for_a_call_larger_than_a_minute() -> None:
    bucket = Bucket.full(600, 0.0).taken(1210)
    assert bucket.wait_s(0.0) == pytest.approx(120.1)


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    bucket = Bucket.full(60, 10.0)
    assert bucket.filled(5.0) == bucket


def test_the_pace_waits_for_whatever_takes_longest() -> None:
    pace = Pace.of(Limits(requests_per_minute=60, tokens_per_minute=600))
    assert pace.wait_s(0.0) == 0.0
    pace = pace.sent(0.0, tokens=29)
    assert pace.wait_s(0.0) == pytest.approx(2.0)
    assert pace.corrected(-15).wait_s(0.0) == pytest.approx(1.0)
    assert pace.corrected(-29, requests=-1).wait_s(0.0) == 0.0
    assert pace.paused(7.0).paused(3.0).wait_s(0.0) == 7.0


def test_without_limits_there_is_nothing_to_wait_for_but_a_pause() -> None:
    pace = Pace.of(Limits())
    assert pace.sent(0.0, tokens=10**9) is pace
    assert pace.corrected(10**9, requests=1) is pace
    assert pace.wait_s(0.0) == 0.0
    assert pace.paused(1.0).wait_s(1.0 - 1e-12) == 0.0


def proved(carried: int) -> Window:
    """A window of which so many calls were carried at once, and answered."""
    window = refused(grown(Window.opening(64)), others=carried)
    return window.succeeded(1, carried)


def test_a_refusal_within_what_was_carried_makes_places_rest_instead_of_shrinking() -> None:
    window = refused(proved(5), others=4, number=2)
    assert (window.slots, window.turnaround_s) == (5, Window.MIN_TURNAROUND_S)


def test_of_a_burst_within_what_was_carried_only_the_first_says_something_new() -> None:
    first = proved(5).refused(number=4, newest=6, others=4, named=None, by_rate=False)
    assert first.refused(number=5, newest=6, others=3, named=None, by_rate=False) is first


def test_if_no_rest_helps_less_is_carried_than_before() -> None:
    window = proved(5)
    rests = []
    while window.slots == 5:
        window = refused(window, others=4, number=window.shrunk_after + 1)
        rests.append(window.turnaround_s)
    assert rests == [0.02, 0.08, 0.32, 0.0]
    assert (window.slots, window.proved) == (4, 0)
    # What was carried before the limit fell proves nothing any more.
    assert window.succeeded(window.proved_after, 5).proved == 0
    assert window.succeeded(window.proved_after + 1, 4).proved == 4


def test_a_limit_named_below_what_was_carried_is_news() -> None:
    window = refused(proved(30), others=29, number=2, named=7)
    assert (window.slots, window.turnaround_s) == (7, 0.0)


def test_a_server_seems_to_work_on_as_many_at_a_time_as_its_answers_take_of_the_time() -> None:
    # 20 answers of 3 s in 30 s: two at a time.
    assert served_at_once(answers=20, shortest_s=3.0, within_s=30.0) == 2
    assert served_at_once(answers=0, shortest_s=3.0, within_s=30.0) == 1
    assert served_at_once(answers=20, shortest_s=math.inf, within_s=30.0) == 1
    assert served_at_once(answers=20, shortest_s=3.0, within_s=0.0) == 1


def test_a_rare_refusal_within_what_was_carried_changes_nothing() -> None:
    window = _proved(10, answers=RARE)
    after = window.refused(number=100, newest=110, others=7, named=None, by_rate=False)
    assert (after.slots, after.turnaround_s) == (window.slots, 0.0)
    # The next one comes too soon to be rare.
    again = after.refused(number=111, newest=111, others=7, named=None, by_rate=False)
    assert (again.slots, again.turnaround_s) == (window.slots, Window.MIN_TURNAROUND_S)


def test_a_rest_is_over_after_many_answers() -> None:
    window = replace(_proved(10, answers=1), turnaround_s=0.08)
    for number in range(RESTED):
        assert window.turnaround_s == 0.08 or number == RESTED - 1
        window = window.succeeded(number=200 + number, carried=5)
    assert window.turnaround_s == 0.0


def test_a_rare_refusal_by_rate_cuts_little() -> None:
    window = _proved(10, answers=RARE)
    rare = window.refused(number=100, newest=110, others=9, named=None, by_rate=True)
    often = rare.refused(number=111, newest=111, others=8, named=None, by_rate=True)
    assert rare.size == pytest.approx(9.0)
    assert often.size == pytest.approx(6.3)


def _proved(carried: int, *, answers: int) -> Window:
    """A window of ten that has carried so many, after so many answers in a row."""
    window = grown(Window.opening(10))
    for number in range(answers):
        window = window.succeeded(number=1 + number, carried=carried)
    return window
