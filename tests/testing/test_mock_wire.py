"""Plain responses, streams and usage, key for key."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.testing import FakeDeepSeek, Latency
from harness.testing.deepseek.tokens import count_tokens, encoded, first_tokens, split_tokens

OFF = {"type": "disabled"}
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        },
    },
}


def test_a_plain_response_has_the_keys_of_the_api_in_their_order(ask: Any) -> None:
    heard = ask(FakeDeepSeek())
    body = heard.json()
    assert list(body) == [
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "system_fingerprint",
    ]
    assert list(body["choices"][0]) == ["index", "message", "logprobs", "finish_reason"]
    assert list(body["choices"][0]["message"]) == ["role", "content", "reasoning_content"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["id"])
    assert re.fullmatch(r"[0-9a-f]{32}", body["system_fingerprint"])


def test_headers_carry_a_trace_and_no_request_id(ask: Any) -> None:
    headers = ask(FakeDeepSeek()).headers
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-ds-trace-id"])
    assert headers["server"] == "openresty"
    assert "x-request-id" not in headers


def test_without_thinking_there_is_no_reasoning_and_no_count_of_it(ask: Any) -> None:
    body = ask(FakeDeepSeek(), thinking=OFF).json()
    assert list(body["choices"][0]["message"]) == ["role", "content"]
    assert "completion_tokens_details" not in body["usage"]


def test_effort_none_turns_thinking_off(ask: Any) -> None:
    assert (
        "reasoning_content"
        not in ask(FakeDeepSeek(), reasoning_effort="none").json()["choices"][0]["message"]
    )


def test_a_stream_comes_in_the_order_of_the_api(ask: Any) -> None:
    fake = FakeDeepSeek()
    heard = ask(fake, stream=True)
    deltas = [event["choices"][0]["delta"] for event in heard.events]
    reasoning = [delta for delta in deltas[1:-1] if delta["reasoning_content"] is not None]
    content = [delta for delta in deltas[1:-1] if delta["content"] is not None]
    plain = ask(fake).json()["choices"][0]["message"]
    assert deltas[0] == {"role": "assistant", "content": None, "reasoning_content": ""}
    assert deltas[1:-1] == reasoning + content
    assert "".join(delta["reasoning_content"] for delta in reasoning) == plain["reasoning_content"]
    assert "".join(delta["content"] for delta in content) == plain["content"]
    assert deltas[-1] == {"content": "", "reasoning_content": None}
    assert heard.data.endswith(b"\n\ndata: [DONE]\n\n")


def test_a_stream_without_thinking_never_names_reasoning(ask: Any) -> None:
    events = ask(FakeDeepSeek(), stream=True, thinking=OFF).events
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all("reasoning_content" not in event["choices"][0]["delta"] for event in events)


def test_a_delta_is_one_token_unless_told_otherwise(ask: Any) -> None:
    ones, eights = (
        ask(FakeDeepSeek(), stream=True).events,
        ask(FakeDeepSeek(delta_tokens=8), stream=True).events,
    )
    tokens = ones[-1]["usage"]["completion_tokens"]
    assert len(ones) == tokens + 2
    assert tokens / 8 <= len(eights) - 2 <= tokens / 8 + 2


def test_usage_rides_on_the_last_chunk_asked_for_or_not(ask: Any) -> None:
    fake = FakeDeepSeek()
    silent = ask(fake, stream=True).events
    asked = ask(fake, stream=True, stream_options={"include_usage": True}).events
    assert all("usage" not in event for event in silent[:-1])
    assert all(event["usage"] is None for event in asked[:-1])
    for last in (silent[-1], asked[-1]):
        assert last["choices"][0]["finish_reason"] == "stop"
        assert last["usage"]["total_tokens"] > 0


def test_the_openai_dialect_sends_usage_in_a_chunk_of_its_own_and_no_reasoning(ask: Any) -> None:
    fake = FakeDeepSeek(dialect="openai")
    events = ask(fake, model="llama", stream=True, stream_options={"include_usage": True}).events
    silent = ask(fake, model="llama", stream=True).events
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert all("usage" not in event for event in silent)
    assert all("reasoning_content" not in event["choices"][0]["delta"] for event in silent)


def test_tool_arguments_arrive_in_fragments_that_join_to_json(ask: Any) -> None:
    events = ask(FakeDeepSeek(), tools=[TOOL], stream=True).events
    calls = [
        call for event in events for call in event["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert calls[0]["function"] == {"name": "search", "arguments": ""}
    assert calls[0]["id"].startswith("call_00_")
    assert all(list(call) == ["index", "function"] for call in calls[1:])
    arguments = json.loads("".join(call["function"]["arguments"] for call in calls))
    assert list(arguments) == ["query", "limit"]
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_after_a_tool_has_answered_the_model_speaks(ask: Any) -> None:
    fake = FakeDeepSeek()
    call = ask(fake, tools=[TOOL]).json()["choices"][0]["message"]
    messages = [
        {"role": "user", "content": "What is entanglement?"},
        {**call, "content": ""},
        {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "42 papers"},
    ]
    assert "42 papers" in ask(fake, messages, tools=[TOOL]).content


@pytest.mark.parametrize("cap", [1, 20, 64])
def test_reasoning_counts_inside_the_cap_and_leaves_no_content(ask: Any, cap: int) -> None:
    body = ask(FakeDeepSeek(), max_tokens=cap).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == ""
    assert body["usage"]["completion_tokens"] == cap
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == cap


def test_a_stop_sequence_ends_the_content(ask: Any) -> None:
    fake = FakeDeepSeek()
    whole = ask(fake).content
    assert ask(fake, stop=["comes down"]).content == whole[: whole.index("comes down")]


def test_json_mode_answers_with_the_keys_that_the_prompt_names(ask: Any) -> None:
    content = ask(
        FakeDeepSeek(),
        'Reply in JSON: {"title": "...", "year": 1}',
        response_format={"type": "json_object"},
    )
    assert list(json.loads(content.content)) == ["title", "year"]


PROMPTS = st.text(max_size=300) | st.sampled_from(
    ["量子纠缠是什么？", "Explain tides.", "\ud800 alone"]
)


@settings(max_examples=60, deadline=None)
@given(
    prompt=PROMPTS,
    cap=st.none() | st.integers(1, 900),
    stream=st.booleans(),
    thinking=st.booleans(),
)
def test_the_identities_of_usage_always_hold(
    ask: Any, prompt: str, cap: int | None, stream: bool, thinking: bool
) -> None:
    fake = FakeDeepSeek(delta_tokens=5)
    kind = {"type": "enabled" if thinking else "disabled"}
    for _ in range(2):
        heard = ask(fake, prompt, max_tokens=cap, stream=stream, thinking=kind)
        usage = (heard.events[-1] if stream else heard.json())["usage"]
        assert (
            usage["prompt_tokens"]
            == usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"]
        )
        assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_cache_hit_tokens"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["completion_tokens"] <= (cap or 65536)
        reasoning = usage.get("completion_tokens_details", {"reasoning_tokens": 0})[
            "reasoning_tokens"
        ]
        assert (reasoning > 0) == thinking
        assert reasoning <= usage["completion_tokens"]


@given(text=st.text(), size=st.integers(1, 7))
def test_pieces_of_a_text_join_to_it_and_count_as_many_tokens(text: str, size: int) -> None:
    pieces = split_tokens(text, size)
    assert "".join(pieces) == text
    assert len(pieces) == -(-count_tokens(encoded(text)) // size)
    assert all(pieces)


@given(text=st.text(), limit=st.integers(0, 40))
def test_a_beginning_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    beginning = first_tokens(text, limit)
    assert text.startswith(beginning)
    assert count_tokens(encoded(beginning)) <= limit


def test_splintered_bytes_are_the_same_bytes(raw: Any) -> None:
    body = json.dumps(
        {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": "量子"}],
            "stream": True,
        }
    )
    heads = {"authorization": "Bearer k"}
    whole, cut = (
        list(
            FakeDeepSeek(splinter=splinter)
            .begin("POST", "/chat/completions", heads, body.encode(), now_s=0.0)
            .reply.pieces
        )
        for splinter in (False, True)
    )
    assert b"".join(piece.data for piece in whole) == b"".join(piece.data for piece in cut)
    assert len(whole) == 1
    assert any(piece.data[0] & 0xC0 == 0x80 for piece in cut), "no piece begins inside a character"


@pytest.mark.parametrize("question", ["What is entanglement?", "什么是量子纠缠？"])
@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_takes_the_time_that_its_tokens_take(ask: Any, question: str, size: int) -> None:
    fake = FakeDeepSeek(latency=Latency.parse("per-token:2:0.25"), delta_tokens=size)
    streamed, plain = ask(fake, question, stream=True), ask(fake, question)
    tokens = plain.json()["usage"]["completion_tokens"]
    assert plain.duration_s == pytest.approx(2 + 0.25 * (tokens - 1))
    assert streamed.duration_s == pytest.approx(plain.duration_s)
