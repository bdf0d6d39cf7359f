from __future__ import annotations

import pytest

from harness.text.amounts import counted, duration, listed


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 topics"), (1, "1 topic"), (2, "2 topics"), (10_000, "10,000 topics")],
)
def test_one_is_singular_and_thousands_are_set_apart(number: int, said: str) -> None:
    assert counted(number, "topic") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(27_600, "7 h 40"), (200, "3 min 20 s"), (12.34, "12.3 s"), (0.25, "250 ms")],
)
def test_a_duration_is_said_in_the_units_that_its_length_asks_for(
    seconds: float, said: str
) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [(["failed"], "failed"), (["failed", "ok"], "failed and ok"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_listed_as_in_a_sentence(words: list[str], said: str) -> None:
    assert listed(words) == said
