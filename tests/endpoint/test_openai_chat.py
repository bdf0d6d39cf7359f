from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from _chat import (
    DONE,
    ENDPOINT,
    REQUEST,
    USAGE,
    WHOLE_STREAM,
    Server,
    chunk,
    event,
    plain,
    streaming,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.domain.completion import Delta, Message, Request, Tool, ToolCall, Usage
from harness.domain.endpoint import base_url_endpoint, profile_endpoint
from harness.domain.logprobs import TokenLogprob
from harness.domain.profiles import PROFILES
from harness.testing.virtual_time import run_virtual


def sent(server: Server) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(server.seen[0].content)
    return body


async def test_a_stream_becomes_one_completion() -> None:
    server = streaming(*WHOLE_STREAM, **{"x-ds-trace-id": "7f"})
    answer = await server.answer()
    assert answer.content == "Because of Rayleigh – 瑞利 🌈."
    assert answer.reasoning == "Light scatters."
    assert answer.finish_reason == "stop"
    assert answer.usage == Usage(
        input_tokens=10, output_tokens=7, reasoning_tokens=5, cached_tokens=4
    )
    assert (answer.model, answer.fingerprint, answer.trace_id) == ("deepseek-flash", "fp", "7f")
    assert (answer.cost, answer.owner) == (None, "")
    assert server.closed >= 1


async def test_a_plain_response_becomes_the_same_completion() -> None:
    answer = await Server([b"\n\n", plain()], headers={"x-request-id": "r1"}).answer(stream=False)
    assert (answer.content, answer.reasoning, answer.finish_reason) == ("Because.", "Hm.", "stop")
    assert answer.usage == Usage(
        input_tokens=10, output_tokens=7, reasoning_tokens=5, cached_tokens=4
    )
    assert (answer.model, answer.fingerprint, answer.trace_id) == ("deepseek-flash", "fp", "r1")
    assert (answer.served.ttft_reasoning_s, answer.served.ttft_answer_s) == (None, None)


@given(st.sets(st.integers(0, len(b"".join(WHOLE_STREAM))), max_size=12), st.booleans())
def test_however_a_stream_is_cut_the_completion_is_the_same(cuts: set[int], watched: bool) -> None:
    whole = b"".join(WHOLE_STREAM)
    edges = sorted({0, len(whole), *cuts})
    pieces = [whole[start:end] for start, end in itertools.pairwise(edges)]
    seen: list[Delta] = []
    answer = run_virtual(
        lambda: streaming(*pieces).answer(on_delta=seen.append if watched else None)
    )
    assert (answer.reasoning, answer.content) == (
        "Light scatters.",
        "Because of Rayleigh – 瑞利 🌈.",
    )
    if watched:
        assert "".join(delta.text for delta in seen if delta.kind == "answer") == answer.content


async def test_whoever_watches_sees_each_piece_in_order() -> None:
    seen: list[Delta] = []
    await streaming(*WHOLE_STREAM).answer(on_delta=seen.append)
    assert seen == [
        Delta(kind="reasoning", text="Light "),
        Delta(kind="reasoning", text="scatters."),
        Delta(kind="answer", text="Because "),
        Delta(kind="answer", text="of Rayleigh – 瑞利 🌈."),
    ]


async def test_whoever_watches_sees_an_answer_that_comes_whole_too() -> None:
    seen: list[Delta] = []
    await Server((plain(),)).answer(stream=False, on_delta=seen.append)
    assert seen == [Delta(kind="reasoning", text="Hm."), Delta(kind="answer", text="Because.")]


@pytest.mark.parametrize("watched", [True, False])
def test_times_to_first_tokens_and_the_latency_count_from_sending(watched: bool) -> None:
    role, think, think_more, answer_1, answer_2, last, done = WHOLE_STREAM
    server = streaming(
        role, 2.0, think, 1.0, think_more, 4.0, answer_1, 1.0, answer_2, last, 0.5, done
    )
    server.before_headers = [3.0]
    served = run_virtual(
        lambda: server.answer(on_delta=(lambda _: None) if watched else None)
    ).served
    assert (served.ttft_reasoning_s, served.ttft_answer_s, served.latency_s) == (5.0, 10.0, 11.5)


def test_an_end_of_the_body_that_does_not_come_is_not_waited_for() -> None:
    answer = run_virtual(lambda: streaming(*WHOLE_STREAM, 3600.0).answer())
    assert answer.content.startswith("Because")
    assert answer.served.latency_s == 0.0


async def test_a_long_stream_that_nobody_watches_is_whole() -> None:
    words = [f"w{n} " for n in range(3000)]
    think = chunk({"reasoning_content": "Hm."})
    answer = await streaming(
        think, *(chunk({"content": word}) for word in words), *WHOLE_STREAM[-2:]
    ).answer()
    assert answer.content == "".join(words)


async def test_a_trailing_usage_chunk_without_choices_counts() -> None:
    finished = chunk({"content": "Yes."}, finish_reason="stop")
    answer = await streaming(finished, chunk({}, choices=[], usage=USAGE), DONE).answer()
    assert answer.usage.total_tokens == 17


async def test_the_latest_usage_wins() -> None:
    early = chunk({"content": "Yes."}, usage={"prompt_tokens": 1, "completion_tokens": 1})
    answer = await streaming(
        early, chunk({}, finish_reason="stop", usage=USAGE), chunk(), DONE
    ).answer()
    assert answer.usage.total_tokens == 17


async def test_a_provider_that_tells_no_usage_gives_zeros() -> None:
    answer = await streaming(chunk({"content": "Yes."}, finish_reason="stop"), DONE).answer()
    assert answer.usage == Usage()


async def test_cached_tokens_are_read_where_openai_puts_them() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    assert (await Server([plain(usage=usage)]).answer(stream=False)).usage.cached_tokens == 3


async def test_cached_tokens_that_cannot_be_are_cut_to_what_can() -> None:
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "prompt_cache_hit_tokens": 9}
    answer = await Server([plain(usage=usage)]).answer(stream=False)
    assert answer.usage == Usage(input_tokens=2, output_tokens=3, cached_tokens=2)


