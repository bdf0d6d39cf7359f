"""Each field of a form, and each field of a request, in the body that is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.domain.completion import JsonSchema, Message, Request, Tool, ToolCall
from harness.domain.image import Image
from harness.domain.key import cache_key, canonical_request
from harness.domain.request_form import (
    DEEPSEEK_FORM,
    OPENAI_FORM,
    ReasoningBack,
    RequestForm,
    Switch,
)
from harness.endpoint.request_body import request_body
from harness.records.request_codec import request_from_canonical

REQUEST = Request(
    endpoint="http://h/v1", model="m", messages=(Message(role="user", content="Why?"),)
)
CITY = JsonSchema(name="city", schema={"type": "object"})
TURNS = (
    Message(role="user", content="Weather?"),
    Message(
        role="assistant",
        reasoning="Look.",
        tool_calls=(ToolCall(id="a", name="f", arguments="{}"),),
    ),
    Message(role="tool", content="sunny", tool_call_id="a"),
    Message(role="assistant", content="Sunny."),
    Message(role="user", content="And tomorrow?"),
)
WITH_TOOLS = replace(REQUEST, messages=TURNS, tools=(Tool(name="f"),))


def body(request: Request, form: RequestForm = OPENAI_FORM, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        request_body(request, **{"stream": False, "form": form, **more})
    )
    return found


def beyond(request: Request, form: RequestForm = OPENAI_FORM) -> dict[str, Any]:
    """What is sent beside the model, the messages and whether to stream."""
    return {
        name: value
        for name, value in body(request, form).items()
        if name not in ("model", "messages", "stream")
    }


@pytest.mark.parametrize(
    ("switch", "on", "off"),
    [
        ("thinking", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        ("enable_thinking", {"enable_thinking": True}, {"enable_thinking": False}),
        ("reasoning", {"reasoning": {"enabled": True}}, {"reasoning": {"enabled": False}}),
        (
            "chat_template_kwargs",
            {"chat_template_kwargs": {"enable_thinking": True}},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            "chat_template_kwargs.thinking",
            {"chat_template_kwargs": {"thinking": True}},
            {"chat_template_kwargs": {"thinking": False}},
        ),
        ("reasoning_effort", {"reasoning_effort": "default"}, {"reasoning_effort": "none"}),
        ("none", {}, {}),
        (None, {}, {}),
    ],
)
def test_thinking_is_switched_by_the_field_of_the_form(
    switch: Switch | None, on: Any, off: Any
) -> None:
    form = RequestForm(thinking=switch, efforts={"on": "default", "none": "none"})
    assert beyond(replace(REQUEST, thinking=True), form) == on
    assert beyond(replace(REQUEST, thinking=False), form) == off
    assert beyond(REQUEST, form) == {}


def test_an_effort_is_said_in_the_words_of_the_form() -> None:
    form = RequestForm(thinking="enable_thinking", efforts={"high": "strong"})
    assert beyond(replace(REQUEST, effort="high"), form) == {"reasoning_effort": "strong"}
    assert beyond(replace(REQUEST, effort="none"), form) == {"enable_thinking": False}
    assert beyond(replace(REQUEST, effort="max"), form) == {}
    switched_by_it = RequestForm(thinking="reasoning_effort", efforts={"high": "strong"})
    assert beyond(replace(REQUEST, thinking=True, effort="high"), switched_by_it) == {
        "reasoning_effort": "strong"
    }
    assert beyond(replace(REQUEST, thinking=False, effort="high"), switched_by_it) == {}


def test_fields_of_sampling_are_sent_under_the_names_of_the_form() -> None:
    request = replace(
        REQUEST,
        max_tokens=5,
        seed=7,
        presence_penalty=0.5,
        frequency_penalty=-1.0,
        logprobs=3,
        service_tier="flex",
    )
    assert beyond(request, RequestForm(cap="max_completion_tokens", seed="random_seed")) == {
        "max_completion_tokens": 5,
        "random_seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": -1.0,
        "logprobs": True,
        "top_logprobs": 3,
        "service_tier": "flex",
    }
    assert beyond(replace(REQUEST, logprobs=0, seed=0)) == {"logprobs": True, "seed": 0}


@pytest.mark.parametrize(
    ("structured", "sent", "in_words"),
    [
        (None, "json_schema", False),
        ("json_schema", "json_schema", False),
        ("json_object", "json_object", True),
        ("text", None, True),
    ],
)
def test_a_schema_is_sent_or_put_into_words(
    structured: Any, sent: str | None, in_words: bool
) -> None:
    for messages in (
        REQUEST.messages,
        (Message(role="system", content="Be brief."), *REQUEST.messages),
        (),
    ):
        found = body(
            replace(REQUEST, messages=messages, response_format=CITY),
            RequestForm(structured=structured),
        )
        assert found.get("response_format", {}).get("type") == sent
        texts = [message["content"] for message in found["messages"]]
        assert any('{"type":"object"}' in text and "JSON" in text for text in texts) == in_words
        assert sum(message["role"] == "system" for message in found["messages"]) <= 1


def test_json_mode_is_not_asked_for_where_there_is_none() -> None:
    request = replace(REQUEST, response_format="json_object")
    assert beyond(request, RequestForm(structured="text")) == {}
    assert beyond(request, RequestForm(structured="json_schema")) == {
        "response_format": {"type": "json_object"}
    }


@pytest.mark.parametrize(
    ("name", "expected"), [("reasoning_content", "Look."), ("reasoning", "Look."), ("none", None)]
)
def test_reasoning_goes_back_with_tools_under_the_name_of_the_form(
    name: ReasoningBack, expected: str | None
) -> None:
    messages = body(WITH_TOOLS, RequestForm(reasoning_back=name))["messages"]
    assert messages[1].get(name) == expected
    assert set(messages[3]) == {
        "role",
        "content",
    }  # it had none, and only DeepSeek wants an empty one


def test_deepseek_behind_another_address_gets_every_reasoning_back() -> None:
    messages = body(WITH_TOOLS, DEEPSEEK_FORM)["messages"]
    assert [messages[1]["reasoning_content"], messages[3]["reasoning_content"]] == ["Look.", ""]
    assert (
        "reasoning_content" not in body(replace(WITH_TOOLS, tools=()), DEEPSEEK_FORM)["messages"][1]
    )


def test_stream_options_are_asked_for_unless_the_form_or_a_refusal_says_no() -> None:
    assert body(REQUEST, stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(REQUEST, RequestForm(stream_options=False), stream=True)
    assert "stream_options" not in body(
        REQUEST, stream=True, leave_out=frozenset({"stream_options", "unheard"})
    )


def test_fields_of_the_users_own_are_added_and_rule() -> None:
    request = replace(
        REQUEST,
        temperature=0.5,
        thinking=True,
        extra_body={"top_k": 4, "temperature": 1, "chat_template_kwargs": {"x": 1}},
    )
    assert beyond(request, RequestForm(thinking="chat_template_kwargs")) == {
        "temperature": 1,
        "top_k": 4,
        "chat_template_kwargs": {"enable_thinking": True, "x": 1},
    }


def test_an_image_stands_after_the_text_of_its_turn_and_may_stand_alone() -> None:
    image = Image(url="https://h/a.png")
    part = {"type": "image_url", "image_url": {"url": "https://h/a.png"}}
    for text, parts in (("What?", [{"type": "text", "text": "What?"}, part]), ("", [part])):
        request = replace(REQUEST, messages=(Message(role="user", content=text, images=(image,)),))
        assert body(request)["messages"] == [{"role": "user", "content": parts}]


def test_each_new_field_is_in_the_key_and_comes_back_from_its_text() -> None:
    plain = cache_key(REQUEST)
    changes: list[dict[str, Any]] = [
        {"seed": 0},
        {"logprobs": 0},
        {"service_tier": "flex"},
        {"presence_penalty": 1.0},
        {"frequency_penalty": 0.0},
        {"extra_body": {"top_k": 4}},
        {"form": {"cap": "max_tokens"}},
        {"response_format": CITY},
        {"messages": (replace(REQUEST.messages[0], images=(Image(url="https://h/a.png"),)),)},
        {
            "messages": (
                replace(REQUEST.messages[0], images=(Image(sha256="ab", media_type="image/png"),)),
            )
        },
    ]
    keys = set()
    for change in changes:
        request = replace(REQUEST, **change)
        keys.add(cache_key(request))
        assert request_from_canonical(canonical_request(request)) == request
    assert len(keys | {plain}) == len(changes) + 1
