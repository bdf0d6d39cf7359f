"""In what two requests differ, and whose doing it is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.diffs.request_change import FieldChange, RequestChange, compare_requests
from harness.domain.completion import Message, Request, Role, Tool, ToolCall
from harness.domain.image import Image

BEGUN = Message(role="user", content="List three.")
OLD, NEW = "It was built by monks in Bath.", "Nobody knows who built it, or where."


def asking(*messages: tuple[Role, str] | Message, **fields: Any) -> Request:
    turns = tuple(
        one if isinstance(one, Message) else Message(role=one[0], content=one[1])
        for one in messages
    )
    return Request(**{"endpoint": "mock", "model": "m", "messages": turns, **fields})


def user(text: str, **fields: Any) -> Request:
    return asking(("user", text), **fields)


def compared(old: str, new: str, before: str = OLD, after: str = NEW, **more: Any) -> RequestChange:
    """Two prompts of one call; the call `ask` was answered with `before` then and with `after`
    now.
    """
    return compare_requests(
        user(old), user(new), recorded_answers=[("ask", before)], answers=[("ask", after)], **more
    )


def test_equal_requests_have_no_change() -> None:
    change = compare_requests(user("why?"), user("why?"))
    assert change.same
    assert not change.own


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"model": "n"}, FieldChange(name="model", recorded="m", wanted="n")),
        (
            {"endpoint": "deepseek"},
            FieldChange(name="endpoint", recorded="mock", wanted="deepseek"),
        ),
        ({"max_tokens": 5}, FieldChange(name="max_tokens", recorded=None, wanted=5)),
        ({"thinking": False}, FieldChange(name="thinking", recorded=None, wanted=False)),
        ({"effort": "high"}, FieldChange(name="effort", recorded=None, wanted="high")),
        ({"temperature": 0.5}, FieldChange(name="temperature", recorded=None, wanted=0.5)),
        ({"top_p": 0.5}, FieldChange(name="top_p", recorded=None, wanted=0.5)),
        ({"stop": ("end",)}, FieldChange(name="stop", recorded=None, wanted=["end"])),
        ({"sample": 2}, FieldChange(name="sample", recorded=None, wanted=2)),
        (
            {"response_format": "json_object"},
            FieldChange(name="response_format", recorded=None, wanted="json_object"),
        ),
        (
            {"tools": (Tool(name="look"),)},
            FieldChange(
                name="tools",
                recorded=None,
                wanted=[{"name": "look", "description": "", "parameters": {}}],
            ),
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_field_that_differs_is_named_and_is_the_requests_own(
    fields: dict[str, Any], change: FieldChange
) -> None:
    found = compare_requests(user("why?"), user("why?", **fields))
    assert (found.fields, found.messages, found.own) == ((change,), (), True)


def test_a_word_of_the_prompt_that_changed_is_its_own_change() -> None:
    change = compared(f"Judge this: {OLD}", f"Weigh this: {OLD}", after=OLD)
    assert change.own
    assert [message.diff.plain() for message in change.messages] == [
        "[-Judge-]{+Weigh+} this: ⟨ask⟩"
    ]
    assert change.follows == ()


def test_an_answer_in_the_prompt_that_changed_is_not_and_is_named() -> None:
    change = compared(f"Judge this: {OLD}\nBe brief.", f"Judge this: {NEW}\nBe brief.")
    assert not change.own
    assert not change.same
    assert change.follows == ("ask",)


def test_where_both_changed_the_prompt_is_to_blame_and_the_answer_is_out_of_sight() -> None:
    change = compared(f"Judge this: {OLD}\nBe brief.", f"Judge this: {NEW}\nBe very brief.")
    assert change.own
    assert change.follows == ("ask",)
    assert [message.diff.plain() for message in change.messages] == [
        "Judge this: ⟨ask⟩\nBe {+very +}brief."
    ]


def test_an_answer_where_words_of_the_workflow_stood_follows() -> None:
    assert not compared("Notes: (no notes for this one)", f"Notes: {NEW}").own


def test_words_of_the_workflow_where_an_answer_stood_are_its_own() -> None:
    assert compared(f"Notes: {OLD}", "Notes: (no notes for this one)").own


@pytest.mark.parametrize("word", ["three", "三"])
def test_words_that_went_are_the_prompts_own_change(word: str) -> None:
    assert compared(f"In {word} words: {OLD}", f"In words: {NEW}").own


def test_a_number_of_the_prompt_is_its_own() -> None:
    assert compared(f"In 100 words: {OLD}", f"In 200 words: {NEW}").own
    assert not compared(f"In 100 words: {OLD}", f"In 200 words: {NEW}", renumbered=True).own


def test_notes_that_are_more_or_fewer_follow_with_their_numbers() -> None:
    three = [
        ("a", "Monks built the bath."),
        ("b", "Nobody paid for it."),
        ("c", "It was never finished."),
    ]
    requests = [
        user(
            "Notes:\n"
            + "\n".join(f"[{index}] {text}" for index, (_, text) in enumerate(notes, start=1))
            + "\nWrite."
        )
        for notes in (three, three[:2])
    ]
    fewer = compare_requests(*requests, recorded_answers=three, answers=three[:2])
    more = compare_requests(*reversed(requests), recorded_answers=three[:2], answers=three)
    assert (fewer.own, fewer.follows) == (False, ("c",))
    assert (more.own, more.follows) == (False, ("c",))


def test_the_same_answers_in_another_order_are_the_prompts_own_change() -> None:
    answers = [("a", "Monks built the bath."), ("b", "Nobody paid for it.")]
    change = compare_requests(
        user("Monks built the bath. Nobody paid for it."),
        user("Nobody paid for it. Monks built the bath."),
        recorded_answers=answers,
        answers=answers,
    )
    assert change.own
    assert change.follows == ()


def test_an_answer_that_repeats_the_prompt_is_not_mistaken_for_it() -> None:
    prompt = "Write a short report on the topic."
    change = compared(f"{prompt} Notes: {prompt}", f"{prompt} Notes: {NEW}", before=prompt)
    assert not change.own


def test_a_short_answer_in_the_prompt_follows_though_the_prompt_has_its_words_too() -> None:
    change = compared(
        "Say yes or no. Before: yes", "Say yes or no. Before: no", before="yes", after="no"
    )
    assert not change.own
    assert change.follows == ("ask",)


def test_a_short_answer_that_changed_is_no_part_of_a_change_of_the_prompt() -> None:
    change = compared(
        "Say yes or no. Before: yes", "Tell yes or no. Before: no", before="yes", after="no"
    )
    assert change.own
    assert change.messages[0].diff.plain() == "[-Say-]{+Tell+} yes or no. Before: no"


def test_a_word_of_the_prompt_is_its_own_where_the_same_word_was_answered_both_times() -> None:
    assert compared("Answer or no. yes", "Answer yes or no. yes", before="yes", after="yes").own


def test_a_short_answer_more_in_a_list_follows() -> None:
    answers = '["Cost", "Risk"]', '["Cost", "Risk", "Law"]'
    change = compared(
        "Of: Cost, Risk.", "Of: Cost, Risk, Law.", before=answers[0], after=answers[1]
    )
    assert not change.own


def test_messages_that_came_and_went_are_placed_by_their_roles() -> None:
    change = compare_requests(user("why?"), asking(("system", "Be brief."), ("user", "why?")))
    assert [(one.position, one.role, one.kind, one.own) for one in change.messages] == [
        (1, "system", "added", True)
    ]
    change = compare_requests(asking(("system", "Be brief."), ("user", "why?")), user("why?"))
    assert [(one.position, one.role, one.kind, one.own) for one in change.messages] == [
        (1, "system", "removed", True)
    ]
    assert change.messages[0].diff.plain() == "[-Be brief.-]"


def test_a_conversation_that_goes_on_after_another_answer_follows() -> None:
    change = compare_requests(
        asking(BEGUN),
        asking(BEGUN, ("assistant", "I cannot do that."), ("user", "Again: it held no list.")),
        recorded_answers=[("list", '["One?", "Two?", "Three?"]')],
        answers=[("list", "I cannot do that.")],
    )
    assert not change.own
    assert change.follows == ("list",)


def test_a_conversation_that_goes_on_after_the_recorded_answer_was_changed_by_its_workflow() -> (
    None
):
    answers = [("list", "I cannot do that.")]
    change = compare_requests(
        asking(BEGUN),
        asking(BEGUN, ("assistant", "I cannot do that."), ("user", "Again: it held no list.")),
        recorded_answers=answers,
        answers=answers,
    )
    assert [(one.role, one.own) for one in change.messages] == [
        ("assistant", False),
        ("user", True),
    ]


def test_what_a_model_asked_of_tools_and_what_they_said_follows() -> None:
    def talk(query: str, found: str) -> Request:
        call = ToolCall(id=f"call-{query}", name="look", arguments=f'{{"q": "{query}"}}')
        return asking(
            ("user", "why?"),
            Message(role="assistant", reasoning=f"I look for {query}", tool_calls=(call,)),
            Message(role="tool", content=found, tool_call_id=call.id),
        )

    change = compare_requests(talk("sky", "blue"), talk("sea", "green"))
    assert not change.own
    assert [(one.role, one.part) for one in change.messages] == [
        ("assistant", "reasoning"),
        ("assistant", "tool_calls"),
        ("tool", "content"),
        ("tool", "tool_call_id"),
    ]
    longer = compare_requests(user("why?"), talk("sky", "blue"))
    assert not longer.own


def test_another_image_is_the_requests_own_change() -> None:
    old, new = (
        Message(role="user", content="What?", images=(Image(url=f"https://h/{name}.png"),))
        for name in "ab"
    )
    change = compare_requests(asking(old), asking(new))
    (only,) = change.messages
    assert (only.part, only.kind, only.own) == ("images", "changed", True)
    assert change.own


PLAN, MORE = "a first plan of the work", "and more to be said of it here"


@pytest.mark.parametrize(
    ("recorded", "wanted", "renumbered", "own"),
    [
        (f"Points: {PLAN}", f"Points: {PLAN}\n{MORE}", False, False),
        (f"Points: {PLAN}\n{MORE}", f"Points: {PLAN}", False, False),
        (f"Points: {PLAN}", f"Points: two {PLAN}", False, True),
        ("Question 1", "Question 2", True, False),
        ("Question 1", "Question 2", False, True),
    ],
    ids=["an answer came", "an answer went", "a word came", "another part", "another number"],
)
def test_a_difference_comes_from_an_answer_where_no_word_of_the_prompt_changed(
    recorded: str, wanted: str, renumbered: bool, own: bool
) -> None:
    answers = [("plan", PLAN), ("more", MORE)]
    change = compare_requests(
        user(recorded),
        user(wanted),
        recorded_answers=answers,
        answers=answers,
        renumbered=renumbered,
    )
    assert change.own is own


def test_an_empty_message_that_came_is_told_as_added() -> None:
    change = compare_requests(asking(BEGUN), asking(BEGUN, ("user", "")))
    assert [(one.kind, one.diff.segments[0].kind) for one in change.messages] == [
        ("added", "added")
    ]
