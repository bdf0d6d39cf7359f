from __future__ import annotations

from typing import Any

import pytest

from harness.domain.completion import Completion, Request, Served, Tool, ToolCall, Usage
from harness.domain.failures import PermanentError, TransientError
from harness.domain.validity import defect

PLAIN = Request(endpoint="e", model="m", messages=())
JSON = Request(endpoint="e", model="m", messages=(), response_format="json_object")
OFFERS = Request(endpoint="e", model="m", messages=(), tools=(Tool(name="look"), Tool(name="ask")))
LOOK, LEAP = (
    ToolCall(id="1", name="look", arguments="{}"),
    ToolCall(id="2", name="leap", arguments="{}"),
)


def answered(content: str, finish_reason: str = "stop", **fields: object) -> Completion:
    given: dict[str, Any] = {
        "model": "m",
        "content": content,
        "finish_reason": finish_reason,
        "usage": Usage(),
        **fields,
    }
    return Completion(**given)


@pytest.mark.parametrize(
    ("request_", "completion"),
    [
        (PLAIN, answered("text")),
        (PLAIN, answered("not { json")),
        (JSON, answered('{"a": 1}')),
        (JSON, answered("Sure! {}")),
        (JSON, answered("what a step makes of it is the step's business")),
        (OFFERS, answered("", "tool_calls", tool_calls=(LOOK,))),
        (OFFERS, answered("", "tool_calls", tool_calls=(LEAP, LOOK))),
        (PLAIN, answered("text", "tool_calls", tool_calls=(LOOK,))),
        (PLAIN, answered("text", "a word that nobody knows")),
    ],
)
def test_an_answer_passes(request_: Request, completion: Completion) -> None:
    assert defect(request_, completion) is None


@pytest.mark.parametrize(
    ("request_", "completion", "kind"),
    [
        (PLAIN, answered(" \n\t "), "blank"),
        (PLAIN, answered("", "tool_calls"), "blank"),
        (JSON, answered("    "), "blank"),
        (PLAIN, answered("", "tool_calls", tool_calls=(LOOK,)), "blank"),
        (OFFERS, answered("\n", "tool_calls", tool_calls=(LEAP,)), "blank"),
        (PLAIN, answered("half", "insufficient_system_resource"), "interrupted"),
        (PLAIN, answered("half", "aborted"), "interrupted"),
        (PLAIN, answered("half", "network_error"), "interrupted"),
        (PLAIN, answered("", "a word that nobody knows"), "blank"),
        (PLAIN, answered("half", ""), "incomplete"),
    ],
)
def test_what_another_try_may_mend_is_transient(
    request_: Request, completion: Completion, kind: str
) -> None:
    error = defect(request_, completion)
    assert isinstance(error, TransientError)
    assert (error.kind, error.billed, error.partial) == (kind, "yes", completion)


@pytest.mark.parametrize(("ttft_s", "advised"), [(0.5, True), (None, False)])
def test_a_stream_without_a_finish_reason_leads_to_the_settings_that_help(
    ttft_s: float | None, advised: bool
) -> None:
    error = defect(PLAIN, answered("half", "", served=Served(ttft_answer_s=ttft_s)))
    assert ("try --no-stream or --in-flight 1" in str(error)) == advised


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PLAIN, "the answer is blank: all it does is call 'leap', and the request offered no tool"),
        (
            OFFERS,
            (
                "the answer is blank: all it does is call 'leap', and the request offered 'look',"
                " 'ask'"
            ),
        ),
    ],
)
def test_a_blank_answer_names_the_tool_that_nobody_offered(request_: Request, message: str) -> None:
    error = defect(request_, answered("", "tool_calls", tool_calls=(LEAP, LEAP)))
    assert str(error) == message


@pytest.mark.parametrize(
    ("finish_reason", "kind"),
    [("content_filter", "content_filter"), ("length", "length"), ("repetition", "malformed")],
)
def test_what_another_try_would_meet_again_is_permanent(finish_reason: str, kind: str) -> None:
    error = defect(PLAIN, answered("half", finish_reason))
    assert isinstance(error, PermanentError)
    assert (error.kind, error.billed) == (kind, "yes")


