"""The client over real sockets: connections, their reuse, and how they fail."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import get_args

import httpx2
import pytest
from _chat import DONE, REQUEST, WHOLE_STREAM, FixedClock, call, chunk, plain

from harness.domain.completion import Completion
from harness.domain.endpoint import base_url_endpoint
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.policy import Carrier, Timeouts
from harness.domain.secret import Secret
from harness.endpoint.http import build_http_client, environment_proxy
from harness.endpoint.openai_chat import OpenAIChat
from harness.errors import SettingsError

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers))
    return head.encode() + b"\r\n\r\n" + body


class Peer:
    """Answers request number n of all connections with `answers[n]`, then hangs up if the answer is
    marked so.
    """

    def __init__(self, *answers: bytes, hang_up: bool = False) -> None:
        self.answers = list(answers)
        self.hang_up = hang_up
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.answers[len(self.requests) - 1])
            await writer.drain()
            if self.hang_up:
                return


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """The port of a server that is gone, with all its connections, when the block is left."""
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*serving)


@asynccontextmanager
async def chat_with(
    url: str, timeouts: Timeouts | None = None, carrier: Carrier = "aiohttp"
) -> AsyncIterator[OpenAIChat]:
    timeouts = timeouts or Timeouts(connect_s=5, idle_s=5, total_s=10)
    async with build_http_client(timeouts, base_url=url, carrier=carrier) as client:
        endpoint = base_url_endpoint(url, api_key=Secret("sk-1234"))
        yield OpenAIChat(
            endpoint,
            timeouts=timeouts,
            http_client=client,
            wall_clock=FixedClock(),
            carrier=carrier,
        )


async def ask(
    peer: Handler, *, stream: bool = True, times: int = 1, carrier: Carrier = "aiohttp"
) -> list[Completion]:
    async with (
        listening(peer) as port,
        chat_with(f"http://127.0.0.1:{port}/v1", carrier=carrier) as chat,
    ):
        return [await chat.complete(REQUEST, call(stream=stream)) for _ in range(times)]


async def fail(
    peer: Handler, *, stream: bool = True, carrier: Carrier = "aiohttp"
) -> CompletionError:
    with pytest.raises(CompletionError) as caught:
        await ask(peer, stream=stream, carrier=carrier)
    return caught.value


every_carrier = pytest.mark.parametrize("carrier", get_args(Carrier))

STREAMED = STREAM_HEAD + b"".join(framed(piece) for piece in WHOLE_STREAM) + END
PLAIN = whole("200 OK", plain(), "content-type: application/json")


@every_carrier
async def test_a_stream_arrives_over_a_socket(carrier: Carrier) -> None:
    peer = Peer(STREAMED)
    (answer,) = await ask(peer, carrier=carrier)
    assert (answer.reasoning, answer.content) == (
        "Light scatters.",
        "Because of Rayleigh – 瑞利 🌈.",
    )
    head = peer.requests[0].lower()
    assert head.startswith(b"post /v1/chat/completions http/1.1\r\n")
    assert b"\r\nauthorization: bearer sk-1234\r\n" in head


@every_carrier
@pytest.mark.parametrize(("answer", "stream"), [(STREAMED, True), (PLAIN, False)])
async def test_a_connection_is_used_again(answer: bytes, stream: bool, carrier: Carrier) -> None:
    peer = Peer(answer, answer, answer)
    await ask(peer, stream=stream, times=3, carrier=carrier)
    assert (peer.connections, len(peer.requests)) == (1, 3)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_the_openai_sdk_would_send_the_same(stream: bool) -> None:
    sent = {}
    carriers: tuple[Carrier, ...] = ("httpx2", "openai")
    for carrier in carriers:
        peer = Peer(STREAMED if stream else PLAIN)
        await ask(peer, stream=stream, carrier=carrier)
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        # The port of the peer is another each time; the count of retries is the SDK's own.
        known = [one for one in lines[1:] if not one.startswith(("host:", "x-stainless-"))]
        sent[carrier] = lines[0], sorted(known), body
    assert sent["openai"] == sent["httpx2"]


async def test_a_connection_whose_stream_does_not_end_is_not_used_again() -> None:
    endless = STREAM_HEAD + b"".join(framed(piece) for piece in WHOLE_STREAM)
    peer = Peer(endless, endless)
    await ask(peer, times=2)
    assert peer.connections == 2


async def test_a_stream_that_ends_with_its_connection_is_whole() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(WHOLE_STREAM), hang_up=True)
    (answer,) = await ask(peer)
    assert answer.finish_reason == "stop"


@every_carrier
async def test_cookies_of_a_server_are_not_sent_back(carrier: Carrier) -> None:
    answer = whole("200 OK", plain(), "content-type: application/json", "set-cookie: spy=1; Path=/")
    peer = Peer(answer, answer)
    await ask(peer, stream=False, times=2, carrier=carrier)
    assert b"spy" not in peer.requests[1]


async def test_a_refused_connection_costs_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with chat_with(f"http://127.0.0.1:{port}") as chat:
        with pytest.raises(TransientError) as caught:
            await chat.complete(REQUEST, call(stream=True))
    assert (caught.value.kind, caught.value.billed) == ("connection", "no")


@every_carrier
async def test_a_server_that_hangs_up_without_a_word_may_have_charged(carrier: Carrier) -> None:
    error = await fail(Peer(b"", hang_up=True), carrier=carrier)
    assert (type(error), error.kind, error.billed) == (TransientError, "connection", "unknown")


@pytest.mark.parametrize(
    "answer",
    [
        STREAM_HEAD + framed(chunk({"content": "Be"})),
        STREAM_HEAD + framed(chunk({"content": "Be"})) + b"ff\r\ndata: {",
    ],
)
async def test_a_stream_cut_inside_its_framing_keeps_what_came(answer: bytes) -> None:
    error = await fail(Peer(answer, hang_up=True))
    assert (type(error), error.kind, error.billed) == (TransientError, "connection", "unknown")
    assert error.partial is not None
    assert error.partial.content == "Be"


async def test_garbage_inside_the_framing_is_a_broken_connection() -> None:
    error = await fail(Peer(STREAM_HEAD + b"zz\r\n", hang_up=True))
    assert (type(error), error.kind, error.billed) == (TransientError, "connection", "unknown")


@every_carrier
async def test_a_plain_response_cut_short_is_a_broken_connection(carrier: Carrier) -> None:
    error = await fail(Peer(PLAIN[:-20], hang_up=True), stream=False, carrier=carrier)
    assert (type(error), error.kind) == (TransientError, "connection")


async def test_what_is_no_http_is_a_broken_connection() -> None:
    error = await fail(Peer(b"220 mail.example ESMTP\r\n\r\n", hang_up=True))
    assert (type(error), error.kind) == (TransientError, "connection")


async def test_a_redirect_is_not_followed() -> None:
    peer = Peer(whole("307 Temporary Redirect", b"", "location: http://127.0.0.1:1/"))
    error = await fail(peer)
    assert (type(error), error.kind, len(peer.requests)) == (PermanentError, "redirect", 1)


async def test_an_error_is_read_over_a_socket() -> None:
    error = await fail(
        Peer(whole("402 Payment Required", b'{"error": {"message": "Insufficient Balance"}}'))
    )
    assert (type(error), error.kind) == (FatalError, "balance")


async def test_an_endless_error_body_ends() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    error = await fail(endless)
    assert (type(error), error.kind, error.status) == (TransientError, "server", 500)


async def test_a_compressed_answer_is_decompressed() -> None:
    body = gzip.compress(plain())
    answer = whole("200 OK", body, "content-type: application/json", "content-encoding: gzip")
    (completion,) = await ask(Peer(answer), stream=False)
    assert completion.content == "Because."


async def test_garbage_that_claims_to_be_compressed_is_malformed() -> None:
    answer = whole(
        "200 OK", b"not gzip", "content-type: application/json", "content-encoding: gzip"
    )
    error = await fail(Peer(answer), stream=False)
    assert (type(error), error.kind) == (TransientError, "malformed")


async def test_a_tls_server_that_does_not_speak_tls_is_no_connection() -> None:
    async def plain_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(whole("400 Bad Request", b"speak HTTP"))
        await writer.drain()

    async with listening(plain_http) as port, chat_with(f"https://127.0.0.1:{port}") as chat:
        with pytest.raises(TransientError) as caught:
            await chat.complete(REQUEST, call(stream=True))
    assert (caught.value.kind, caught.value.billed) == ("connection", "no")


async def test_a_connection_that_is_not_made_in_time_costs_nothing() -> None:
    """The peer takes the connection and never answers the TLS handshake."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    timeouts = Timeouts(connect_s=0.05)
    async with listening(silent) as port, chat_with(f"https://127.0.0.1:{port}", timeouts) as chat:
        with pytest.raises(TransientError, match="no connection in time") as caught:
            await chat.complete(REQUEST, call(stream=True))
    assert (caught.value.kind, caught.value.billed) == ("timeout", "no")


