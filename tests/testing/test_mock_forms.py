"""The forms of other servers, played by the mock: the envelope changes, and what was asked for does
not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request, Tool
from harness.domain.endpoint import base_url_endpoint
from harness.domain.failures import CompletionError
from harness.domain.policy import Timeouts
from harness.domain.secret import Secret
from harness.domain.validity import defect
from harness.endpoint.openai_chat import OpenAIChat
from harness.errors import SettingsError
from harness.machine.wall_clock import SystemClock
from harness.testing import FakeDeepSeek, FakeTransport, Fault, FaultPlan, Latency, MockDeepSeek
from harness.testing.deepseek.filling import ANSWERS
from harness.testing.deepseek.forms import Form, Manner, all_forms, form_names
from harness.testing.deepseek.meanings import MEANINGS

URL = "http://127.0.0.1:1/v1"
MODEL = "deepseek-flash"
LOOK = Tool(
    name="search_pages",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "most": {"type": "integer", "minimum": 3, "maximum": 3},
        },
        "required": ["query", "most"],
    },
)

BODIES = [(form, manner) for form in all_forms() for manner in form.bodies]
ERRORS = [(form, manner) for form, manner in BODIES if form.told[manner]["error"]]
CALLS = [(form, manner) for form, manner in BODIES if form.told[manner]["calls"]]
TEXTS = [(form, manner) for form, manner in BODIES if form.told[manner]["content"] in ANSWERS]


def named(cases: list[tuple[Form, Manner]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("form", "manner"), cases, ids=[f"{form}-{manner}" for form, manner in cases]
    )


async def told_of(
    plan: FaultPlan, manner: Manner, *, tools: tuple[Tool, ...] = (), seed: int = 0
) -> Completion:
    """What our client tells of one answer of a mock with this plan."""
    http_client = httpx2.AsyncClient(transport=FakeTransport(FakeDeepSeek(seed, faults=plan)))
    question = Message(role="user", content="How do tidal barrages change an estuary?")
    request = Request(endpoint="e", model=MODEL, messages=(question,), tools=tools)
    call = Call(run_id="r", topic_id="t", span_id="s", stream=manner == "stream")
    endpoint = base_url_endpoint(URL, api_key=Secret("sk-any"))
    async with http_client:
        chat = OpenAIChat(
            endpoint, timeouts=Timeouts(), http_client=http_client, wall_clock=SystemClock()
        )
        answer = (await chat.complete(request, call)).as_told
    if (wrong := defect(request, answer)) is not None:
        raise wrong
    return answer


@pytest.mark.harness_virtual_time
@named(TEXTS)
async def test_a_form_with_an_answer_holds_the_mocks_own(form: Form, manner: Manner) -> None:
    plain = await told_of(FaultPlan(), manner)
    played = await told_of(FaultPlan.always(form), manner)
    told = form.told[manner]
    assert (played.content, played.model) == (plain.content, MODEL)
    assert played.finish_reason == told["finish"]
    if told["reasoning"] == "Let me see.":
        assert played.reasoning == plain.reasoning
    if told["usage"] == {"input": 20, "output": 10} and "timings" not in form.bodies[manner]:
        assert played.usage.input_tokens in (plain.usage.input_tokens, 20)
        assert played.usage.output_tokens == plain.usage.output_tokens


@pytest.mark.harness_virtual_time
@named(CALLS)
async def test_a_form_with_a_call_holds_the_mocks_own(form: Form, manner: Manner) -> None:
    plain = await told_of(FaultPlan(), manner, tools=(LOOK,))
    played = await told_of(FaultPlan.always(form), manner, tools=(LOOK,))
    assert [call.id for call in played.tool_calls] == [
        call["id"] for call in form.told[manner]["calls"]
    ]
    for call in played.tool_calls:
        assert (call.name, json.loads(call.arguments)) == (
            "search_pages",
            json.loads(plain.tool_calls[0].arguments),
        )


@pytest.mark.harness_virtual_time
@named(CALLS)
async def test_a_form_with_a_call_is_not_played_where_no_tool_was_offered(
    form: Form, manner: Manner
) -> None:
    assert await told_of(FaultPlan.always(form), manner) == await told_of(FaultPlan(), manner)


@pytest.mark.harness_virtual_time
@named(ERRORS)
async def test_a_form_that_is_an_error_is_that_error(form: Form, manner: Manner) -> None:
    with pytest.raises(CompletionError) as failed:
        await told_of(FaultPlan.always(form), manner)
    assert failed.value.kind == form.told[manner]["error"]


@pytest.mark.harness_virtual_time
async def test_an_answer_of_text_is_no_form_for_a_call() -> None:
    [usage] = [form for form in all_forms() if form.name == "usage-floats"]
    played = await told_of(FaultPlan.always(usage), "stream", tools=(LOOK,))
    assert [call.name for call in played.tool_calls] == ["search_pages"]


@pytest.mark.harness_virtual_time
async def test_the_same_seed_sends_the_same_bytes_and_another_seed_another_answer() -> None:
    plan = FaultPlan.parse("think-tags=0.5,parts-mistral=0.5")
    one, same, other = [await told_of(plan, "stream", seed=seed) for seed in (3, 3, 4)]
    assert one == same
    assert one.content != other.content


def test_a_name_without_a_share_is_every_answer_and_with_one_that_share_of_them(ask: Any) -> None:
    def played(what: str) -> int:
        fake = FakeDeepSeek(faults=FaultPlan.parse(what))
        for number in range(200):
            ask(fake, f"Question {number}: why?")
        return sum(isinstance(logged.fault, Form) for logged in fake.log)

    assert played("usage-floats") == 200
    assert 70 < played("usage-floats=0.5") < 130
    assert played("none") == 0


def test_a_bare_fault_is_every_answer_too_also_where_its_name_is_a_number(ask: Any) -> None:
    fake = FakeDeepSeek(faults=FaultPlan.parse("503"))
    assert [ask(fake).status for _ in range(4)] == [503] * 4


def test_a_form_takes_the_time_of_the_answer_that_it_holds(ask: Any) -> None:
    slow = Latency.parse("fixed:10")
    for stream in (True, False):
        fake = FakeDeepSeek(latency=slow, faults=FaultPlan.parse("usage-floats"))
        assert ask(fake, stream=stream).duration_s == pytest.approx(10)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("think-tag", "unknown fault 'think-tag'; did you mean 'think-tags'?"),
        ("xyzzy=0.1", "unknown fault 'xyzzy'; `harness mock forms` lists all"),
        (
            "think-tags,reset=0.1",
            "without a share 'think-tags' is every answer: give it one, as in think-tags=0.5",
        ),
        ("think-tags=2", "'2' is not between 0 and 1"),
        ("nowhere/mine.toml", "nowhere/mine.toml: No such file"),
    ],
)
def test_what_cannot_be_played_is_explained(what: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        FaultPlan.parse(what)
    assert said in str(refused.value)


def test_a_file_of_ones_own_is_played_as_it_stands(ask: Any, tmp_path: Path) -> None:
    mine = tmp_path / "a=b.toml"
    mine.write_text(
        'whole = \'{"choices":[{"message":{"content":"As it stands."}}]}\'\nstatus = 203\n'
    )
    heard = ask(FakeDeepSeek(faults=FaultPlan.parse(str(mine))))
    assert (heard.status, heard.content) == (203, "As it stands.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about = 'x'", "a form needs `stream` or `whole`"),
        ("hole = ''", "a form has no `hole`; did you mean `whole`?"),
        ("whole = 7", "`whole` must be of TOML's type string"),
        ("whole = ''\nstatus = 700", "`status` must be an HTTP status"),
        ("whole = ''\nkind = 'odd'", "`kind` must be one of: as it should be"),
        ("whole = ''\n[headers]\nx = 1", "each of [headers] must be a string"),
        ("whole = ''\n[tells]\nfinsh = 'stop'", "[tells] has no finsh"),
        ("whole = '", "a form is a file of TOML"),
    ],
)
def test_a_file_that_is_no_form_is_explained(tmp_path: Path, text: str, said: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(text)
    with pytest.raises(SettingsError) as refused:
        FaultPlan.parse(str(mine))
    assert f"{mine}: {said}" in str(refused.value)


def test_a_script_plays_a_form_by_its_name(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.fail("refusal")
    with httpx2.Client(headers={"Authorization": "Bearer sk-any"}) as client:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Why?"}]}
        answer = client.post("https://api.deepseek.com/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["refusal"]


def test_no_name_is_both_a_fault_and_a_form_and_each_fault_has_a_meaning() -> None:
    assert not set(form_names()) & {fault.value for fault in Fault}
    assert set(MEANINGS) == set(Fault)
