"""Two texts word by word, as a person is shown them."""

from __future__ import annotations

import pytest

from harness.diffs.words import Piece, Segment, diff_words, plain, similarity


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("the quick fox", "the slow fox", "the [-quick-]{+slow+} fox"),
        ("a fox", "a fox jumps", "a fox{+ jumps+}"),
        ("a fox jumps", "a fox", "a fox[- jumps-]"),
        ("", "all new", "{+all new+}"),
        ("all gone", "", "[-all gone-]"),
        ("Price: 3.14 USD", "Price: 3.15 USD", "Price: 3.[-14-]{+15+} USD"),
        ("你好世界", "你好宇宙", "你好[-世界-]{+宇宙+}"),
        ("火锅是怎样的？", "火锅曾是怎样的？", "火锅{+曾+}是怎样的？"),
        ("日本語のテキスト。", "日本語の文章。", "日本語の[-テキスト-]{+文章+}。"),
    ],
)
def test_a_change_is_shown_by_its_words_and_no_more(old: str, new: str, shown: str) -> None:
    assert diff_words(old, new).plain() == shown


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("one two", "one  two", "one[-·-]{+··+}two"),
        ("end ", "end", "end[-·-]"),
        ("a\n\nb", "a\nb", "a[-↵\n↵\n-]{+↵\n+}b"),
        ("a\r\nb", "a\nb", "a[-␍↵\n-]{+↵\n+}b"),
        ("a\tb", "a b", "a[-→-]{+·+}b"),
    ],
)
def test_white_space_that_alone_changed_is_drawn(old: str, new: str, shown: str) -> None:
    assert diff_words(old, new).plain() == shown


def test_equal_texts_have_no_change() -> None:
    diff = diff_words("same", "same")
    assert not diff.changed
    assert diff.segments == (Segment(kind="equal", old="same", new="same"),)
    assert diff_words("", "").segments == ()


def test_lines_are_matched_before_words() -> None:
    old = "alpha beta\ngamma delta\nepsilon zeta\n"
    new = "gamma delta\nepsilon eta\ntheta iota\n"
    assert diff_words(old, new).plain() == (
        "[-alpha beta\n-]gamma delta\nepsilon [-zeta-]{+eta\ntheta iota+}\n"
    )


def test_a_rewritten_sentence_is_one_change_and_not_a_heap_of_crumbs() -> None:
    old = "Most accounts put a decline of prices in first place"
    new = "Several scholars doubt a narrative which begins elsewhere"
    assert diff_words(old, new).plain() == f"[-{old}-]{{+{new}+}}"


def test_what_stays_far_from_a_change_is_left_out_between_words() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    shown = diff_words(f"{words} old {words}", f"{words} new {words}").plain(context=20)
    assert (
        shown
        == "[…675 characters…] word98 word99 [-old-]{+new+} word0 word1 word2 […671 characters…]"
    )


def test_what_stays_between_two_changes_is_left_out_in_its_middle() -> None:
    middle = "x" * 100
    pieces = diff_words(f"a {middle} b", f"c {middle} d").pieces(context=10)
    assert [piece.kind for piece in pieces] == [
        "removed",
        "added",
        "equal",
        "skipped",
        "equal",
        "removed",
        "added",
    ]
    assert pieces[2].text == " " + "x" * 9
    assert pieces[3].text == "[…82 characters…]"


def test_a_gap_is_not_left_out_where_that_saves_nothing() -> None:
    text = "y" * 25
    assert (
        diff_words(f"a {text} b", f"c {text} d").plain(context=10)
        == f"[-a-]{{+c+}} {text} [-b-]{{+d+}}"
    )


def test_a_long_change_can_be_cut_in_its_middle() -> None:
    assert (
        diff_words("", "abcdefghij" * 10).plain(longest=20)
        == "{+abcdefghij[…80 characters…]abcdefghij+}"
    )


def test_texts_too_long_and_too_different_are_not_compared_for_ever_and_it_says_so() -> None:
    old, new = "a b " * 3_000, "b a c " * 2_000
    diff = diff_words(old, new, most_comparisons=10_000)
    assert not diff.complete
    assert diff.plain(longest=10).endswith(
        " (too long and too different to be compared word by word)"
    )
    assert "".join(segment.old for segment in diff.segments) == old
    assert "".join(segment.new for segment in diff.segments) == new


def test_a_word_changed_here_and_there_in_a_megabyte_is_found_among_its_lines() -> None:
    paragraphs = [
        f"Paragraph {number} says what {number * 7} others said before it.\n\n"
        for number in range(20_000)
    ]
    changed = [
        text.replace("says", "denies") if number % 5_000 == 7 else text
        for number, text in enumerate(paragraphs)
    ]
    diff = diff_words("".join(paragraphs), "".join(changed))
    assert diff.complete
    assert [(one.old, one.new) for one in diff.segments if one.kind != "equal"] == [
        ("says", "denies")
    ] * 4


def test_frequent_words_anchor_nothing_in_long_texts_and_still_extend_a_match() -> None:
    old = " ".join(["the"] * 300 + ["alpha"] + ["the"] * 300)
    new = " ".join(["of"] * 10 + ["the"] * 290 + ["alpha"] + ["the"] * 300 + ["of"])
    diff = diff_words(old, new, most_comparisons=200_000)
    assert diff.complete
    assert [segment.kind for segment in diff.segments] == ["replaced", "equal", "added"]


def test_a_diff_goes_out_as_json() -> None:
    assert diff_words("a fox", "a dog").as_json() == {
        "complete": True,
        "segments": [
            {"kind": "equal", "text": "a "},
            {"kind": "replaced", "old": "fox", "new": "dog"},
        ],
    }


def test_marks_stand_around_changes_only() -> None:
    pieces = [
        Piece(kind="equal", text="a "),
        Piece(kind="removed", text="b"),
        Piece(kind="skipped", text=" … "),
    ]
    assert plain(pieces) == "a [-b-] … "


@pytest.mark.parametrize(
    ("old", "new", "likeness"),
    [
        ("same", "same", 1.0),
        ("", "", 1.0),
        ("one", "two", 0.0),
        ("", "two", 0.0),
        ("a b c", "a b d", 0.6),  # 2 of 3 words and 1 of 2 pairs on either side
        ("a b", "a  b", 0.999),
        (" ", "\n", 0.999),
        ("你好世界", "你好宇宙", 3 / 7),
    ],
)
def test_likeness_is_the_share_of_words_and_pairs_of_them_that_both_have(
    old: str, new: str, likeness: float
) -> None:
    assert similarity(old, new) == pytest.approx(likeness)
