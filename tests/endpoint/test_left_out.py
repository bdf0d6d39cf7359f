"""A server that refuses an optional field is asked without it; a setting that it is not told is
said once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest
from _chat import FixedClock, call, plain

from harness.domain.completion import Message, Request
from harness.domain.endpoint import Endpoint, base_url_endpoint
from harness.domain.failures import CompletionError, PermanentError
from harness.domain.image import Image
from harness.domain.policy import Timeouts
from harness.domain.profiles import PROFILES
from harness.domain.request_form import OPENAI_FORM
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat

ENDPOINT = base_url_endpoint("http://gpu:8000/v1", api_key=None)
REQUEST = Request(
    endpoint=ENDPOINT.identity, model="m", messages=(Message(role="user", content="Why?"),)
)
PYDANTIC = (
    '{"detail":[{"type":"extra_forbidden","loc":["body","NAME"],"msg":"Extra inputs are not'
    ' permitted"}]}'
)


@dataclass
class Strict:
    """A server that refuses fields, in the words that it is given, and answers all else."""

    refuses: Sequence[str]
    words: str = PYDANTIC
    status: int = 422
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def chat(self, endpoint: Endpoint = ENDPOINT) -> OpenAIChat:
        client = build_http_client(
            Timeouts(), base_url=endpoint.base_url, transport=httpx2.MockTransport(self._answered)
        )
        return OpenAIChat(
            endpoint, timeouts=Timeouts(), http_client=client, wall_clock=FixedClock()
        )

    async def _answered(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        await anyio.lowlevel.checkpoint()
        for name in self.refuses:
            if name in body:
                return httpx2.Response(
                    self.status, content=self.words.replace("NAME", name).encode()
                )
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=plain())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (PYDANTIC, 422),
        ('{"error":{"message":"Unrecognized request argument supplied: NAME","code":null}}', 400),
        ('{"error":{"message":"unknown field `NAME`"}}', 400),
        (
            (
                '{"error":{"message":"Unknown'
                ' parameter","type":"invalid_request_error","param":"NAME"}}'
            ),
            400,
        ),
        ('{"error":{"message":"Unknown parameter","param":"NAME.include_usage"}}', 400),
        ('{"error":{"message":"include_usage is not supported by this model"}}', 400),
        ('{"error":{"message":"Stream options are not allowed"}}', 400),
        ('{"error":"streamOptions: property is not expected here"}', 422),
        ('{"message":"TypeError: create() got an unexpected keyword argument \'NAME\'"}', 500),
        ('{"error":{"message":"NAME is not implemented"}}', 501),
        ('{"code":20015,"message":"不支持参数 NAME","data":null}', 200),
    ],
)
async def test_a_server_that_refuses_stream_options_is_asked_without_them_from_then_on(
    words: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Strict(["stream_options"], words, status)
    chat = server.chat()
    for _ in range(3):
        assert (await chat.complete(REQUEST, call(stream=True))).content == "Because."
    assert ["stream_options" in body for body in server.bodies] == [True, False, False, False]
    assert warnings(caplog) == [
        "http://gpu:8000/v1 refuses the field stream_options and is asked without it from now on; "
        "--set endpoint.stream_options=false spares it the first time"
    ]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ('{"error":{"message":"The server broke down over NAME"}}', 500),
        ('{"error":{"message":"Too many requests with NAME, which is not the cause"}}', 429),
    ],
)
async def test_an_error_that_only_names_the_field_is_no_refusal_of_it(
    words: str, status: int
) -> None:
    server = Strict(["stream_options"], words, status)
    with pytest.raises(CompletionError):
        await server.chat().complete(REQUEST, call(stream=True))
    assert len(server.bodies) == 1


async def test_calls_that_were_under_way_learn_it_too_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Strict(["stream_options"])
    chat = server.chat()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(chat.complete, REQUEST, call(stream=True))
    assert len(server.bodies) == 10
    assert len(warnings(caplog)) == 1


async def test_a_refusal_of_something_else_is_an_error_at_once() -> None:
    server = Strict(["messages"])
    with pytest.raises(PermanentError, match="messages: Extra inputs are not permitted"):
        await server.chat().complete(REQUEST, call(stream=True))
    assert len(server.bodies) == 1


async def test_a_field_that_was_left_out_is_not_left_out_twice() -> None:
    server = Strict(["model"], words="stream_options and NAME are wrong")
    with pytest.raises(PermanentError):
        await server.chat().complete(REQUEST, call(stream=True))
    assert ["stream_options" in body for body in server.bodies] == [True, False]


@pytest.mark.parametrize("lenient", [True, False])
async def test_a_switch_that_a_workflow_chose_may_be_left_out_and_one_that_the_user_set_may_not(
    lenient: bool, caplog: pytest.LogCaptureFixture
) -> None:
    form = replace(OPENAI_FORM, thinking="reasoning_effort")
    fields = frozenset({"reasoning_effort"} if lenient else ())
    server = Strict(
        ["reasoning_effort"],
        "Unsupported value: 'NAME' does not support 'none' with this model.",
        400,
    )
    chat = server.chat(replace(ENDPOINT, form=form, may_leave_out=fields))
    if lenient:
        await chat.complete(replace(REQUEST, thinking=False), call(stream=False))
        assert "--set endpoint.thinking=none" in warnings(caplog)[0]
    else:
        with pytest.raises(PermanentError, match="reasoning_effort"):
            await chat.complete(replace(REQUEST, thinking=False), call(stream=False))
        assert len(server.bodies) == 1


async def test_what_a_step_chose_and_the_server_is_not_told_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = Strict([]).chat()
    for thinking in (False, False, True, None):
        await chat.complete(replace(REQUEST, thinking=thinking), call(stream=False))
    said = warnings(caplog)
    assert len(said) == 2
    assert said[0].startswith(
        "thinking off, which step span chose, is not sent to http://gpu:8000/v1: how thinking is"
    )
    assert "--set endpoint.thinking=FIELD" in said[0]
    assert said[1].startswith("thinking on, which step span chose,")


async def test_a_known_endpoint_that_can_be_told_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = replace(ENDPOINT, form=PROFILES["vllm"].form)
    await (
        Strict([])
        .chat(endpoint)
        .complete(replace(REQUEST, thinking=False, effort="max"), call(stream=False))
    )
    assert warnings(caplog) == []


async def test_an_image_without_its_bytes_is_an_error_before_anything_is_sent() -> None:
    server = Strict([])
    image = Image(sha256="ab", media_type="image/png")
    request = replace(REQUEST, messages=(Message(role="user", content="What?", images=(image,)),))
    with pytest.raises(PermanentError, match="not at hand"):
        await server.chat().complete(request, call(stream=False))
    assert server.bodies == []
