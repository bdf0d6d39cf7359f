"""What is to come, as a range, from what was seen so far."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import a_failed_result, a_result

from harness.timing.outlook import (
    KEPT_FAILURES,
    SAMPLES,
    Ended,
    Range,
    Spread,
    Track,
    less,
    time_left,
)

WORK = Range(low=80.0, likely=100.0, high=120.0)


def spread_of(*values: float) -> Spread:
    spread = Spread()
    for value in values:
        spread.add(value)
    return spread


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=2, max_size=50))
def test_mean_and_variance_are_those_of_all_values_although_none_is_kept(
    values: list[float],
) -> None:
    spread = spread_of(*values)
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert spread.variance == pytest.approx(statistics.variance(values), rel=1e-6, abs=1e-3)


def test_with_two_topics_ended_it_is_too_early_to_say_anything() -> None:
    assert spread_of(1.0, 2.0).sum_of(10) is None
    assert spread_of(1.0).variance == 0.0


def test_equal_topics_leave_nothing_open() -> None:
    assert spread_of(2.0, 2.0, 2.0).sum_of(10) == Range(low=20.0, likely=20.0, high=20.0)


def test_a_sum_of_unequal_topics_is_a_range_that_is_never_negative() -> None:
    # Mean 2, variance 1: the standard deviation of ten more is the root of 10 + 100 / 3 = 6.583,
    # times 1.2816 is 8.437.
    found = spread_of(1.0, 2.0, 3.0).sum_of(10)
    assert found is not None
    assert (found.low, found.likely, found.high) == pytest.approx((11.563, 20.0, 28.437), abs=0.001)
    wild = spread_of(0.0, 0.0, 9.0).sum_of(1)
    assert wild is not None
    assert wild.low == 0.0


def test_what_is_done_is_taken_off_and_never_more_than_there_is() -> None:
    assert less(WORK, 90.0) == Range(low=0.0, likely=10.0, high=30.0)
    assert less(Range(low=1.0, likely=2.0, high=None), 1.0) == Range(low=0.0, likely=1.0, high=None)


def test_a_steady_throughput_has_one_rate() -> None:
    track = Track()
    for second in range(40):
        track.add(float(second), 3.0 * second)
    assert track.rates() == pytest.approx([3.0] * 8)


def test_only_the_last_half_counts() -> None:
    track = Track()
    for second in range(41):
        track.add(float(second), 0.0 if second <= 20 else 2.0 * (second - 20))
    assert track.rates() == pytest.approx([2.0] * 8)


def test_with_few_samples_there_is_no_rate() -> None:
    track = Track()
    for second in range(15):
        track.add(float(second), 1.0)
    assert track.rates() == []


def test_a_long_run_keeps_no_more_samples_than_a_short_one_and_the_same_rates() -> None:
    track = Track()
    for second in range(100_000):
        track.add(float(second), 5.0 * second)
    assert len(track._samples) <= SAMPLES
    assert track.rates() == pytest.approx([5.0] * 8)


def test_the_rates_of_a_track_that_begins_late_begin_with_it() -> None:
    track = Track()
    track.add(0.0, 7.0)
    assert track._done_by(0.0) == 7.0


def test_the_time_left_goes_from_the_fast_rates_to_the_slow() -> None:
    # Percentiles 10 and 90 of 1 and 2, half and half, are 1 and 2; their mean is 1.5.
    found = time_left(WORK, [1.0, 2.0] * 4)
    assert found is not None
    assert (found.low, found.likely, found.high) == pytest.approx((40.0, 66.667, 120.0), abs=0.001)


def test_where_nothing_came_in_a_part_of_the_time_nobody_knows_how_long_it_may_take() -> None:
    found = time_left(WORK, [0.0, 0.0, 2.0, 2.0])
    assert found is not None
    assert (found.likely, found.high) == (100.0, None)


@pytest.mark.parametrize(("work", "rates"), [(None, [1.0]), (WORK, []), (WORK, [0.0, 0.0])])
def test_it_may_be_too_early_to_say_how_long(work: Range | None, rates: list[float]) -> None:
    assert time_left(work, rates) is None


def test_the_last_call_takes_its_time_whatever_the_throughput_was() -> None:
    nothing = Range(low=0.0, likely=0.5, high=1.0)
    assert time_left(nothing, [10.0], [8.0]) == Range(low=4.0, likely=8.0, high=8.0)
    endless = Range(low=0.0, likely=0.5, high=None)
    assert time_left(endless, [10.0], [8.0]) == Range(low=4.0, likely=8.0, high=None)


@given(
    st.tuples(*[st.floats(min_value=0, max_value=1e6)] * 3),
    st.lists(st.floats(min_value=0, max_value=1e3), max_size=20),
    st.lists(st.floats(min_value=0, max_value=1e3), max_size=20),
)
def test_what_is_likely_lies_within_the_range(
    work: tuple[float, float, float], rates: list[float], last_s: list[float]
) -> None:
    low, likely, high = sorted(work)
    found = time_left(Range(low=low, likely=likely, high=high), rates, last_s)
    if found is not None:
        assert 0 <= found.low <= found.likely
        assert found.high is None or found.likely <= found.high


def test_topics_that_ended_are_summed_up_and_the_last_that_failed_are_kept() -> None:
    ended = Ended()
    ended.add(a_result(0, cost=None), 1.0)
    for index in range(1, KEPT_FAILURES + 3):
        ended.add(a_failed_result(index), float(index))
    assert (ended.calls.count, ended.cost.count) == (8, 8)
    assert ended.tokens.mean == 30.0
    assert [(failed.topic_id, failed.cause, failed.message) for failed in ended.failures][-1] == (
        "t7",
        "TopicFailed",
        "no answer",
    )
    assert len(ended.failures) == KEPT_FAILURES
