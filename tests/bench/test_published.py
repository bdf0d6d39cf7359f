"""The published example of `benchmarks/published.py`: five calls of 8 to 12 s, three at a time."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT: Any = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "published.py"))


def test_five_equal_calls_three_at_a_time_take_two_rounds() -> None:
    assert SCRIPT["makespan_s"]([10.0] * 5, 3) == 20
    assert SCRIPT["makespan_s"]([8.0, 10.0, 12.0, 9.0, 8.0], 3) == 18


def test_the_published_times_hold_in_every_draw_and_its_speed_up_in_most() -> None:
    found = SCRIPT["drawn"]()
    within = found.share(lambda ratio: 2.0 <= ratio <= 2.5)
    assert len(found.speedups) == 10_000
    assert found.times_hold
    assert found.share(lambda ratio: ratio < 2.0) == 0
    assert 0.6 < within < 0.7
    assert within + found.share(lambda ratio: ratio > 2.5) == pytest.approx(1)
    assert sum(SCRIPT["histogram"](found.speedups).values()) == 10_000


def test_the_distribution_is_told_in_words() -> None:
    told = "\n".join(SCRIPT["words"](SCRIPT["drawn"](draws=100)))
    assert "5 calls of 8 to 12 s, drawn 100 times:" in told
    assert "40 to 60 s in sequence and 16 to 24 s with 3 at a time hold in every draw." in told