def test_an_answer_that_reasoning_left_no_room_for_says_so() -> None:
    capped = Request(endpoint="e", model="m", messages=(), max_tokens=64)
    usage = Usage(output_tokens=64, reasoning_tokens=64)
    error = defect(capped, answered("", "length", usage=usage))
    assert str(error).startswith(
        "max_tokens=64 was used up by the reasoning (64 of 64 tokens) before the answer began"
    )


def test_an_answer_that_was_cut_says_by_which_cap() -> None:
    error = defect(PLAIN, answered("half", "length", usage=Usage(output_tokens=8192)))
    assert str(error).startswith("the provider's default cap cut the answer after 8192 tokens")


def test_an_answer_that_was_cut_before_its_cap_says_that_the_context_is_full() -> None:
    capped = Request(endpoint="e", model="m", messages=(), max_tokens=2048)
    usage = Usage(input_tokens=1984, output_tokens=64, reasoning_untold=1, reasoning_estimated=64)
    error = defect(capped, answered("", "length", usage=usage, reasoning="Let me see"))
    assert str(error).startswith(
        "the server cut the answer after 64 tokens, before max_tokens=2048: with its prompt of 1984"
        " tokens it seems to fill the context"
    )


@pytest.mark.parametrize("output_tokens", [1844, 2048, 2050])
def test_a_server_may_count_its_cap_a_little_otherwise(output_tokens: int) -> None:
    capped = Request(endpoint="e", model="m", messages=(), max_tokens=2048)
    error = defect(capped, answered("half", "length", usage=Usage(output_tokens=output_tokens)))
    assert (
        str(error)
        == f"max_tokens=2048 cut the answer after {output_tokens} tokens; raise max_tokens for this"
        " step"
    )


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        (
            Usage(output_tokens=64, reasoning_untold=1, reasoning_estimated=60),
            " (about 60 of 64 tokens, as counted here)",
        ),
        (Usage(untold=1), " (about 2 tokens, as counted here)"),
        (Usage(input_tokens=3), ""),
    ],
)
def test_a_cap_inside_the_thinking_says_so_also_where_the_server_does_not_count_it(
    usage: Usage, share: str
) -> None:
    error = defect(PLAIN, answered("", "length", usage=usage, reasoning="Let me see"))
    assert str(error).startswith(
        f"the provider's default cap was used up by the reasoning{share} before the answer"
    )


def test_an_answer_that_was_cut_by_a_server_that_does_not_count_names_no_number() -> None:
    error = defect(PLAIN, answered("half", "length"))
    assert str(error) == "the provider's default cap cut the answer; raise max_tokens for this step"


def test_a_blank_answer_of_nothing_but_reasoning_says_so() -> None:
    answer = answered("", reasoning="A greeting.", usage=Usage(output_tokens=9, reasoning_tokens=9))
    error = defect(PLAIN, answer)
    assert isinstance(error, TransientError)
    assert str(error).startswith("the answer is blank: all there is is reasoning (9 of 9 tokens); ")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answered("", refusal="No,\n not that."), "the model refused: No, not that."),
        (answered("half an answer", refusal="No."), "the model refused: No."),
        (answered("", "", refusal="No."), "the model refused: No."),
        (answered("I will not.", "refusal"), "the model refused: I will not."),
        (answered("", "refusal"), "the model refused, without a word"),
        (answered("", refusal="n" * 400), f"the model refused: {'n' * 300}…"),
    ],
)
def test_a_refusal_is_permanent_and_says_its_words(answer: Completion, said: str) -> None:
    error = defect(PLAIN, answer)
    assert isinstance(error, PermanentError)
    assert (error.kind, str(error)) == ("refusal", said)


def test_a_filter_says_what_it_found() -> None:
    error = defect(PLAIN, answered("", "content_filter", refusal="violence: high"))
    assert isinstance(error, PermanentError)
    assert error.kind == "content_filter"
    assert "withheld the answer (violence: high)" in str(error)
