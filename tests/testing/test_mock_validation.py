"""What DeepSeek refuses, with its status and its exact words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.testing import FakeDeepSeek

USER = [{"role": "user", "content": "Say hello."}]
TOOL = {
    "type": "function",
    "function": {"name": "search", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
MODELS = "The supported API model names are deepseek-flash, deepseek-v4-pro, but you passed {}."
RANGE = "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"
UNTYPED = "Failed to deserialize the JSON body into the target type: "
BAD_CHOICE = "Thinking mode does not support this tool_choice"
NO_REASONING = "The reasoning_content in the thinking mode must be passed back to the API."
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
    " 'tool_call_id'. (insufficient tool messages following tool_calls message)"
)
OFF = {"type": "disabled"}
SAID = {"role": "assistant", "content": "Hi."}

REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("withdrawn reasoner", {"model": "deepseek-reasoner"}, 400, MODELS.format("deepseek-reasoner")),
    ("withdrawn chat", {"model": "deepseek-chat"}, 400, MODELS.format("deepseek-chat")),
    ("unknown model", {"model": "gpt-5"}, 400, MODELS.format("gpt-5")),
    ("max_tokens of 0", {"max_tokens": 0}, 400, RANGE),
    ("max_tokens too large", {"max_tokens": 393217}, 400, RANGE),
    ("several answers", {"n": 2}, 400, "Invalid n value (currently only n = 1 is supported)"),
    (
        "JSON mode without the word",
        {"response_format": {"type": "json_object"}},
        400,
        (
            "Prompt must contain the word 'json' in some form to use 'response_format' of type"
            " 'json_object'."
        ),
    ),
    (
        "JSON schema",
        {"response_format": {"type": "json_schema"}},
        400,
        "This response_format type is unavailable now",
    ),
    (
        "stream_options without stream",
        {"stream_options": {"include_usage": True}},
        400,
        "stream_options should be set along with stream = true",
    ),
    ("required tool when thinking", {"tools": [TOOL], "tool_choice": "required"}, 400, BAD_CHOICE),
    (
        "named tool when thinking",
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "search"}}},
        400,
        BAD_CHOICE,
    ),
    (
        "thinking as a boolean",
        {"thinking": False},
        422,
        UNTYPED + "thinking: invalid type: boolean `false`, expected struct ThinkingOptions",
    ),
    (
        "thinking as a string",
        {"thinking": "on"},
        422,
        UNTYPED + 'thinking: invalid type: string "on", expected struct ThinkingOptions',
    ),
    (
        "thinking of a kind unknown",
        {"thinking": {"type": "auto"}},
        422,
        UNTYPED + "thinking.type: unknown variant `auto`, expected `enabled` or `disabled`",
    ),
    (
        "reasoning left out beside tools",
        {"tools": [TOOL], "messages": [*USER, {"role": "assistant", "content": "Hi."}, *USER]},
        400,
        NO_REASONING,
    ),
    (
        "assistant content null",
        {"messages": [*USER, {"role": "assistant", "content": None}, *USER]},
        400,
        "Invalid assistant message: content or tool_calls must be set",
    ),
    (
        "a tool result that nobody asked for",
        {"messages": [*USER, {"role": "tool", "tool_call_id": "call_1", "content": "1"}]},
        400,
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
    ),
    (
        "a call left unanswered",
        {
            "thinking": OFF,
            "messages": [*USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}, *USER],
        },
        400,
        UNANSWERED,
    ),
    ("no messages", {"messages": []}, 400, "Empty input messages"),
    (
        "temperature too high",
        {"temperature": 2.1},
        400,
        "Invalid temperature value, the valid range of temperature is [0, 2.0]",
    ),
    ("top_p of 0", {"top_p": 0}, 400, "Invalid top_p value, the valid range of top_p is (0, 1.0]"),
    (
        "too many stops",
        {"stop": ["x"] * 17},
        400,
        "Invalid stop value, at most 16 stop sequences are supported",
    ),
    (
        "a long user_id",
        {"user_id": "u" * 513},
        400,
        "Invalid user_id value, the length must not exceed 512 bytes",
    ),
    (
        "max_tokens as text",
        {"max_tokens": "10"},
        422,
        UNTYPED + 'max_tokens: invalid type: string "10", expected u32',
    ),
    (
        "unknown effort",
        {"reasoning_effort": "huge"},
        422,
        UNTYPED + "reasoning_effort: unknown variant `huge`, expected one of "
        "`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`, `ultra`",
    ),
    (
        "unknown role",
        {"messages": [{"role": "robot", "content": ""}]},
        422,
        UNTYPED
        + "messages[0]: unknown variant `robot`, expected one of `system`, `user`, `assistant`,"
        " `tool`",
    ),
    ("no model", {"model": None}, 422, UNTYPED + "missing field `model`"),
    (
        "no content",
        {"messages": [{"role": "user"}]},
        422,
        UNTYPED + "messages[0]: missing field `content`",
    ),
    (
        "a prompt beyond the context",
        {"messages": [{"role": "user", "content": "x" * 5 * 1_048_576}]},
        400,
        (
            "This model's maximum context length is 1048576 tokens. However, you requested 1048580"
            " tokens (1048580 in the messages, 0 in the completion). Please reduce the length of"
            " the messages or completion."
        ),
    ),
]


@pytest.mark.parametrize(
    ("fields", "status", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_bad_request_is_refused_in_the_words_of_the_api(
    raw: Any, fields: Any, status: int, message: str
) -> None:
    body = {"model": "deepseek-flash", "messages": USER, **fields}
    heard = raw(FakeDeepSeek(), "POST", "/v1/chat/completions", json.dumps(body).encode())
    error = {
        "message": message,
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_request_error",
    }
    assert heard.status == status
    assert heard.json() == {"error": error}


UNTYPED_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "missing field `messages`"),
    ({"messages": ["hello"]}, 'messages[0]: invalid type: string "hello", expected struct Message'),
    ({"messages": [{"content": "a"}]}, "messages[0]: missing field `role`"),
    (
        {"messages": [{"role": "assistant", "content": 1}]},
        "messages[0]: invalid type: integer `1`, expected a string or a sequence",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0]: invalid content part",
    ),
    ({"messages": [{"role": "tool", "content": "1"}]}, "messages[0]: missing field `tool_call_id`"),
    ({"messages": [{**SAID, "tool_calls": [{}]}]}, "messages[0].tool_calls: invalid tool call"),
    ({"tools": [{}]}, "tools[0]: missing field `function`"),
    ({"tools": [TOOL], "tool_choice": {}}, "tool_choice: missing field `function`"),
    ({"temperature": [1.5]}, "temperature: invalid type: sequence, expected f32"),
    ({"max_tokens": 1.5}, "max_tokens: invalid type: floating point `1.5`, expected u32"),
    ({"stop": {"a": 1}}, "stop: invalid type: map, expected a string or a sequence of strings"),
]


@pytest.mark.parametrize(
    ("fields", "reason"), UNTYPED_ROWS, ids=[row[1][:40] for row in UNTYPED_ROWS]
)
def test_a_field_of_the_wrong_type_is_422(raw: Any, fields: Any, reason: str) -> None:
    body = {"model": "deepseek-flash", "messages": USER, **fields}
    heard = raw(FakeDeepSeek(), "POST", "/chat/completions", json.dumps(body).encode())
    assert heard.status == 422
    assert heard.json()["error"]["message"] == UNTYPED + reason


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    (
        "an empty reasoning beside tools",
        {"tools": [TOOL], "messages": [*USER, {**SAID, "reasoning_content": ""}, *USER]},
    ),
    (
        "a named tool without thinking",
        {"tools": [TOOL], "thinking": OFF, "tool_choice": "required"},
    ),
    ("a field that nobody knows", {"enable_thinking": False, "seed": 7}),
    ("deprecated penalties", {"presence_penalty": 1, "frequency_penalty": 1}),
    (
        "nulls for what is not set",
        {"max_tokens": None, "stop": None, "tools": None, "stream_options": None},
    ),
    ("the largest cap", {"max_tokens": 393216}),
    (
        "reasoning sent back without tools",
        {"messages": [*USER, {**SAID, "reasoning_content": "Hm."}, *USER]},
    ),
    (
        "content in parts",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello."}]}]},
    ),
]


@pytest.mark.parametrize("fields", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_what_the_api_tolerates_is_answered(raw: Any, fields: Any) -> None:
    body = {"model": "deepseek-flash", "messages": USER, **fields}
    assert raw(FakeDeepSeek(), "POST", "/chat/completions", json.dumps(body).encode()).status == 200


@pytest.mark.parametrize("asked", ["deepseek-v4-flash", "deepseek-v4-flash-vision-exp"])
def test_a_renamed_model_answers_under_its_new_name(ask: Any, asked: str) -> None:
    assert ask(FakeDeepSeek(), model=asked).json()["model"] == "deepseek-flash"


def test_a_key_that_is_not_known_is_refused_and_masked(raw: Any) -> None:
    heard = raw(FakeDeepSeek(keys={"sk-other"}), "POST", "/chat/completions", b"{}")
    assert heard.status == 401
    assert heard.json() == {
        "error": {
            "message": "Authentication Fails, Your api key: ****7890 is invalid",
            "type": "authentication_error",
            "param": None,
            "code": "invalid_request_error",
        }
    }


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"authorization": "Basic abc"}]
)
def test_a_request_without_a_key_is_refused(raw: Any, headers: dict[str, str]) -> None:
    assert raw(FakeDeepSeek(), "GET", "/models", headers=headers).status == 401


@pytest.mark.parametrize("prefix", ["", "/v1", "/beta"])
def test_models_and_balance_are_listed_under_each_base_url(raw: Any, prefix: str) -> None:
    models = raw(FakeDeepSeek(), "GET", f"{prefix}/models").json()["data"]
    balance = raw(FakeDeepSeek(balance_usd=12.5), "GET", f"{prefix}/user/balance").json()
    assert [model["id"] for model in models] == ["deepseek-flash", "deepseek-v4-pro"]
    assert models[0]["max_output_tokens"] == 393216
    assert balance["is_available"] is True
    assert balance["balance_infos"][0]["total_balance"] == "12.50"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/embeddings", 404), ("POST", "/v1/batches", 404), ("GET", "/chat/completions", 405)],
)
def test_other_routes_are_refused(raw: Any, method: str, path: str, status: int) -> None:
    assert raw(FakeDeepSeek(), method, path, b"{}").status == status


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b"[]", 422)]
)
def test_a_body_that_is_no_object_is_refused(raw: Any, body: bytes, status: int) -> None:
    assert raw(FakeDeepSeek(), "POST", "/chat/completions", body).status == status


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(["user", "assistant", "tool", "text", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "function", "name", "tool_calls", "id"]),
            inner,
        )
    ),
    max_leaves=8,
)
FIELDS = [
    "messages",
    "thinking",
    "tools",
    "tool_choice",
    "response_format",
    "stop",
    "stream_options",
    "max_tokens",
]


MOSTLY_VALID = {
    "thinking": st.just(OFF),
    "tools": (
        st.just([TOOL])
        | st.lists(
            st.fixed_dictionaries({"type": st.just("function"), "function": JSON}), max_size=2
        )
    ),
    "tool_choice": (
        st.sampled_from(["auto", "required", "none"]) | st.fixed_dictionaries({"function": JSON})
    ),
    "response_format": st.just({"type": "json_object"}),
}


@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON)
    | st.fixed_dictionaries({}, optional=MOSTLY_VALID),
    turn=JSON
    | st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": JSON, "tool_calls": JSON}
    ),
)
def test_any_json_is_either_refused_or_answered(fields: dict[str, Any], turn: Any) -> None:
    body = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": "json"}, turn],
        **fields,
    }
    encoded = json.dumps(body).encode()
    exchange = FakeDeepSeek().begin(
        "POST", "/chat/completions", {"authorization": "Bearer k"}, encoded, now_s=0.0
    )
    assert exchange.reply.status in (200, 400, 422)


def test_text_completion_is_known_on_the_beta_url_only(raw: Any) -> None:
    heard = raw(FakeDeepSeek(), "POST", "/v1/completions", b"{}")
    assert heard.status == 400
    assert (
        heard.json()["error"]["message"]
        == "completions api is only available when using beta api (set"
        ' base_url="https://api.deepseek.com/beta")'
    )
