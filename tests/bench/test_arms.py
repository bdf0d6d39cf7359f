from __future__ import annotations

import pytest

from harness.bench.arms import arms_of, numbers_of, rounds_of
from harness.domain.policy import Limits
from harness.errors import SettingsError


def test_arms_are_nothing_but_limits() -> None:
    arms = arms_of(("sequential", "per-run", "batch"), (16, 4), Limits(per_run=3, runs=9))
    assert [
        (arm.name, arm.limits.in_flight, arm.limits.per_run, arm.limits.runs) for arm in arms
    ] == [
        ("sequential", 1, 1, 1),
        ("per-run", 3, 3, 1),
        ("batch-4", 4, 3, 9),
        ("batch-16", 16, 3, 9),
    ]


def test_what_is_named_twice_is_one_arm() -> None:
    arms = arms_of(("batch", "sequential", "batch"), (4, 4), Limits())
    assert [arm.name for arm in arms] == ["batch-4", "sequential"]


@pytest.mark.parametrize(
    "text", ["", "0", "1,x", "-4", "1.5", "1,,4", "4,", "1e3", "1000001", "9" * 5000]
)
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="whole numbers"):
        numbers_of(text)


def test_a_list_of_numbers_may_have_spaces_and_has_each_once() -> None:
    assert numbers_of("16, 1000000,16 ,4") == (16, 1_000_000, 4)


def test_each_round_has_every_arm_once_in_an_order_of_the_seed() -> None:
    arms = arms_of(("sequential", "per-run", "batch"), (1, 4, 16, 64), Limits())
    rounds = rounds_of(arms, 5, seed=1)
    assert all(
        sorted(arm.name for arm in order) == sorted(arm.name for arm in arms) for order in rounds
    )
    assert len(set(rounds)) > 1
    assert rounds == rounds_of(arms, 5, seed=1)
