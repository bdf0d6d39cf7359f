"""Streams that broke off behind a gateway, which ends them as if they were whole, as litellm does.

The bodies are those that litellm 1.108.7 sent in front of a DeepSeek, in our own words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from wire_speaker import response, speaking

from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request
from harness.domain.failures import TransientError
from harness.endpoint.openai_chat import OpenAIChat

PASSED_ON = (
    b'{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11,"completion_tokens_details":{"reasoning_tokens":0,'
    b'"text_tokens":4},"prompt_tokens_details":{"cached_tokens":0},"cost":0.1}'
)
ITS_OWN = (
    b'{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"completion_tokens_details":{"reasoning_tokens":0,'
    b'"text_tokens":2},"cost":0.1}'
)


def body(text: bytes, usage: bytes) -> bytes:
    return (
        b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
        b'data: {"model":"m","choices":[{"finish_reason":"stop","index":0,"delta":{}}]}\n\n'
        b'data: {"model":"m","choices":[{"index":0,"delta":{}}],"usage":%s}\n\n'
        b"data: [DONE]\n\n" % (text, usage)
    )


async def asked(chat: OpenAIChat) -> Completion | TransientError:
    request = Request(endpoint="e", model="m", messages=(Message(role="user", content="Why?"),))
    try:
        return await chat.complete(
            request, Call(run_id="r", topic_id="t", span_id="s", stream=True)
        )
    except TransientError as error:
        return error


async def outcomes(*usages: bytes, servers: Sequence[str]) -> list[Completion | TransientError]:
    """What comes of one stream after the other; each tells its usage and which server behind the
    gateway it is from.
    """

    async def reply(number: int) -> list[bytes]:
        await asyncio.sleep(0)
        name = servers[number - 1]
        headers = {"Content-Type": "text/event-stream"} | (
            {"x-litellm-model-id": name} if name else {}
        )
        return [response(body(b"So.", usages[number - 1]), headers=headers)]

    async with speaking(reply) as (_, chat):
        return [await asked(chat) for _ in usages]


async def test_a_count_of_the_gateways_own_after_one_that_it_passed_on_is_of_a_stream_that_broke_off() -> (
    None
):
    whole, broken = await outcomes(PASSED_ON, ITS_OWN, servers=["a", "a"])
    assert isinstance(whole, Completion)
    assert isinstance(broken, TransientError)
    assert (broken.kind, broken.billed) == ("incomplete", "yes")
    assert broken.partial is not None
    assert broken.partial.content == "So."


@pytest.mark.parametrize(
    ("first", "servers"),
    [
        pytest.param(ITS_OWN, ["a", "a"], id="the server behind it tells no counts"),
        pytest.param(PASSED_ON, ["a", "b"], id="another server behind it"),
        pytest.param(PASSED_ON, ["", ""], id="no gateway"),
    ],
)
async def test_a_count_of_the_gateways_own_is_believed_where(
    first: bytes, servers: list[str]
) -> None:
    answers = await outcomes(first, ITS_OWN, servers=servers)
    assert all(isinstance(answer, Completion) for answer in answers)
