"""The key reaches the Authorization header and nothing else; nothing of the environment reaches a
call.
"""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace
from typing import get_args

import httpx2
import pytest
from _chat import (
    CANARY,
    DONE,
    ENDPOINT,
    REQUEST,
    WHOLE_STREAM,
    Server,
    chunk,
    error_body,
    event,
    plain,
    streaming,
)

from harness.domain.completion import Completion
from harness.domain.endpoint import Endpoint, base_url_endpoint
from harness.domain.failures import CompletionError
from harness.domain.policy import Carrier
from harness.domain.secret import Secret

BASIC = base_url_endpoint("https://me:hidden-word@host.example/v1", api_key=None)
NEWLINE = replace(ENDPOINT, api_key=Secret(f"{CANARY}\n"))


def shown(error: BaseException) -> str:
    """Everything that printing the error in any usual way could show, local variables of our frames
    included.
    """
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[object] = []
    link: BaseException | None = error
    while link is not None:
        chain += [link, link.args, vars(link)]
        link = link.__cause__ or link.__context__
    return "".join(report.format()) + repr(chain)


async def failure(server: Server, endpoint: Endpoint, *, stream: bool) -> CompletionError:
    try:
        await server.answer(stream=stream, endpoint=endpoint)
    except CompletionError as error:
        return error
    raise AssertionError("it did not fail")


def failing_servers(secret: str) -> list[tuple[str, Server]]:
    echo = f"Your key {secret} is wrong"
    early = streaming()
    early.before_headers = [httpx2.ConnectError(echo)]
    late = streaming()
    late.before_headers = [httpx2.ReadError(echo)]
    return [
        *(
            (str(status), Server([error_body(echo)], status=status))
            for status in (302, 400, 401, 402, 403, 429, 500)
        ),
        ("text", Server([echo.encode()], status=400)),
        ("trace id", Server([b""], status=500, headers={"x-ds-trace-id": secret})),
        ("refused", early),
        ("reset", late),
        ("reset in the stream", streaming(chunk({"content": echo}), httpx2.ReadError(echo))),
        ("error event", streaming(event({"error": {"message": echo}}))),
        ("garbage event", streaming(f"data: {echo}\n\n".encode())),
        ("unfinished", streaming(chunk({"content": echo}), chunk({"reasoning_content": echo}))),
        ("html", Server([f"<html>{echo}</html>".encode()], headers={"content-type": "text/html"})),
    ]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("endpoint", "secret"),
    [(ENDPOINT, CANARY), (NEWLINE, CANARY), (BASIC, "hidden-word")],
    ids=["key", "nl", "basic"],
)
@pytest.mark.parametrize("case", range(len(failing_servers(""))))
async def test_no_failure_shows_the_secret(
    case: int, endpoint: Endpoint, secret: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, server = failing_servers(secret)[case]
    error = await failure(server, endpoint, stream=stream)
    assert secret not in shown(error)
    assert secret not in caplog.text
    assert json.dumps(secret)[1:-1] not in repr(error.partial)


async def test_failures_chain_to_nothing() -> None:
    """The SDK's exceptions carry the request, and with it the header."""
    for _, server in failing_servers("x"):
        error = await failure(server, ENDPOINT, stream=True)
        assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_echoes_the_key_is_kept_without_it(stream: bool) -> None:
    message = {"content": f"I saw {CANARY}.", "reasoning_content": f"A key: {CANARY}"}
    call = {"index": 0, "id": CANARY, "function": {"name": CANARY, "arguments": json.dumps(CANARY)}}
    delta = {**message, "tool_calls": [call]}
    if stream:
        server = streaming(
            chunk(delta, finish_reason=CANARY, model=CANARY, system_fingerprint=CANARY)
        )
    else:
        choice = {"message": delta, "finish_reason": CANARY}
        server = Server([plain(choices=[choice], model=CANARY, system_fingerprint=CANARY)])
    server.headers = {**server.headers, "x-ds-trace-id": CANARY}
    answer: Completion = await server.answer(stream=stream)
    assert answer.content == "I saw ***."
    assert CANARY not in repr(answer)


@pytest.mark.parametrize("stream", [True, False])
async def test_likelihoods_of_an_answer_that_spells_the_key_out_are_not_kept(stream: bool) -> None:
    pieces = [CANARY[:8], CANARY[8:], "."]
    tokens = [{"token": piece, "logprob": -0.5, "top_logprobs": []} for piece in pieces]
    choice = {"index": 0, "logprobs": {"content": tokens}, "finish_reason": "stop"}
    text = {"content": "".join(pieces)}
    body = {"model": "m", "choices": [{**choice, "delta" if stream else "message": text}]}
    server = streaming(event(body), DONE) if stream else Server([json.dumps(body).encode()])
    answer = await server.answer(request=replace(REQUEST, logprobs=0), stream=stream)
    assert (answer.content, answer.logprobs) == ("***.", ())


async def test_the_key_is_sent_as_a_bearer_token() -> None:
    server = streaming(*WHOLE_STREAM)
    await server.answer(endpoint=NEWLINE)
    assert server.seen[0].headers.get_list("authorization") == [f"Bearer {CANARY}"]


async def test_a_password_in_the_base_url_is_sent_as_basic_auth_and_not_in_the_url() -> None:
    server = streaming(*WHOLE_STREAM)
    await server.answer(endpoint=BASIC)
    assert server.seen[0].headers.get_list("authorization") == ["Basic bWU6aGlkZGVuLXdvcmQ="]
    assert str(server.seen[0].url) == "https://host.example/v1/chat/completions"


FOREIGN = {
    "OPENAI_API_KEY": "sk-foreign-key",
    "OPENAI_ADMIN_KEY": "sk-foreign-admin",
    "OPENAI_BASE_URL": "https://foreign.example/v1",
    "OPENAI_ORG_ID": "org-foreign",
    "OPENAI_PROJECT_ID": "proj-foreign",
    "OPENAI_CUSTOM_HEADERS": (
        "X-Foreign: 1\nAuthorization: Bearer sk-foreign\nUser-Agent: foreign\nOpenAI-Organization:"
        " foreign\nX-Stainless-Lang: foreign"
    ),
    "OPENAI_WEBHOOK_SECRET": "foreign",
    "DEEPSEEK_API_KEY": "sk-foreign-deepseek",
    "HARNESS_API_KEY": "sk-foreign-harness",
}


@pytest.mark.parametrize("carrier", get_args(Carrier))
@pytest.mark.parametrize("key", [Secret(CANARY), None])
async def test_no_variable_meant_for_another_provider_reaches_a_call(
    key: Secret | None, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    server = streaming(*WHOLE_STREAM)
    await server.answer(endpoint=replace(ENDPOINT, api_key=key), carrier=carrier)
    request = server.seen[0]
    assert request.url.host == "api.deepseek.com"
    assert "foreign" not in repr(request.headers.raw) + request.content.decode()
    assert request.headers.get("authorization") == (f"Bearer {CANARY}" if key else None)


async def test_the_headers_of_a_call_are_these_and_no_others() -> None:
    server = streaming(*WHOLE_STREAM)
    await server.answer()
    assert {name.lower() for name in server.seen[0].headers} == {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "authorization",
        "content-type",
        "content-length",
    }
