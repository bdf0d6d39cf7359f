"""Whatever two texts are, their diff leads from one to the other."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.diffs.words import diff_words, similarity, words_of

words = st.sampled_from(
    [*"ab .\n\t,", "one", "two ", "的", "是", "ก", "\r\n", "\u2028", "é", "e\u0301", "\ud800", "\0"]
)
texts = st.one_of(st.text(max_size=40), st.lists(words, max_size=60).map("".join))


@given(texts, texts, st.sampled_from([0, 5, 50, 10**6]))
def test_the_segments_are_both_texts_whatever_the_work_allowed(
    old: str, new: str, most: int
) -> None:
    segments = diff_words(old, new, most_comparisons=most).segments
    assert "".join(segment.old for segment in segments) == old
    assert "".join(segment.new for segment in segments) == new


@given(texts, texts)
def test_segments_are_equal_and_different_in_turn_and_none_is_empty(old: str, new: str) -> None:
    segments = diff_words(old, new).segments
    for one in segments:
        assert (one.old == one.new) == (one.kind == "equal")
        assert bool(one.old) == (one.kind != "added")
        assert bool(one.new) == (one.kind != "removed")
    equal = [one.kind == "equal" for one in segments]
    assert all(first != second for first, second in pairwise(equal))


@given(texts, texts)
def test_only_equal_texts_have_no_change(old: str, new: str) -> None:
    assert diff_words(old, new).changed == (old != new)


@given(texts)
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    assert "".join(words_of(text)) == text


@given(texts, texts, st.integers(0, 30), st.integers(2, 30))
def test_everything_that_changed_is_shown_and_of_what_stayed_what_fits(
    old: str, new: str, context: int, longest: int
) -> None:
    pieces = diff_words(old, new).pieces(context=context)
    came = "".join(piece.text for piece in pieces if piece.kind in ("equal", "added"))
    if not any(piece.kind == "skipped" for piece in pieces):
        assert came == new
    cut = diff_words(old, new).pieces(context=context, longest=longest)
    assert [piece.kind for piece in cut] == [piece.kind for piece in pieces]


@given(texts, texts)
def test_likeness_is_the_same_both_ways_and_whole_for_equal_texts_only(old: str, new: str) -> None:
    likeness = similarity(old, new)
    assert likeness == similarity(new, old)
    assert 0 <= likeness <= 1
    assert (likeness == 1) == (old == new)