async def test_reasoning_that_is_more_than_the_output_was_counted_beside_it() -> None:
    usage = {
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    answer = await Server([plain(usage=usage)]).answer(stream=False)
    assert answer.usage == Usage(input_tokens=2, output_tokens=11, reasoning_tokens=8)


@pytest.mark.parametrize(
    "value", [None, {}, [], "many", {"prompt_tokens": "three", "completion_tokens": -1}]
)
async def test_usage_of_the_wrong_type_is_no_usage(value: object) -> None:
    assert (await Server([plain(usage=value)]).answer(stream=False)).usage == Usage()


async def test_reasoning_under_its_other_name_is_reasoning() -> None:
    answer = await streaming(
        chunk({"reasoning": "Hm."}), chunk({"content": "Yes."}, finish_reason="stop")
    ).answer()
    assert (answer.reasoning, answer.content) == ("Hm.", "Yes.")


async def test_tool_calls_are_put_together_by_index() -> None:
    def piece(index: int, **fields: Any) -> bytes:
        return chunk({"tool_calls": [{"index": index, **fields}]})

    answer = await streaming(
        piece(1, id="b", function={"name": "g", "arguments": ""}),
        piece(0, id="a", function={"name": "f", "arguments": ""}),
        piece(0, function={"arguments": '{"x"'}),
        piece(1, function={"arguments": "{}"}),
        piece(0, function={"arguments": ": 1}"}),
        chunk({}, finish_reason="tool_calls", usage=USAGE),
        DONE,
    ).answer()
    assert answer.tool_calls == (
        ToolCall(id="a", name="f", arguments='{"x": 1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    )


async def test_tool_calls_of_a_plain_response_are_read() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    answer = await Server([plain(choices=[choice])]).answer(stream=False)
    assert (answer.content, answer.tool_calls) == (
        "",
        (ToolCall(id="a", name="f", arguments="{}"),),
    )


async def test_a_stream_without_done_is_whole_with_a_finish_reason() -> None:
    assert (await streaming(*WHOLE_STREAM[:-1]).answer()).finish_reason == "stop"


async def test_a_stream_with_done_and_no_finish_reason_has_stopped_where_nothing_can_have_cut_it() -> (
    None
):
    assert (await streaming(chunk({"content": "Yes."}), DONE).answer()).finish_reason == "stop"


@pytest.mark.parametrize(
    "reason", ["length", "content_filter", "insufficient_system_resource", "aborted", "new"]
)
async def test_a_finish_reason_is_passed_on_unjudged(reason: str) -> None:
    answer = await streaming(chunk({"content": "Yes."}, finish_reason=reason), DONE).answer()
    assert answer.finish_reason == reason


async def test_the_last_event_needs_no_blank_line() -> None:
    last = chunk({"content": "Yes."}, finish_reason="stop").rstrip()
    assert (await streaming(last).answer()).content == "Yes."


async def test_keep_alives_and_foreign_events_are_no_content() -> None:
    noise = (b": keep-alive\n\n", b"\n\n", b"id: 3\n\n", b"event: ping\ndata: {}\n\n")
    assert (await streaming(*noise, *WHOLE_STREAM, *noise).answer()).content.startswith("Because")


async def test_a_server_that_does_not_stream_is_understood() -> None:
    server = Server([plain()], headers={"content-type": "application/json; charset=utf-8"})
    assert (await server.answer(stream=True)).content == "Because."


async def test_a_server_that_streams_unasked_is_understood() -> None:
    assert (await streaming(*WHOLE_STREAM).answer(stream=False)).reasoning == "Light scatters."


async def test_a_character_cut_between_two_chunks_is_one_character() -> None:
    halves = (
        b'data: {"choices":[{"delta":{"content":"\\ud83c"}}]}\n\n',
        chunk({"content": "\udf08"}),
    )
    answer = await streaming(*halves, chunk({}, finish_reason="stop"), DONE).answer()
    assert answer.content == "🌈"


async def test_half_a_character_alone_becomes_one_that_can_be_stored() -> None:
    answer = await streaming(chunk({"content": "a\ud83cb"}, finish_reason="stop"), DONE).answer()
    assert answer.content == "a\ufffdb"


async def test_a_request_sends_what_is_set_and_nothing_else() -> None:
    server = streaming(*WHOLE_STREAM)
    await server.answer()
    assert sent(server) == {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": "Why?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert str(server.seen[0].url) == "https://api.deepseek.com/chat/completions"


async def test_a_plain_request_has_no_stream_options() -> None:
    server = Server([plain()])
    await server.answer(stream=False)
    assert sent(server)["stream"] is False
    assert "stream_options" not in sent(server)


FULL = Request(
    endpoint="deepseek",
    model="deepseek-flash",
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="1+1?"),
        Message(
            role="assistant",
            reasoning="Sum.",
            tool_calls=(ToolCall(id="a", name="f", arguments="{}"),),
        ),
        Message(role="tool", content="2", tool_call_id="a"),
    ),
    max_tokens=100,
    thinking=True,
    effort="max",
    temperature=0.5,
    top_p=0.9,
    response_format="json_object",
    tools=(Tool(name="f", description="d", parameters={"type": "object"}),),
    stop=("END",),
    sample=3,
)
COMMON = {
    "model": "deepseek-flash",
    "stream": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "response_format": {"type": "json_object"},
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
        }
    ],
    "stop": ["END"],
}
CALLED = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


