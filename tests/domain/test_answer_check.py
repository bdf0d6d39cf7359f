from __future__ import annotations

from typing import Any

import pytest

from harness.domain.answer_check import Check, check_of
from harness.domain.completion import Completion, Message, Request, Tool, ToolCall, Usage
from harness.errors import ParseError

WHY = Message(role="user", content="why?")


def a_request(**fields: Any) -> Request:
    return Request(**{"endpoint": "e", "model": "m", "messages": (WHY,), **fields})


def an_answer(content: str, **fields: Any) -> Completion:
    return Completion(
        **{"model": "m", "content": content, "finish_reason": "stop", "usage": Usage(), **fields}
    )


def short(completion: Completion) -> int:
    if len(completion.content) > 5:
        raise ParseError("it was too long")
    return len(completion.content)


def checked(request: Request, **fields: Any) -> Check:
    check = check_of(request, **{"accept": None, "reasks": 2, "again": None, **fields})
    assert check is not None
    return check


def test_a_plain_request_demands_nothing() -> None:
    assert check_of(a_request(), accept=None, reasks=2, again=None) is None


def test_an_answer_that_passes_has_the_value_that_its_gate_found() -> None:
    check = checked(a_request(), accept=short)
    assert (check.value(an_answer("four")), check.problem(an_answer("four"))) == (4, None)


def test_an_answer_that_does_not_pass_is_told_why() -> None:
    assert checked(a_request(), accept=short).problem(an_answer("too long")) == "it was too long"


def test_an_async_gate_is_refused_for_it_would_accept_everything() -> None:
    async def gate(completion: Completion) -> None:
        raise ParseError("never reached")

    with pytest.raises(TypeError, match="accept must be a plain function"):
        checked(a_request(), accept=gate).value(an_answer("x"))


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Sure! Here it is: {"a": 1} Anything else?', {"a": 1}),
        ('<think>{"b": 2}?</think>\n{"a": 1}', {"a": 1}),
        ("42", 42),
    ],
)
def test_json_mode_accepts_what_the_parser_reads(content: str, value: Any) -> None:
    assert checked(a_request(response_format="json_object")).value(an_answer(content)) == value


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("I would rather not.", "it held no JSON array or object"),
        ('{"a": 1', "it was not valid JSON: expecting ',' delimiter at column 8"),
        ("[" * 100_000, "it was not valid JSON: nested deeper than 100 levels"),
    ],
)
def test_json_mode_rejects_what_no_parser_reads(content: str, problem: str) -> None:
    assert checked(a_request(response_format="json_object")).problem(an_answer(content)) == problem


def test_in_json_mode_the_gate_of_the_step_looks_after_the_parser() -> None:
    check = checked(a_request(response_format="json_object"), accept=short)
    assert check.problem(an_answer("no")) == "it held no JSON array or object"
    assert check.problem(an_answer('{"a": 1}')) == "it was too long"
    assert check.value(an_answer("[1]")) == 3


def test_a_call_of_an_offered_tool_needs_no_json_beside_it() -> None:
    call = ToolCall(id="1", name="look", arguments="{}")
    wanted = an_answer("", tool_calls=(call,))
    request = a_request(response_format="json_object", tools=(Tool(name="look"),))
    assert checked(request).problem(wanted) is None
    assert checked(a_request(response_format="json_object")).problem(wanted) == "it was blank"


def test_the_conversation_goes_on_with_the_answer_and_the_problem() -> None:
    request = a_request(sample=3)
    check = checked(request, accept=short)

    following = check.following(request, an_answer("too long", reasoning="hm"), "it was too long")

    assert following is not None
    again, left = following
    assert again.messages == (
        WHY,
        Message(role="assistant", content="too long"),
        Message(
            role="user",
            content="That answer could not be used: it was too long. "
            "Answer again, with nothing but what was asked for.",
        ),
    )
    assert (again.sample, left.reasks) == (3, 1)


def test_the_words_may_be_the_steps_own() -> None:
    request = a_request()
    following = checked(request, accept=short, again=lambda problem: f"No: {problem}!").following(
        request, an_answer("too long"), "it was too long"
    )
    assert following is not None
    assert following[0].messages[-1].content == "No: it was too long!"


def test_the_asking_again_is_bounded() -> None:
    check = checked(a_request(), accept=short, reasks=0)
    assert check.following(a_request(), an_answer("too long"), "it was too long") is None


def test_where_tools_were_offered_each_call_has_its_result_and_the_thoughts_are_sent_back() -> None:
    request = a_request(tools=(Tool(name="look"),))
    calls = (
        ToolCall(id="1", name="look", arguments="{"),
        ToolCall(id="2", name="leap", arguments="{}"),
    )
    rejected = an_answer("", reasoning="hm", tool_calls=calls)

    following = checked(request, accept=short).following(
        request, rejected, "its arguments are no JSON"
    )

    assert following is not None
    answer, *results = following[0].messages[1:]
    assert answer == Message(role="assistant", reasoning="hm", tool_calls=calls[:1])
    assert [(result.role, result.tool_call_id) for result in results] == [("tool", "1")]
    assert "its arguments are no JSON" in results[0].content
