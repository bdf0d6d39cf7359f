"""Every form that the package knows, through a real socket: as a stream, watched and not, and as a
whole answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wire_forms import table_of
from wire_speaker import response, speaking

from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Message, OnDelta, Request, Tool, Usage
from harness.domain.failures import CompletionError
from harness.domain.finish import doubt_of
from harness.domain.logprobs import TokenLogprob
from harness.domain.reach import Seen, reach_of
from harness.domain.validity import defect
from harness.testing.deepseek.forms import FORMS, Form, Manner, all_forms

CASES = [
    (form, manner, watched)
    for form in all_forms()
    for manner in form.bodies
    for watched in (False, True)
]
CASES = [
    (form, manner, watched) for form, manner, watched in CASES if manner == "stream" or not watched
]
TYPES = {"stream": "text/event-stream", "whole": "application/json"}


@pytest.mark.parametrize(
    ("form", "manner", "watched"),
    CASES,
    ids=[f"{form.name}-{manner}{'-watched' if watched else ''}" for form, manner, watched in CASES],
)
async def test_a_form_is_read(form: Form, manner: Manner, watched: bool) -> None:
    shown: list[Delta] = []
    outcome = await asked(form, manner, shown.append if watched else None)
    told = form.told[manner]
    if isinstance(outcome, CompletionError):
        assert what_failed(outcome, told) == {
            name: told[name] for name in ("error", "reach", "wait_s")
        }, str(outcome)
        assert told["words"] in str(outcome)
        return
    assert what_came(outcome, told) == {
        **{
            name: told[name]
            for name in ("content", "reasoning", "finish", "doubt", "estimated", "cost", "trace")
        },
        "calls": [dict(call) for call in told["calls"]],
        "likely": list(told["likely"]),
        "likely_reasoning": list(told["likely_reasoning"]),
        "usage": told["usage"]
        and {"input": 0, "output": 0, "reasoning": 0, "cached": 0, **told["usage"]},
        "model": told["model"],
        "error": told["error"],
    }
    if watched:
        assert seen_last(shown, "answer") == outcome.content
        assert seen_last(shown, "reasoning").strip() == outcome.reasoning.strip()


async def asked(
    form: Form, manner: Manner, on_delta: OnDelta | None
) -> Completion | CompletionError:
    """What a call comes to, the gate included."""
    headers = {"Content-Type": TYPES[manner], **form.headers}

    async def reply(_: int) -> list[bytes]:
        return [response(form.bodies[manner].encode(), status=form.status, headers=headers)]

    tools = tuple(Tool(name=name) for name in form.offers)
    logprobs = 2 if form.told[manner]["likely"] else None
    messages = (Message(role="user", content="Why?"),)
    request = Request(endpoint="e", model="m", messages=messages, tools=tools, logprobs=logprobs)
    call = Call(run_id="r", topic_id="t", span_id="s", stream=manner == "stream", on_delta=on_delta)
    async with speaking(reply) as (_, chat):
        try:
            completion = (await chat.complete(request, call)).as_told
        except CompletionError as error:
            return error
    return defect(request, completion) or completion


def what_failed(error: CompletionError, told: Any) -> dict[str, Any]:
    reach = reach_of(error, Seen())
    return {
        "error": error.kind,
        "reach": reach if told["reach"] is not None else None,
        "wait_s": error.retry_after_s if told["wait_s"] is not None else None,
    }


def what_came(answer: Completion, told: Any) -> dict[str, Any]:
    return {
        "content": answer.content,
        "reasoning": answer.reasoning,
        "calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.tool_calls
        ],
        "likely": [listed(token) for token in answer.logprobs],
        "likely_reasoning": [listed(token) for token in answer.reasoning_logprobs],
        "finish": answer.finish_reason,
        "doubt": doubt_of(answer.finish_reason) is not None,
        "usage": None if answer.usage.untold else counts(answer.usage),
        "estimated": answer.usage.reasoning_untold == 1 and answer.usage.reasoning_estimated > 0,
        "cost": answer.cost,
        "trace": answer.trace_id,
        "model": answer.model if told["model"] is not None else None,
        "error": None,
    }


def listed(token: TokenLogprob) -> list[Any]:
    return [token.token, token.logprob, [list(other) for other in token.top]]


def counts(usage: Usage) -> dict[str, int]:
    return {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
        "cached": usage.cached_tokens,
    }


def seen_last(shown: list[Delta], kind: str) -> str:
    """What a watcher has before them of this kind at the end."""
    starts = [place for place, delta in enumerate(shown) if delta.kind == "restart"]
    return "".join(
        delta.text for delta in shown[starts[-1] if starts else 0 :] if delta.kind == kind
    )


def test_there_are_forms_enough_of_each_kind() -> None:
    forms = list(all_forms())
    assert len(forms) >= 120
    assert {form.name for form in forms} == {path.stem for path in FORMS.iterdir()}


@pytest.mark.parametrize("form", all_forms(), ids=str)
def test_a_form_says_whose_it_is_what_is_odd_and_what_must_be_told(form: Form) -> None:
    assert all([form.server, form.kind, form.about, form.source, form.told])


BESIDE = Path(__file__).parent / "forms"


@pytest.mark.skipif(not BESIDE.exists(), reason="a source distribution has the files once")
def test_the_forms_are_also_found_beside_their_test() -> None:
    assert BESIDE.resolve() == FORMS.resolve()


def test_the_page_about_servers_has_the_table_of_the_forms() -> None:
    page = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")
    assert table_of(all_forms()) in page, "write it with: python tests/wire/write_table.py"
