"""What the doctor finds behind a base URL: real sockets that answer, refuse, reset, or are
something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.doctor import Finding, examine
from harness.endpoint.reaching import in_words
from harness.settings import load_settings
from harness.testing import FakeDeepSeek, serve

KEY = "sk-canary-of-this-test"
MODELS = {"object": "list", "data": [{"id": "org/llama-3-8b-instruct"}, {"id": "qwen3:8b"}]}
USAGE = {"prompt_tokens": 20, "completion_tokens": 16, "total_tokens": 36}

Reply = bytes | None
"""The bytes of a response; None: the connection is reset."""


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 16, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def a_step_of_another_model(_an_empty_directory: None) -> None:
    Path("harness.toml").write_text('[steps.research]\nmodel = "qwen4:8b"\n')


class Site:
    """A server that answers by method and path, and keeps what it was asked."""

    def __init__(self, answers: dict[str, Reply]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.bodies: list[Any] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        # Somebody only looked whether we are there.
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if not first.isalpha():  # a hello of TLS
            writer.write(http(b"Bad Request", 400, "text/plain"))
            return
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        self.asked.append(f"{method} {path}")
        self.heads.append(head)
        length = next(
            (
                int(line[15:])
                for line in head.lower().split("\r\n")
                if line.startswith("content-length:")
            ),
            0,
        )
        if length:
            self.bodies.append(json.loads(await reader.readexactly(length)))
        reply = self.answers.get(f"{method} {path}", http({"detail": "Not Found"}, 404))
        if reply is None:
            reset(writer)
        else:
            writer.write(reply)
            await writer.drain()


@asynccontextmanager
async def a_site(
    answers: dict[str, Reply], *, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Site, str]]:
    site = Site(answers)
    handling: set[asyncio.Task[None]] = set()

    def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.ensure_future(site.handle(reader, writer)))

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield site, f"127.0.0.1:{port}"
        await asyncio.gather(*handling)


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.transport.abort()


def http(body: Any, status: int = 200, kind: str = "application/json", *headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status} X",
        f"Content-Type: {kind}",
        f"Content-Length: {len(raw)}",
        "Connection: close",
    )
    return "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + raw


def page(text: str) -> bytes:
    return http(f"<!doctype html><html><title>{text}</title></html>".encode(), 200, "text/html")


def chunk(
    delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "model": "qwen3:8b",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}],
        **more,
    }


def stream(*chunks: dict[str, Any] | None, done: bool = True) -> bytes:
    events = [f"data: {json.dumps(one)}\n\n" for one in chunks] + (
        ["data: [DONE]\n\n"] if done else []
    )
    return http("".join(events).encode(), 200, "text/event-stream")


def whole(message: dict[str, Any], finish: str = "length", **more: Any) -> bytes:
    return http(
        {"model": "qwen3:8b", "choices": [{"message": message, "finish_reason": finish}], **more}
    )


async def look(
    base_url: str | None,
    *,
    ask: bool = False,
    key: str | None = None,
    model: str = "qwen3:8b",
    **settings: Any,
) -> list[Finding]:
    """What is found of the server, in order; nothing of this machine and of the settings."""
    environ = {} if key is None else {"HARNESS_API_KEY": key}
    where = {} if base_url is None else {"base_url": base_url}
    loaded = load_settings({**where, "model": model, **settings}, environ=environ)
    found = [finding async for finding in examine(loaded, Noon(), ask=ask)]
    return [
        finding
        for finding in found
        if finding.name not in ("versions", "files", "disk", "cache", "key", "model")
    ]


def only(findings: list[Finding], name: str) -> Finding:
    [found] = [finding for finding in findings if finding.name == name]
    return found


def worst(findings: list[Finding]) -> str:
    return max(
        (finding.verdict for finding in findings), key=("ok", "note", "warning", "problem").index
    )


# The connection


async def test_nothing_that_listens_is_said_and_nothing_more_is_tried() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        [found] = await look(f"http://127.0.0.1:{port}/v1")
    assert found.verdict == "problem"
    assert found.said == f"nothing listens at 127.0.0.1:{port}: connection refused"
    assert "start the server" in found.advice


async def test_a_certificate_that_nobody_vouches_for_is_said(self_signed: ssl.SSLContext) -> None:
    async with a_site({}, context=self_signed) as (site, where):
        [found] = await look(f"https://{where}/v1")
    assert found.verdict == "problem"
    assert found.said == "the certificate of 127.0.0.1 is not trusted: self-signed certificate"
    assert "SSL_CERT_FILE" in found.advice
    assert site.asked == []


async def test_plain_http_under_an_https_url_is_said() -> None:
    async with a_site({"GET /v1/models": http(MODELS)}) as (_, where):
        [found] = await look(f"https://{where}/v1")
    assert found.verdict == "problem"
    assert found.said == f"{where} does not speak TLS"
    assert found.advice == "is it an http:// URL?"


async def test_a_server_that_is_silent_to_tls_is_said() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        [found] = await look(f"https://{where}/v1", connect_timeout=0.2)
    assert (found.verdict, found.said) == ("problem", f"{where} does not answer to TLS")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name gpu.example is not found"),
        (TimeoutError(), "no connection to gpu.example:443 within 10 s"),
        (ConnectionResetError(), "gpu.example:443 closed the connection as it was opened"),
        (
            OSError(101, "Network is unreachable"),
            "no connection to gpu.example:443: Network is unreachable",
        ),
        (ssl.SSLError(1, "handshake failure"), "TLS with gpu.example:443 failed: "),
    ],
)
def test_what_no_test_can_bring_about_here_has_its_words_too(error: OSError, said: str) -> None:
    found, advice = in_words(error, host="gpu.example", port=443, within_s=10.0)
    assert found.startswith(said)
    assert advice


async def test_tls_under_an_http_url_is_said(self_signed: ssl.SSLContext) -> None:
    async with a_site({}, context=self_signed) as (_, where):
        found = await look(f"http://{where}/v1")
    assert only(found, "connect").verdict == "ok"
    assert only(found, "endpoint").verdict == "problem"
    assert only(found, "endpoint").advice == f"it speaks TLS: --base-url https://{where}/v1"


async def test_a_server_that_resets_is_said() -> None:
    async with a_site({"GET /v1/models": None}) as (_, where):
        found = await look(f"http://{where}/v1", key=KEY)
    assert only(found, "endpoint").verdict == "problem"
    assert f"http://{where}/v1 cannot be reached: " in only(found, "endpoint").said
    assert only(found, "endpoint").advice == "see what listens there, and its log"


async def test_a_proxy_is_gone_through_as_a_run_would(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_site({"GET http://gpu.example/v1/models": http(MODELS)}) as (site, where):
        monkeypatch.setenv("HTTP_PROXY", f"http://{where}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        found = await look("http://gpu.example/v1")
    assert (
        only(found, "connect").said
        == f"{where} answers (TCP), the proxy of the environment on the way to gpu.example"
    )
    assert only(found, "endpoint").verdict == "ok"
    assert site.asked == ["GET http://gpu.example/v1/models"]


async def test_a_proxy_that_is_not_there_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        [found] = await look("http://gpu.example/v1")
    assert (
        found.said
        == f"nothing listens at 127.0.0.1:{port}: connection refused (a proxy of the environment,"
        " for gpu.example)"
    )


# The list of models


async def test_one_request_is_said_and_sent_and_a_known_model_is_fine() -> None:
    async with a_site({"GET /v1/models": http(MODELS)}) as (site, where):
        found = await look(f"http://{where}/v1", key=KEY)
    assert [(one.verdict, one.name) for one in found] == [
        ("ok", "connect"),
        ("note", "asks"),
        ("ok", "endpoint"),
    ]
    assert found[1].said == f"GET http://{where}/v1/models, with the key in HARNESS_API_KEY"
    assert (
        found[2].said
        == "it answers, did not refuse the key, and serves org/llama-3-8b-instruct, qwen3:8b"
    )
    assert site.asked == ["GET /v1/models"]
    assert f"Bearer {KEY}" in site.heads[0]


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("llama-3-8b-instruct", "org/llama-3-8b-instruct"),
        ("Qwen3:8B", "qwen3:8b"),
        ("qwen3", "qwen3:8b"),
        ("lama-3-8b-instuct", "org/llama-3-8b-instruct"),
    ],
)
async def test_an_unknown_model_is_a_problem_with_the_nearest_names(
    asked: str, nearest: str
) -> None:
    async with a_site({"GET /v1/models": http(MODELS)}) as (_, where):
        found = only(await look(f"http://{where}/v1", model=asked), "endpoint")
    assert found.verdict == "problem"
    assert found.said.endswith(f"but not {asked}")
    assert f"nearest: {nearest}" in found.advice


async def test_the_model_of_a_single_step_is_looked_for_too(a_step_of_another_model: None) -> None:
    async with a_site({"GET /v1/models": http(MODELS)}) as (_, where):
        found = only(await look(f"http://{where}/v1"), "endpoint")
    assert found.said.endswith("but not qwen4:8b")


@pytest.mark.parametrize(
    ("key", "said", "advice"),
    [
        (KEY, "refuses the key (401: bad key ***)", "check HARNESS_API_KEY"),
        (None, f"wants a key (401: bad key {KEY}), and none was sent", "set HARNESS_API_KEY"),
    ],
)
async def test_a_refused_key_is_said_in_the_servers_words(
    key: str | None, said: str, advice: str
) -> None:
    refusal = http({"error": {"message": f"bad key {KEY}"}}, 401)
    async with a_site({"GET /v1/models": refusal}) as (_, where):
        found = await look(f"http://{where}/v1", key=key, ask=True)
    assert only(found, "endpoint").verdict == "problem"
    assert only(found, "endpoint").said == f"http://{where}/v1 {said}"
    assert only(found, "endpoint").advice == advice
    assert [one.said for one in found if one.said.startswith("POST")] == []


@pytest.mark.parametrize(
    ("given", "works"),
    [("", "/v1"), ("/", "/v1"), ("/v1/models", "/v1"), ("/v1/v1", "/v1")],
)
async def test_a_base_url_with_a_wrong_path_is_named_with_the_one_that_works(
    given: str, works: str
) -> None:
    async with a_site({f"GET {works}/models": http(MODELS)}) as (_, where):
        found = await look(f"http://{where}{given}")
    assert only(found, "endpoint").verdict == "problem"
    assert f"http://{where}{works} answers" in only(found, "endpoint").said
    assert only(found, "endpoint").advice == f"--base-url http://{where}{works}"


async def test_a_base_url_with_the_path_of_the_call_is_taken_without_it() -> None:
    async with a_site({"GET /v1/models": http(MODELS)}) as (site, where):
        found = await look(f"http://{where}/v1/chat/completions")
    assert only(found, "endpoint").verdict == "ok"
    assert site.asked[0] == "GET /v1/models"


async def test_a_call_under_a_path_without_v1_is_found_too() -> None:
    async with a_site({"GET /api/v1/models": http(MODELS)}) as (site, where):
        found = await look(f"http://{where}/api/chat/completions")
    assert only(found, "endpoint").advice == f"--base-url http://{where}/api/v1"
    assert site.asked == ["GET /api/models", "GET /api/v1/models"]


async def test_a_web_page_is_no_api_and_the_api_behind_it_is_named() -> None:
    async with a_site({"GET /models": page("Chat UI"), "GET /v1/models": http(MODELS)}) as (
        _,
        where,
    ):
        found = await look(f"http://{where}")
    assert only(found, "endpoint").advice == f"--base-url http://{where}/v1"


async def test_a_web_page_and_nothing_else_is_said_by_its_title() -> None:
    async with a_site({"GET /v1/models": page("Sign in"), "GET /models": page("Sign in")}) as (
        _,
        where,
    ):
        found = await look(f"http://{where}/v1")
    assert only(found, "endpoint").verdict == "problem"
    assert (
        only(found, "endpoint").said
        == f"http://{where}/v1/models is a page of something else: Sign in"
    )


@pytest.mark.parametrize("status", [404, 405])
async def test_where_no_url_has_a_list_it_is_a_problem_that_a_call_may_solve(status: int) -> None:
    nothing = http({"detail": "nothing here"}, status)
    async with a_site({"GET /v1/models": nothing, "GET /models": nothing}) as (site, where):
        found = await look(f"http://{where}/v1")
    assert only(found, "endpoint").verdict == "problem"
    assert (
        f"answered {status} to a request for its models: nothing here"
        in only(found, "endpoint").said
    )
    assert "--ask tries a call" in only(found, "endpoint").advice
    assert site.asked == ["GET /v1/models", "GET /models"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_is_not_ready_is_said_in_its_words(status: int) -> None:
    async with a_site(
        {"GET /v1/models": http({"error": {"message": "Loading model"}}, status)}
    ) as (_, where):
        found = only(await look(f"http://{where}/v1"), "endpoint")
    assert found.verdict == "problem"
    assert (
        found.said
        == f"http://{where}/v1 answered {status} to a request for its models: Loading model"
    )


async def test_a_redirect_is_named_and_not_followed() -> None:
    async with a_site(
        {"GET /v1/models": http(b"", 307, "text/plain", "Location: https://else.example/v1")}
    ) as (
        site,
        where,
    ):
        found = only(await look(f"http://{where}/v1", key=KEY), "endpoint")
    assert found.verdict == "problem"
    assert "a redirect to https://else.example/v1" in found.said
    assert len(site.asked) == 1


# One call

CALL = "POST /v1/chat/completions"
LIST = {"GET /v1/models": http(MODELS)}
REASONED = stream(
    chunk({"role": "assistant"}),
    chunk({"reasoning_content": "Let me"}),
    chunk({"content": "one"}),
    chunk({}, "length"),
    {"model": "qwen3:8b", "choices": [], "usage": USAGE},
)


MARKED = "in the text of the answer, told apart here by its mark"
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


async def test_a_call_shows_what_the_server_does() -> None:
    async with a_site({**LIST, CALL: REASONED}) as (site, where):
        found = await look(f"http://{where}/v1", ask=True)
    assert worst(found) == "note"
    said = {one.name: one.said for one in found[3:]}
    assert said.pop("call").startswith("answered in ")
    assert said == {
        "asks": f"POST http://{where}/v1/chat/completions, one call of at most 16 tokens",
        "stream": "yes, in 2 pieces, and ended with [DONE]",
        "usage": "told with the stream: 20 tokens in, 16 out",
        "reasoning": "in the field reasoning_content",
        "finish": "the reason is told: length",
        "cap": "max_tokens is honoured: cut at 16 tokens",
        "answers": "as qwen3:8b",
    }
    assert site.bodies[0]["max_tokens"] == 16
    assert site.bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("reply", "name", "verdict", "said"),
    [
        (
            stream(chunk({"content": "one"}), chunk({}, "stop")),
            "usage",
            "warning",
            "not told: tokens and cost stay",
        ),
        (
            stream(chunk({"reasoning": "hm"}), chunk({}, "stop")),
            "reasoning",
            "ok",
            "in the field reasoning",
        ),
        (
            stream(chunk({"content": "<think>hm"}), chunk({}, "stop")),
            "reasoning",
            "warning",
            "in the text of the",
        ),
        (
            stream(chunk({"content": "<think>hm"}), chunk({}, "stop")),
            "reasoning",
            "warning",
            f"{MARKED} <think>",
        ),
        (
            stream(chunk({"content": "<|channel|>analysis<|message|>hm"})),
            "reasoning",
            "warning",
            f"{MARKED} <|channel|>",
        ),
        (
            stream(chunk({"content": "Hm.\n</think>\n\none"}, "stop")),
            "reasoning",
            "warning",
            f"{MARKED} </think>",
        ),
        (
            stream(chunk({"reasoning_content": "hm"})),
            "reasoning",
            "ok",
            "in the field reasoning_content",
        ),
        (stream(chunk({"thinking": "hm"})), "reasoning", "ok", "in the field thinking"),
        (
            stream(chunk({"reasoning_details": [{"text": "hm"}]})),
            "reasoning",
            "ok",
            "in the field reasoning_details",
        ),
        (
            stream(chunk({"content": [THOUGHT]})),
            "reasoning",
            "ok",
            "in the field content, in parts of the type thinking",
        ),
        (stream(chunk({"content": "one"}, "stop")), "reasoning", "ok", "none was seen"),
        (stream(None, chunk({"content": "one"}, "stop")), "call", "ok", "answered in"),
        (
            whole({"content": "one"}, timings={"prompt_n": 20, "predicted_n": 3}),
            "usage",
            "ok",
            "told with the answer: 20",
        ),
        (stream(chunk({"content": "one"})), "finish", "warning", "no reason is told"),
        (
            stream(chunk({"content": "one"}, "stop"), done=False),
            "stream",
            "ok",
            "yes, in 1 piece, and ended without",
        ),
        (
            whole({"content": "one"}, usage=USAGE),
            "stream",
            "ok",
            "asked for, but the answer came whole",
        ),
        (
            whole({"content": "one"}, usage=USAGE),
            "usage",
            "ok",
            "told with the answer: 20 tokens in, 16 out",
        ),
        (
            whole({"content": "one"}, "stop", usage={**USAGE, "completion_tokens": 300}),
            "cap",
            "warning",
            "max_tokens is ignored: 300 tokens came for a cap of 16",
        ),
        (
            whole({"content": "one"}, "stop", usage=USAGE),
            "cap",
            "ok",
            "the answer ended before its cap",
        ),
        (
            stream({**chunk({"content": "one"}, "stop"), "model": "/models/Qwen3-8B-Q4_K_M.gguf"}),
            "answers",
            "ok",
            "as '/models/Qwen3-8B-Q4_K_M.gguf', asked for as 'qwen3:8b'",
        ),
        (
            stream({**chunk({"content": "one"}, "stop"), "model": "phi-4.gguf"}),
            "answers",
            "warning",
            "qwen3:8b was asked for, and another model answered: phi-4.gguf gave 1 answer",
        ),
    ],
)
async def test_what_a_call_shows_is_told_one_by_one(
    reply: bytes, name: str, verdict: str, said: str
) -> None:
    async with a_site({**LIST, CALL: reply}) as (_, where):
        found = only(await look(f"http://{where}/v1", ask=True), name)
    assert (found.verdict, found.said[: len(said)]) == (verdict, said)
    assert bool(found.advice) == (verdict == "warning")


def name_an_endpoint(fields: str) -> None:
    Path("harness.toml").write_text(f"[endpoints.own]\n{fields}")


@pytest.mark.parametrize(
    ("finish", "tokens", "said"),
    [
        ("length", 16, "max_completion_tokens is honoured: cut at 16 tokens"),
        ("stop", 300, "max_completion_tokens is ignored: 300 tokens came for a cap of 16"),
    ],
)
async def test_the_cap_has_the_name_under_which_it_was_sent(
    finish: str, tokens: int, said: str
) -> None:
    reply = whole({"content": "one"}, finish, usage={**USAGE, "completion_tokens": tokens})
    async with a_site({**LIST, CALL: reply}) as (site, where):
        name_an_endpoint(f'base_url = "http://{where}/v1"\ncap = "max_completion_tokens"\n')
        found = await look(None, ask=True, endpoint="own")
    assert only(found, "cap").said == said
    assert site.bodies[0]["max_completion_tokens"] == 16


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            http({"error": {"message": f"no model for {KEY}"}}, 400),
            "the call was answered with 400: no model for ***",
        ),
        (http({"error": {"message": "broken"}}), "the call was answered with 200: broken"),
        (
            stream(chunk({"content": "o"}), {"error": {"message": "slot lost"}}),
            "the call was answered with 200: slot lost",
        ),
        (page("Sign in"), "what came back is no completion: Sign in"),
        (http({"answer": 42}), 'what came back is no completion: {"answer": 42}'),
        (None, "broke the call off"),
    ],
)
async def test_a_call_that_fails_is_a_problem_in_the_servers_words(reply: Reply, said: str) -> None:
    async with a_site({**LIST, CALL: reply}) as (_, where):
        found = only(await look(f"http://{where}/v1", ask=True, key=KEY), "call")
    assert found.verdict == "problem"
    assert said in found.said
    assert found.advice


@pytest.mark.parametrize(
    "models", [http(MODELS), http({}, 404), http(b"Internal Server Error", 500, "text/plain")]
)
async def test_a_call_that_is_answered_overrules_the_list_of_models(models: bytes) -> None:
    async with a_site({"GET /v1/models": models, CALL: REASONED}) as (_, where):
        found = await look(f"http://{where}/v1", ask=True, model="another")
    assert only(found, "endpoint").verdict == "warning"
    assert only(found, "endpoint").said.endswith("a call is answered all the same")
    assert worst(found) == "warning"


async def test_a_call_that_fails_leaves_the_problem_of_the_list() -> None:
    async with a_site({**LIST, CALL: http({"error": {"message": "no such model"}}, 404)}) as (
        _,
        where,
    ):
        found = await look(f"http://{where}/v1", ask=True, model="another")
    assert only(found, "endpoint").verdict == "problem"
    assert only(found, "call").verdict == "problem"


async def test_without_streams_a_whole_answer_is_asked_for() -> None:
    async with a_site({**LIST, CALL: whole({"content": "one"}, usage=USAGE)}) as (site, where):
        found = await look(f"http://{where}/v1", ask=True, stream=False)
    assert only(found, "stream").said == "not asked for (--no-stream), and the answer came whole"
    assert site.bodies[0]["stream"] is False


# Our own DeepSeek on a socket


@pytest.mark.parametrize("path", ["", "/v1"])
async def test_the_served_mock_is_in_good_health(path: str) -> None:
    fake = FakeDeepSeek()
    async with serve(fake) as url:
        found = await look(f"{url}{path}", ask=True, key="sk-any", model="deepseek-flash")
    assert worst(found) == "note"
    assert only(found, "reasoning").said == "in the field reasoning_content"
    assert [logged.path for logged in fake.log] == [f"{path}/models", f"{path}/chat/completions"]
