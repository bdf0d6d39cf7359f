from __future__ import annotations

import pytest

from harness.domain.order import goes_by_arrival


def test_while_topics_are_to_come_the_oldest_goes_first() -> None:
    assert not goes_by_arrival(left=None, in_flight=1000, capped=False)


@pytest.mark.parametrize(
    ("left", "in_flight", "expected"),
    [(49, 32, False), (48, 32, True), (2, 1, False), (1, 1, True), (1, 0, False), (0, 0, True)],
)
def test_three_topics_for_two_calls_in_flight_are_the_end(
    left: int, in_flight: int, expected: bool
) -> None:
    assert goes_by_arrival(left=left, in_flight=in_flight, capped=False) is expected


def test_what_a_budget_may_end_goes_topic_by_topic_to_its_last() -> None:
    assert not goes_by_arrival(left=1, in_flight=1000, capped=True)
