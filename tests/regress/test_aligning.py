"""What belongs together in two runs of a topic."""

from __future__ import annotations

from typing import Any

from records import a_span

from harness.domain.completion import Message, Request
from harness.records.stored import StoredSpan, stored_span
from harness.regress.comparing.aligning import Item, Places, align, aligned_calls, aligned_sections


def items(*texts: str, names: str = "123456789") -> list[Item]:
    return [Item(name, text) for name, text in zip(names, texts, strict=False)]


def a_call(call_id: str, *asked: str) -> StoredSpan:
    step = call_id.rpartition("/")[2].partition("#")[0]
    messages = tuple(Message(role="user", content=text) for text in asked)
    request = Request(endpoint="mock", model="m", messages=messages)
    return stored_span(a_span(span_id=call_id, step=step, request=request), index=0, session=1)


def ids(old: list[StoredSpan], new: list[StoredSpan]) -> list[tuple[str | None, str | None]]:
    return [(_id(pair.a), _id(pair.b)) for pair in aligned_calls(old, new)]


def _id(call: StoredSpan | None) -> str | None:
    return None if call is None else call.id


def test_equal_texts_belong_together_wherever_they_stand() -> None:
    assert align(items("a b", "c d", "e f"), items("e f", "a b", "c d")) == [(0, 1), (1, 2), (2, 0)]


def test_of_several_equal_texts_those_of_one_name_belong_together() -> None:
    assert align(items("same", "same"), items("same", "same", names="21")) == [(0, 1), (1, 0)]


def test_what_was_reworded_belongs_to_what_it_is_likest() -> None:
    old = items("How do barrages work?", "What did La Rance cost?")
    new = items("What did La Rance cost in the end?", "How do tidal barrages work?")
    assert align(old, new) == [(0, 1), (1, 0)]


def test_what_is_new_stands_where_it_came_in() -> None:
    old = items("who pays?", "who gains?")
    new = items("which fish die?", "who pays?", "who gains?", names="987")
    assert align(old, new) == [(None, 0), (0, 1), (1, 2)]
    assert align(new, old) == [(0, None), (1, 0), (2, 1)]


def test_what_came_in_last_stands_last() -> None:
    assert align(items("who pays?"), items("who pays?", "which fish?")) == [(0, 0), (None, 1)]


def test_what_is_not_alike_belongs_together_by_its_name_only() -> None:
    assert align(items("red green", "blue"), items("one two", "three", names="19")) == [
        (0, 0),
        (1, None),
        (None, 1),
    ]


def test_one_alone_belongs_to_the_other_alone_whatever_they_say() -> None:
    assert align(items("red"), items("blue", names="9")) == [(0, 0)]
    assert align([], items("blue")) == [(None, 0)]
    assert align([], []) == []


def test_too_many_to_compare_belong_together_by_text_and_then_by_name() -> None:
    old = [Item(f"part.{number}", f"question {number} of many") for number in range(40)]
    new = [Item(f"part.{number}", f"question {number} of several") for number in range(39)] + [
        Item("x", old[0].text)
    ]
    expected: list[Places] = [(0, 39), *((number, number) for number in range(1, 39)), (39, None)]
    assert sorted(align(old, new), key=str) == sorted([*expected, (None, 0)], key=str)


def test_calls_belong_together_by_what_they_ask_and_not_by_what_all_of_them_ask() -> None:
    def asked(question: str, number: int) -> str:
        return (
            f"Of a very long topic, which is the same for all:\nSub-question {number}:"
            f" {question}\nBe careful."
        )

    old = [
        a_call(f"research.{n}/research", asked(q, n))
        for n, q in enumerate(["who pays?", "who gains?"], start=1)
    ]
    new = [
        a_call(f"research.{n}/research", asked(q, n))
        for n, q in enumerate(["which fish die?", "who pays?", "who gains?"], start=1)
    ]
    assert ids(old, new) == [
        (None, "research.1/research"),
        ("research.1/research", "research.2/research"),
        ("research.2/research", "research.3/research"),
    ]


def test_calls_of_different_steps_never_belong_together() -> None:
    old = [a_call("plan", "same"), a_call("write", "text")]
    new = [a_call("plan", "same"), a_call("review", "text")]
    assert ids(old, new) == [("plan", "plan"), ("write", None), (None, "review")]


def test_a_call_that_was_repeated_is_one_more() -> None:
    old = [a_call("plan", "List three.")]
    new = [a_call("plan", "List three."), a_call("plan#2", "Again.")]
    assert ids(old, new) == [("plan", "plan"), (None, "plan#2")]


def test_a_call_without_messages_is_no_reason_to_stop() -> None:
    lone = a_call("plan")
    assert ids([lone], [lone]) == [("plan", "plan")]


def test_sections_belong_together_by_their_questions_or_first_texts() -> None:
    old = [{"number": 1, "question": "who pays?"}, {"number": 2, "question": "who gains?"}]
    assert [
        (pair.a and pair.a["number"], pair.b and pair.b["number"])
        for pair in aligned_sections(old, [{"number": 1, "question": "who gains?"}])
    ] == [(1, None), (2, 1)]
    options: list[dict[str, Any]] = [{"n": 1, "option": "one repository"}, {"n": 2}]
    pairs = aligned_sections(options, [{"n": 2}, {"n": 1, "option": "one repository"}])
    assert [pair.b for pair in pairs] == [{"n": 1, "option": "one repository"}, {"n": 2}]