async def test_many_calls_are_in_flight_at_once() -> None:
    """No pool holds any of them back: all are seen before the first is answered."""
    arrived = asyncio.Event()
    seen = 0

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1
        if seen == 100:
            arrived.set()
        await arrived.wait()
        writer.write(
            STREAM_HEAD
            + framed(chunk({"content": "Be"}, finish_reason="stop"))
            + framed(DONE)
            + END
        )
        await writer.drain()

    async with listening(held) as port, chat_with(f"http://127.0.0.1:{port}") as chat:
        answers = await asyncio.gather(
            *(chat.complete(REQUEST, call(stream=True)) for _ in range(100))
        )
    assert {answer.content for answer in answers} == {"Be"}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "base_url", "proxy"),
    [
        ({}, "https://api.deepseek.com", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://api.deepseek.com", "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://models.example/v1", None),
        ({"ALL_PROXY": "proxy:3128"}, "https://api.deepseek.com", "http://proxy:3128"),
        (
            {"ALL_PROXY": "http://proxy", "NO_PROXY": ".deepseek.com"},
            "https://api.deepseek.com",
            None,
        ),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "*"}, "https://api.deepseek.com", None),
        ({"ALL_PROXY": "http://proxy"}, "http://127.0.0.1:8000/v1", None),
        ({"ALL_PROXY": "http://proxy"}, "http://localhost:8000/v1", None),
        ({"ALL_PROXY": "http://proxy"}, "http://[::1]:8000/v1", None),
    ],
)
def test_the_proxy_of_the_environment_is_used_but_for_the_loopback(
    variables: dict[str, str], base_url: str, proxy: str | None, environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert environment_proxy(base_url) == proxy


def test_a_proxy_that_cannot_be_used_is_said_so(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", "socks5://user:secret-word@proxy:1080")
    with pytest.raises(SettingsError, match="socks5 proxy") as caught:
        environment_proxy("https://api.deepseek.com")
    assert "secret-word" not in str(caught.value)


@every_carrier
async def test_a_proxy_carries_the_call(environment: pytest.MonkeyPatch, carrier: Carrier) -> None:
    proxy = Peer(PLAIN)
    async with listening(proxy) as port:
        environment.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        async with chat_with("http://models.example/v1", carrier=carrier) as chat:
            await chat.complete(REQUEST, call(stream=False))
    assert proxy.requests[0].startswith(
        b"POST http://models.example/v1/chat/completions HTTP/1.1\r\n"
    )


@every_carrier
async def test_a_proxy_that_is_not_there_is_no_connection(
    environment: pytest.MonkeyPatch, carrier: Carrier
) -> None:
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with chat_with("http://models.example/v1", carrier=carrier) as chat:
        with pytest.raises(TransientError) as caught:
            await chat.complete(REQUEST, call(stream=False))
    assert (caught.value.kind, caught.value.billed) == ("connection", "no")


async def test_a_closed_client_sends_nothing() -> None:
    client = build_http_client(Timeouts(), base_url="http://localhost")
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.get("http://localhost")


async def test_other_calls_of_the_client_are_read_whole() -> None:
    peer = Peer(whole("200 OK", b"{}"))
    async with (
        listening(peer) as port,
        build_http_client(Timeouts(), base_url="http://localhost") as client,
    ):
        response = await client.post(f"http://127.0.0.1:{port}/x", content=b"")
    assert (response.json(), response.is_closed) == ({}, True)


async def test_a_client_that_was_never_used_closes() -> None:
    client = build_http_client(Timeouts(), base_url="http://localhost")
    await client.aclose()
    assert client.is_closed
    assert isinstance(client.timeout, httpx2.Timeout)
