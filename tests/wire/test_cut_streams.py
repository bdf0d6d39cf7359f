"""Streams that a server cuts for another call, and ends with `[DONE]` all the same, as
llama-cpp-python does.
"""

from __future__ import annotations

import asyncio

import pytest
from wire_speaker import response, speaking

from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request
from harness.endpoint.openai_chat import OpenAIChat

EVENTS = {"Content-Type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"
REASON = b'data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":10}}\n\n'


def piece(text: str) -> bytes:
    return (
        b"data:"
        b' {"model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
        % text.encode()
    )


async def ask(chat: OpenAIChat) -> Completion:
    request = Request(endpoint="e", model="m", messages=(Message(role="user", content="Why?"),))
    return await chat.complete(request, Call(run_id="r", topic_id="t", span_id="s", stream=True))


async def test_a_stream_without_a_reason_during_which_another_call_was_sent_may_be_cut() -> None:
    second_came = asyncio.Event()

    async def reply(number: int) -> list[bytes]:
        if number == 2:
            second_came.set()
            return [response(piece("A whole one.") + REASON + DONE, headers=EVENTS)]
        await second_came.wait()
        return [response(piece("A half on") + DONE, headers=EVENTS)]

    async with speaking(reply) as (_, chat):
        first = asyncio.create_task(ask(chat))
        await asyncio.sleep(0)
        whole = await ask(chat)
        cut = await first
    reasons = {answer.content: answer.finish_reason for answer in (whole, cut)}
    assert reasons == {"A whole one.": "stop", "A half on": ""}


async def test_a_stream_without_a_reason_of_a_server_that_names_reasons_is_cut_whoever_cut_it() -> (
    None
):
    async def reply(number: int) -> list[bytes]:
        end = REASON + DONE if number == 1 else DONE
        return [response(piece("So.") + end, headers=EVENTS)]

    async with speaking(reply) as (_, chat):
        answers = [await ask(chat), await ask(chat)]
    assert [answer.finish_reason for answer in answers] == ["stop", ""]


@pytest.mark.parametrize(("end", "reason"), [(DONE, ""), (USAGE + DONE, "stop")])
async def test_a_usage_at_the_end_tells_that_nobody_cut_the_stream(end: bytes, reason: str) -> None:
    async def reply(number: int) -> list[bytes]:
        return [response(piece("So.") + (REASON + DONE if number == 1 else end), headers=EVENTS)]

    async with speaking(reply) as (_, chat):
        answers = [await ask(chat), await ask(chat)]
    assert answers[1].finish_reason == reason


async def test_a_server_that_was_seen_to_leave_reasons_out_is_believed_with_many_calls_in_flight() -> (
    None
):
    all_came = asyncio.Event()

    async def reply(number: int) -> list[bytes]:
        if number == 4:
            all_came.set()
        if number > 1:
            await all_came.wait()
        return [response(piece("So.") + DONE, headers=EVENTS)]

    async with speaking(reply) as (_, chat):
        alone = await ask(chat)
        beside_others = await asyncio.gather(*(ask(chat) for _ in range(3)))
    assert [answer.finish_reason for answer in (alone, *beside_others)] == ["stop"] * 4
