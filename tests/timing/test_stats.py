from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.timing.stats import Distribution, paired_ratio, percentile, tail_share

times = st.floats(min_value=0.001, max_value=1e6)


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert percentile([1.0, 2.0, 3.0], 0.9) == pytest.approx(2.8)
    assert percentile([7.0], 0.99) == 7.0


def test_no_values_have_no_percentile_and_no_distribution() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    assert Distribution.of([]) is None


def test_a_distribution_tells_its_percentiles_and_its_ends() -> None:
    found = Distribution.of([float(n) for n in range(101)])
    assert found == Distribution(
        count=101, mean=50.0, p50=50.0, p90=90.0, p95=95.0, p99=99.0, low=0.0, high=100.0
    )


def test_twice_and_half_are_once_on_average() -> None:
    found = paired_ratio([[(2.0, 1.0), (1.0, 2.0)]], random.Random(1).random)
    assert found is not None
    assert found.value == pytest.approx(1.0)


def test_one_group_has_a_ratio_and_no_interval() -> None:
    found = paired_ratio([[(10.0, 5.0), (40.0, 5.0)]], random.Random(1).random)
    assert found is not None
    assert found.value == pytest.approx(4.0)
    assert (found.low, found.high, found.pairs) == (None, None, 2)


def test_nothing_measured_has_no_ratio() -> None:
    assert paired_ratio([], random.Random(1).random) is None
    assert paired_ratio([[(0.0, 1.0)], [(1.0, 0.0)]], random.Random(1).random) is None


def test_the_interval_is_that_of_the_seed() -> None:
    groups = [[(10.0, 4.0)], [(10.0, 5.0)], [(10.0, 6.0)]]
    assert paired_ratio(groups, random.Random(3).random) == paired_ratio(
        groups, random.Random(3).random
    )


@pytest.mark.parametrize(
    ("groups", "t"), [(2, 12.706), (5, 2.776), (10, 2.262), (11, 2.228), (31, 2.042)]
)
def test_the_fewer_groups_the_further_out_an_interval_reaches(groups: int, t: float) -> None:
    # By the tables of Student's t; the series beyond the table is right to the second decimal.
    assert tail_share(groups) == pytest.approx(
        NormalDist().cdf(-t * (groups / (groups - 1)) ** 0.5), rel=0.02
    )
    assert tail_share(groups) < tail_share(groups + 1) < 0.025


def test_an_interval_of_five_groups_reaches_almost_to_their_extremes() -> None:
    groups = [[(math.exp(log), 1.0)] for log in (-2, -1, 0, 1, 2)]
    found = paired_ratio(groups, random.Random(1).random)
    assert found is not None
    assert found.low is not None
    # Seven in a thousand resamples have a mean of -1.6 or less, one in five hundred one of -1.8 or
    # less.
    assert -2.0 <= math.log(found.low) <= -1.6


@given(
    st.lists(st.lists(st.tuples(times, times), min_size=1, max_size=5), min_size=2, max_size=6),
    st.integers(0, 99),
)
def test_an_interval_holds_its_value_and_lies_within_the_ratios(
    groups: list[list[tuple[float, float]]], seed: int
) -> None:
    found = paired_ratio(groups, random.Random(seed).random, resamples=50)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    ratios = [a / b for group in groups for a, b in group]
    assert min(ratios) * 0.999 <= found.low <= found.value <= found.high <= max(ratios) * 1.001


@given(st.lists(st.lists(times, min_size=1, max_size=5), min_size=1, max_size=5))
def test_an_arm_against_itself_is_exactly_one(groups: list[list[float]]) -> None:
    found = paired_ratio(
        [[(value, value) for value in group] for group in groups], random.Random(0).random
    )
    assert found is not None
    assert found.value == 1.0
    assert found.low in (None, 1.0)
    assert found.high in (None, 1.0)
