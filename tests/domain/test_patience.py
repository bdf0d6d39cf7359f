from __future__ import annotations

import pytest

from harness.domain.policy import CacheMode, CachePolicy, Patience


def test_looks_become_rarer_up_to_the_longest_pause() -> None:
    pauses = [Patience().pause_s(looks=looks, draw=1.0) for looks in range(12)]
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0


def test_a_pause_is_spread_over_its_second_half() -> None:
    patience = Patience(first_s=2.0, longest_s=2.0)
    assert [patience.pause_s(looks=0, draw=draw) for draw in (0.0, 0.5)] == [1.0, 1.5]


def test_any_number_of_looks_has_a_pause() -> None:
    assert Patience().pause_s(looks=10**6, draw=0.0) == 0.5


@pytest.mark.parametrize(
    ("mode", "waits"), [("read_write", True), ("refresh", False), ("off", False), ("replay", True)]
)
def test_only_what_would_answer_is_waited_for(mode: CacheMode, waits: bool) -> None:
    assert CachePolicy(mode=mode).waits is waits