async def test_every_field_in_deepseeks_dialect() -> None:
    server = Server([plain()])
    await server.answer(stream=False, request=FULL)
    assert sent(server) == COMMON | {
        "max_tokens": 100,
        "thinking": {"type": "enabled"},
        "reasoning_effort": "max",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "", "reasoning_content": "Sum.", "tool_calls": CALLED},
            {"role": "tool", "content": "2", "tool_call_id": "a"},
        ],
    }


async def test_every_field_in_openais_dialect() -> None:
    server = Server([plain()])
    endpoint = profile_endpoint(PROFILES["openai"], api_key=None)
    await server.answer(stream=False, request=FULL, endpoint=endpoint)
    assert sent(server) == COMMON | {
        "max_completion_tokens": 100,
        "reasoning_effort": "xhigh",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "", "tool_calls": CALLED},
            {"role": "tool", "content": "2", "tool_call_id": "a"},
        ],
    }


async def test_other_servers_are_told_the_cap_by_its_old_name() -> None:
    server = Server([plain()])
    await server.answer(
        stream=False, request=FULL, endpoint=base_url_endpoint("http://localhost/v1", api_key=None)
    )
    assert sent(server)["max_tokens"] == 100


@pytest.mark.parametrize(("profile", "said"), [("deepseek", "a-session"), ("openai", None)])
async def test_only_deepseek_is_told_whose_call_it_is(profile: str, said: str | None) -> None:
    server = Server([plain()])
    endpoint = replace(profile_endpoint(PROFILES[profile], api_key=None), user_id="a-session")
    await server.answer(stream=False, request=REQUEST, endpoint=endpoint)
    assert sent(server).get("user_id") == said


