from __future__ import annotations

import pytest

from harness.domain.growth import change_words, first_difference, lines_added


@pytest.mark.parametrize(
    ("then", "now", "added"),
    [
        ([1, 2], [1, 2], 0),
        ([1, 2], [1, 2, 3, 4], 2),
        ([], [1], 1),
        ([1, 2], [1], None),
        ([1, 2], [1, 3, 2], None),
    ],
)
def test_a_file_grew_where_its_old_lines_are_the_beginning_of_the_new(
    then: list[int], now: list[int], added: int | None
) -> None:
    assert lines_added(then, now) == added


@pytest.mark.parametrize(
    ("then", "now", "words", "first"),
    [
        ([1, 2, 3], [1, 9, 3], "line 2 was changed", 2),
        ([1], [2], "line 1 was changed", 1),
        ([1, 2, 3, 4, 5], [1, 2], "the file has 3 lines fewer", 3),
        ([1, 2], [1], "the file has 1 line fewer", 2),
        ([1, 2, 3], [1, 3], "line 2 was removed", 2),
        ([1, 2, 3, 4], [1, 4], "lines 2 to 3 were removed", 2),
        ([1, 2, 3], [9, 1, 2, 3], "1 line was put in before line 1", 1),
        ([1, 2, 3], [1, 2, 8, 9, 3], "2 lines were put in before line 3", 3),
        ([1, 2], [1, 2, 3], "1 line was added", 3),
        ([1, 2], [1, 2, 3, 4], "2 lines were added", 3),
        ([1, 1], [1, 1, 1, 1, 2], "3 lines were added", 3),
        (
            [1, 2, 3, 4],
            [1, 8, 9, 4],
            "lines were changed, the first of them line 2 and the last line 3",
            2,
        ),
        (
            [1, 2, 3],
            [1, 7, 8, 9, 3],
            "lines were changed, the first of them line 2, and the file has 2 lines more",
            2,
        ),
        (
            [1, 2, 3, 4],
            [1, 9, 4],
            "lines were changed, the first of them line 2, and the file has 1 line fewer",
            2,
        ),
        ([1, 2], [8, 9], "it is another file: neither its first line nor its last is as it was", 1),
    ],
)
def test_a_change_is_told_in_words(then: list[int], now: list[int], words: str, first: int) -> None:
    assert change_words(then, now) == words
    assert first_difference(then, now) == first
