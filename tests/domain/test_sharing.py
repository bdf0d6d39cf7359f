"""How the slots of a run are shared among its endpoints; each number is worked out by hand."""

from __future__ import annotations

import pytest

from harness.domain.sharing import may_take


def most_of(mine: int, *, others: list[int], most: list[int], slots: int) -> int:
    """How many the endpoint of this number can have while the others have so many."""
    taken = [*others[:mine], 0, *others[mine:]]
    while may_take(mine, taken=taken, most=most, slots=slots):
        taken[mine] += 1
    return taken[mine]


@pytest.mark.parametrize(("slots", "expected"), [(64, 48), (8, 6), (4, 3), (3, 3), (1, 1)])
def test_one_of_two_can_have_all_but_half_of_the_others_even_share(
    slots: int, expected: int
) -> None:
    assert most_of(0, others=[0], most=[slots, slots], slots=slots) == expected


def test_what_the_other_has_of_its_share_is_not_kept_again() -> None:
    assert most_of(0, others=[10], most=[64, 64], slots=64) == 48
    assert most_of(0, others=[20], most=[64, 64], slots=64) == 44


def test_no_more_is_kept_for_an_endpoint_than_it_could_use() -> None:
    assert most_of(0, others=[0], most=[64, 1], slots=64) == 63


def test_of_three_each_is_kept_a_sixth() -> None:
    assert most_of(1, others=[0, 0], most=[60, 60, 60], slots=60) == 40


def test_alone_an_endpoint_has_all_places() -> None:
    assert most_of(0, others=[], most=[64], slots=64) == 64
