"""Sequences of words, matched within bounds."""

from __future__ import annotations

from harness.diffs.matching import Stretch, match


def test_nothing_matches_nothing() -> None:
    assert match([], []).stretches == ()


def test_stretches_are_ranges_of_both_sides() -> None:
    found = match(["a", "b", "c"], ["a", "x", "y", "c"])
    assert found.stretches == (
        Stretch(True, 0, 1, 0, 1),
        Stretch(False, 1, 2, 1, 3),
        Stretch(True, 2, 3, 3, 4),
    )


def test_a_line_that_moved_up_is_matched_where_more_lines_agree() -> None:
    found = match(["1\n", "2\n", "3\n", "4\n"], ["3\n", "4\n", "1\n"])
    assert [one for one in found.stretches if one.equal] == [Stretch(True, 2, 4, 0, 2)]


def test_without_any_work_only_the_common_ends_match() -> None:
    found = match(["a", "b", "c", "d"], ["a", "c", "b", "d"], most_comparisons=0)
    assert found.stretches == (
        Stretch(True, 0, 1, 0, 1),
        Stretch(False, 1, 3, 1, 3),
        Stretch(True, 3, 4, 3, 4),
    )
    assert not found.complete


def test_words_too_frequent_to_be_looked_for_leave_the_matching_incomplete_where_they_agree() -> (
    None
):
    agreeing = match(["a", "b"] * 100, ["b", "a", "c"] * 100, most_comparisons=1_000)
    assert not agreeing.complete
    apart = match(
        ["p", *["a", "b"] * 100, "x"], ["q", "c", "x", *["a", "b"] * 100], most_comparisons=1_000
    )
    assert apart.complete
