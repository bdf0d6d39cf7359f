"""Earlier answers, found in later prompts and put out of sight."""

from __future__ import annotations

import json

import pytest

from harness.diffs.masking import MASK, mask, parts_of

QUESTIONS = json.dumps(["Who first built it, and when?", "What did it cost in the end?"])


def texts(*answers: tuple[str, str]) -> set[str]:
    return {part.text for part in parts_of(answers)}


def shown(text: str, *answers: tuple[str, str]) -> str:
    return "".join(mask(text, parts_of(answers)).shown)


def test_an_answer_may_stand_in_a_prompt_whole_with_or_without_its_margins() -> None:
    answers = ("ask", "  It was built in Bath.\n")
    assert shown("Notes:\n  It was built in Bath.\n\nWrite.", answers) == "Notes:\n⟨ask⟩\nWrite."
    assert shown("Notes: It was built in Bath. Write.", answers) == "Notes: ⟨ask⟩ Write."


@pytest.mark.parametrize(
    "content",
    [
        QUESTIONS,
        f"Here they are:\n```json\n{QUESTIONS}\n```",
        json.dumps(
            {"all": [{"question": " Who first built it, and when? "}, {"n": 2, "known": None}]}
        ),
    ],
    ids=["array", "fenced", "nested"],
)
def test_the_texts_in_an_answer_of_json_are_found(content: str) -> None:
    assert (
        shown("Answer this: Who first built it, and when?", ("plan", content))
        == "Answer this: ⟨plan⟩"
    )


def test_the_lines_of_a_list_are_found_without_their_marks() -> None:
    content = "Sure.\n1. Who first built it?\n- What did it cost?\n(3) And who paid for it?"
    assert {"Who first built it?", "What did it cost?", "And who paid for it?"} <= texts(
        ("plan", content)
    )


def test_the_longest_part_is_found_first() -> None:
    answers = (("one", "the river Severn"), ("two", "a dam on the river Severn"))
    assert (
        shown("Of a dam on the river Severn, and the river Severn.", *answers)
        == "Of ⟨two⟩, and ⟨one⟩."
    )


def test_a_short_part_stays_and_the_places_where_it_stands_alone_are_noted() -> None:
    found = mask("Say yes. In yesterday's eyes: yes", parts_of([("judge", "yes")]))
    assert MASK not in found.words
    assert [found.words[place] for place in sorted(found.short)] == ["yes", "yes"]
    assert [part.span_id for part in found.parts] == ["judge", "judge"]


@pytest.mark.parametrize(
    ("content", "text", "words"),
    [("是的", "说是的吗", ["是", "的"]), ("very good", "So very good!", ["very ", "good"])],
)
def test_a_short_part_may_be_several_words(content: str, text: str, words: list[str]) -> None:
    found = mask(text, parts_of([("judge", content)]))
    assert [found.words[place] for place in sorted(found.short)] == words


def test_a_short_part_that_did_not_change_brought_nothing() -> None:
    assert mask("Say yes.", parts_of([("judge", "yes")]), unchanged={"yes"}).short == frozenset()


def test_what_has_no_letter_is_no_part() -> None:
    assert texts(("count", "42"), ("list", "[1, 2]"), ("blank", "  \n")) == set()


def test_a_text_that_several_calls_brought_is_named_by_the_first() -> None:
    assert shown("It is known.", ("one", "It is known."), ("two", "It is known.")) == "⟨one⟩"


def test_words_and_masks_stand_side_by_side() -> None:
    found = mask(
        "Notes: It was built in Bath. Write.", parts_of([("ask", "It was built in Bath.")])
    )
    assert found.words == ("Notes", ": ", MASK, " ", "Write", ".")
    assert found.raw == ("Notes", ": ", "It was built in Bath.", " ", "Write", ".")
    assert [(part.span_id, part.text) for part in found.parts] == [("ask", "It was built in Bath.")]


def test_an_answer_of_endless_leaves_is_looked_into_only_so_far() -> None:
    assert (
        len(texts(("plan", json.dumps([f"question {number}" for number in range(5_000)])))) <= 1_002
    )


def test_a_short_part_is_found_where_all_its_words_stand_in_a_row_and_nowhere_else() -> None:
    found = mask("a cold bath, and a warm bath", parts_of([("ask", "a warm bath")]))
    assert "".join(found.words[at] for at in sorted(found.short)).strip() == "a warm bath"