async def test_thinking_off_is_said_without_an_effort() -> None:
    server = Server([plain()])
    await server.answer(stream=False, request=replace(REQUEST, thinking=False, effort="high"))
    assert sent(server)["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in sent(server)


async def test_earlier_reasoning_is_sent_only_with_tools_and_is_never_missing_then() -> None:
    turns = (
        Message(role="user", content="a"),
        Message(role="assistant", content="b", reasoning="c"),
    )
    server = Server([plain()])
    await server.answer(stream=False, request=replace(REQUEST, messages=turns))
    assert "reasoning_content" not in sent(server)["messages"][1]
    server = Server([plain()])
    bare = (turns[0], replace(turns[1], reasoning=None))
    await server.answer(stream=False, request=replace(REQUEST, messages=bare, tools=FULL.tools))
    assert sent(server)["messages"][1]["reasoning_content"] == ""


async def test_text_is_sent_as_utf8_and_half_a_character_as_an_escape() -> None:
    server = Server([plain()])
    chinese = replace(REQUEST, messages=(Message(role="user", content="为什么"),))
    await server.answer(stream=False, request=chinese)
    assert "为什么".encode() in server.seen[0].content
    server = Server([plain()])
    await server.answer(
        stream=False, request=replace(REQUEST, messages=(Message(role="user", content="\ud83c"),))
    )
    assert b"\\ud83c" in server.seen[0].content


async def test_an_event_of_unknown_name_is_read_by_its_data() -> None:
    named = b"event: chunk\n" + chunk({"content": "Yes."}, finish_reason="stop")
    assert (await streaming(named, b"event: done\n" + DONE).answer()).content == "Yes."


async def test_a_choice_without_a_delta_is_no_content() -> None:
    empty = event({"model": "m", "choices": [{"index": 0, "finish_reason": "stop"}]})
    assert (await streaming(chunk({"content": "Yes."}), empty).answer()).content == "Yes."


async def test_the_endpoint_of_a_request_is_not_where_it_goes() -> None:
    server = Server([plain()])
    await server.answer(stream=False, request=replace(REQUEST, endpoint="http://elsewhere.example"))
    assert server.seen[0].url.host == "api.deepseek.com"
    assert ENDPOINT.identity == "deepseek"


@pytest.mark.parametrize("stream", [True, False])
async def test_likelihoods_that_nobody_asked_for_are_not_kept(stream: bool) -> None:
    told = {"content": [{"token": "Because.", "logprob": -0.5, "top_logprobs": []}]}
    choice = {
        "index": 0,
        "logprobs": told,
        "finish_reason": "stop",
        "delta" if stream else "message": {"content": "B."},
    }
    body = {"model": "m", "choices": [choice]}
    server = streaming(event(body), DONE) if stream else Server([json.dumps(body).encode()])
    assert (await server.answer(stream=stream)).logprobs == ()


async def test_what_has_not_the_form_of_a_likelihood_is_left_out() -> None:
    tokens: list[Any] = [
        "a",
        {"token": "b"},
        {"token": 1, "logprob": -1},
        {"token": "c", "logprob": True},
        {"token": "d", "logprob": float("nan")},
        {
            "token": "e",
            "logprob": float("-inf"),
            "bytes": [999],
            "top_logprobs": ["f", {"token": "g"}],
        },
        {"token": "\ufffd", "logprob": -1, "bytes": [0xE5]},
    ]
    body = {
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "e"}, "logprobs": {"content": tokens}}],
    }
    answer = await Server([json.dumps(body).encode()]).answer(
        request=replace(REQUEST, logprobs=2), stream=False
    )
    assert answer.logprobs == (
        TokenLogprob(token="e", logprob=-9999.0),
        TokenLogprob(token="\ufffd", logprob=-1.0, raw=b"\xe5"),
    )
