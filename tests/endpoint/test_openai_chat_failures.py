"""Every way in which a call fails has one outcome: its class, its kind, and whether it may have
been charged.
"""

from __future__ import annotations

import ssl
from dataclasses import replace

import httpx2
import pytest
from _chat import (
    DONE,
    ENDPOINT,
    USAGE,
    WHOLE_STREAM,
    Piece,
    Server,
    chunk,
    error_body,
    event,
    plain,
    streaming,
)

from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.endpoint.error_mapping import concurrency_limit
from harness.testing.virtual_time import run_virtual

CONCURRENCY = (
    "Too many requests. Your current concurrency is 26, which exceeds your concurrency limit of 25"
    " based on your remaining balance. Please top up your balance to restore your concurrency."
)
HTML = b"<html><head><title>500 Internal Server Error</title></head><body>openresty</body></html>"

STATUSES = [
    (400, error_body("Invalid n value"), PermanentError, "bad_request"),
    (401, error_body("Authentication Fails"), FatalError, "auth"),
    (402, error_body("Insufficient Balance"), FatalError, "balance"),
    (402, b"", FatalError, "balance"),
    (403, b"", PermanentError, "forbidden"),
    (404, error_body("no such path"), PermanentError, "bad_request"),
    (405, b"", PermanentError, "bad_request"),
    (407, b"", FatalError, "auth"),
    (408, b"", TransientError, "timeout"),
    (409, b"", TransientError, "server"),
    (413, b"too large", PermanentError, "too_long"),
    (418, b"", PermanentError, "bad_request"),
    (422, error_body("expected struct ThinkingOptions"), PermanentError, "bad_request"),
    (425, b"", TransientError, "server"),
    (429, error_body(CONCURRENCY), TransientError, "rate_limited"),
    (429, error_body("Rate limit reached for TPM"), TransientError, "rate_limited"),
    (
        429,
        error_body("You exceeded your current quota", code="insufficient_quota"),
        FatalError,
        "balance",
    ),
    (429, error_body("x", type="insufficient_quota"), FatalError, "balance"),
    (400, error_body("Your credit balance is too low"), FatalError, "balance"),
    (403, error_body("账户余额不足"), FatalError, "balance"),
    (403, error_body("Insufficient credits"), FatalError, "balance"),
    (500, b'{"error": {"message": "internal"}}', TransientError, "server"),
    (500, HTML, TransientError, "gateway"),
    (502, b"Bad Gateway", TransientError, "server"),
    (503, error_body("Service is too busy."), TransientError, "server"),
    (504, b"", TransientError, "server"),
    (529, b"[" * 100_000, TransientError, "server"),
    (599, b"\xff\xfe", TransientError, "server"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("status", "body", "outcome", "kind"), STATUSES)
async def test_a_status_decides(
    status: int, body: bytes, outcome: type[CompletionError], kind: str, stream: bool
) -> None:
    server = Server([body], status=status, headers={"content-type": "application/octet-stream"})
    error = await server.failure(stream=stream)
    assert (type(error), error.kind, error.status) == (outcome, kind, status)
    assert (error.billed, error.partial) == ("no", None)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    server = Server(
        [b""], status=status, headers={"location": "https://evil.example/chat/completions"}
    )
    error = await server.failure()
    assert (type(error), error.kind, error.status) == (PermanentError, "redirect", status)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (error_body("Invalid n value\n (only 1)"), "Invalid n value (only 1)"),
        (b'{"error": "plain text"}', "plain text"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"message": "odd"}', "odd"),
        (HTML, "500 Internal Server Error"),
        (b"upstream  died", "upstream died"),
        (b"x" * 9000, "x" * 500 + "…"),
        (b"", ""),
    ],
)
async def test_the_servers_words_are_quoted_on_one_line(body: bytes, said: str) -> None:
    error = await Server([body], status=400, headers={"x-ds-trace-id": "7f"}).failure()
    assert str(error) == f"deepseek answered 400{': ' if said else ''}{said} (trace 7f)"


async def test_a_refused_key_is_named_by_its_variable() -> None:
    error = await Server([b""], status=401).failure()
    assert str(error) == "deepseek answered 401 – check the key in DEEPSEEK_API_KEY"


async def test_a_missing_key_is_said_to_be_missing() -> None:
    with pytest.raises(FatalError, match="no key was sent: set DEEPSEEK_API_KEY"):
        await Server([b""], status=401).answer(endpoint=replace(ENDPOINT, api_key=None))


async def test_an_empty_balance_says_what_to_do() -> None:
    error = await Server([error_body("Insufficient Balance")], status=402).failure()
    assert (
        str(error)
        == "deepseek answered 402: Insufficient Balance – top up the account, then resume"
    )


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (CONCURRENCY, 25),
        ("Concurrency limit: 7", 7),
        ("exceeds the limit of 12 concurrent requests", 12),
        ("max concurrency is 3", 3),
        ("Rate limit reached: Limit 60, Used 60", None),
        ("concurrency limit of 0", None),
        ("concurrency limit reached after 500 tries", None),
    ],
)
async def test_the_concurrency_limit_is_read_from_a_429(text: str, limit: int | None) -> None:
    assert concurrency_limit(text) == limit
    error = await Server([error_body(text)], status=429).failure()
    assert isinstance(error, TransientError)
    assert error.concurrency_limit == limit


HALF = WHOLE_STREAM[:4]  # the reasoning and one word of the answer
BROKEN_STREAMS: list[tuple[str, list[Piece], str]] = [
    ("no event at all", [b""], "incomplete"),
    ("only keep-alives", [b": keep-alive\n\n", b"\n\n"], "incomplete"),
    ("no [DONE] and no finish reason", [*HALF], "incomplete"),
    ("cut inside a chunk", [*HALF, WHOLE_STREAM[4][:40]], "malformed"),
    (
        "cut inside a character",
        [*HALF, 'data: {"choices":[{"delta":{"content":"瑞'.encode()[:-1]],
        "malformed",
    ),
    ("reset", [*HALF, httpx2.ReadError("reset")], "connection"),
    (
        "closed inside an HTTP chunk",
        [*HALF, httpx2.RemoteProtocolError("incomplete chunked read")],
        "connection",
    ),
    ("a read time-out of the transport", [*HALF, httpx2.ReadTimeout("30 s")], "timeout"),
    ("an undecodable body", [*HALF, httpx2.DecodingError("gzip")], "malformed"),
    ("garbage", [*HALF, b"data: {oops}\n\n"], "malformed"),
    ("not UTF-8", [*HALF, b'data: {"a": "\xff"}\n\n'], "malformed"),
    ("no object", [*HALF, b"data: 7\n\n"], "malformed"),
    ("too deep", [*HALF, b"data: " + b"[" * 200_000 + b"\n\n"], "malformed"),
    (
        "two halves that mend each other",
        [*HALF, b'data: {"a":[{}\n\n', b"data: {}]}\n\n", DONE],
        "malformed",
    ),
    ("choices that are no list", [*HALF, event({"choices": "x"})], "malformed"),
    ("a choice that is no object", [*HALF, event({"choices": [1]})], "malformed"),
    ("a delta that is no object", [*HALF, event({"choices": [{"delta": 7}]})], "malformed"),
    ("content that is no text", [*HALF, chunk({"content": 7})], "malformed"),
    ("tool calls that are no list", [*HALF, chunk({"tool_calls": {"a": 1}})], "malformed"),
    ("a tool call that is no object", [*HALF, chunk({"tool_calls": [1]})], "malformed"),
    (
        "a tool call without a function",
        [*HALF, chunk({"tool_calls": [{"type": "function"}]})],
        "malformed",
    ),
    (
        "a function that is no object",
        [*HALF, chunk({"tool_calls": [{"index": 0, "function": [1]}]})],
        "malformed",
    ),
    ("an error event", [*HALF, event({"error": {"message": "overloaded"}})], "server"),
    (
        "a named error event",
        [*HALF, b'event: error\ndata: {"message": "overloaded"}\n\n'],
        "server",
    ),
    ("a named error event of plain text", [*HALF, b"event: error\ndata: overloaded\n\n"], "server"),
    (
        "an error event with a status",
        [*HALF, event({"error": {"code": 429, "message": "slow down"}})],
        "rate_limited",
    ),
    (
        "an error event with words",
        [*HALF, event({"error": {"type": "rate_limit_error"}})],
        "rate_limited",
    ),
    ("a bare error line", [*HALF, b'{"error": {"message": "overloaded"}}\n'], "server"),
    ("a bare line of something else", [*HALF, b'{"hello": 1}\n'], "malformed"),
    ("HTML in the stream", [*HALF, b"<html>502</html>\n"], "gateway"),
    ("HTML in an event", [*HALF, b"data: <!doctype html>\n\n"], "gateway"),
]


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [case[1:] for case in BROKEN_STREAMS],
    ids=[case[0] for case in BROKEN_STREAMS],
)
@pytest.mark.parametrize("watched", [True, False])
async def test_a_broken_stream_is_transient_and_keeps_what_came(
    pieces: list[Piece], kind: str, watched: bool
) -> None:
    server = streaming(*pieces, **{"x-ds-trace-id": "7f"})
    with pytest.raises(TransientError) as caught:
        await server.answer(on_delta=(lambda _: None) if watched else None)
    error = caught.value
    assert (error.kind, error.billed) == (kind, "unknown")
    if len(pieces) > 3:
        assert error.partial is not None
        assert (error.partial.reasoning, error.partial.content) == ("Light scatters.", "Because ")
        assert error.partial.trace_id == "7f"
    else:
        assert error.partial is None
    assert server.closed >= 1


async def test_a_break_behind_the_usage_is_known_to_be_charged() -> None:
    error = await streaming(
        chunk({"content": "Be"}, usage=USAGE), httpx2.ReadError("reset")
    ).failure()
    assert error.billed == "yes"
    assert error.partial is not None
    assert error.partial.usage.total_tokens == 17


@pytest.mark.parametrize(
    ("report", "outcome", "kind"),
    [
        ({"message": "Insufficient Balance"}, FatalError, "balance"),
        ({"code": 402}, FatalError, "balance"),
        ({"code": "401", "message": "bad key"}, FatalError, "auth"),
        ({"type": "authentication_error"}, FatalError, "auth"),
        ({"code": 400, "message": "too long"}, PermanentError, "bad_request"),
        ({"code": 503}, TransientError, "server"),
        ("overloaded", TransientError, "server"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_object_under_status_200_is_classed_by_what_it_says(
    report: object, outcome: type[CompletionError], kind: str, stream: bool
) -> None:
    server = (
        streaming(event({"error": report}))
        if stream
        else Server([b'{"error": %s}' % event(report)[6:].strip()])
    )
    error = await server.failure(stream=stream)
    assert (type(error), error.kind, error.billed) == (outcome, kind, "unknown")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n\n",
        b"{",
        b"7",
        b"[" * 200_000,
        b"\xff\xfe",
        plain(choices=None),
        plain(choices=[]),
        plain(choices=[{"message": 7}]),
        plain(choices=[{"message": {"content": 7}}]),
        plain(choices=[{"message": {"tool_calls": 7}}]),
        plain(choices=[{"message": {"tool_calls": [{}]}}]),
    ],
)
async def test_a_plain_200_that_is_no_completion_is_transient(body: bytes) -> None:
    error = await Server([body], headers={"content-type": "application/json"}).failure(stream=False)
    assert (type(error), error.kind, error.status, error.billed) == (
        TransientError,
        "malformed",
        None,
        "unknown",
    )


async def test_a_plain_body_without_end_is_given_up() -> None:
    error = await Server([b" " * 2**20] * 65).failure(stream=False)
    assert (type(error), error.kind) == (TransientError, "malformed")


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "text/plain", ""])
async def test_html_in_answer_to_a_stream_is_quoted(kind: str) -> None:
    error = await Server([HTML], headers={"content-type": kind}).failure()
    assert (type(error), error.kind, error.begun) == (TransientError, "gateway", False)
    assert "500 Internal Server Error" in str(error)


@pytest.mark.parametrize("lead", [b"", b"\n\n  ", b"\xef\xbb\xbf", b"<!-- a proxy -->\n"])
async def test_html_instead_of_a_plain_answer_is_the_gateways(lead: bytes) -> None:
    error = await Server([lead + HTML], headers={"content-type": "text/html"}).failure(stream=False)
    assert (type(error), error.kind, error.billed) == (TransientError, "gateway", "unknown")
    assert (
        str(error)
        == "deepseek sent what is no completion: a page of HTML: '500 Internal Server Error'"
    )


CERTIFICATE = httpx2.ConnectError("certificate verify failed")
CERTIFICATE.__cause__ = ssl.SSLCertVerificationError("self-signed")
CONNECTIONS = [
    (httpx2.ConnectError("refused"), TransientError, "connection", "no"),
    (httpx2.ProxyError("403"), TransientError, "connection", "no"),
    (httpx2.ConnectTimeout("10 s"), TransientError, "timeout", "no"),
    (httpx2.PoolTimeout("pool"), TransientError, "timeout", "no"),
    (CERTIFICATE, PermanentError, "connection", "no"),
    (httpx2.UnsupportedProtocol("gopher"), PermanentError, "connection", "no"),
    (httpx2.ReadError("reset"), TransientError, "connection", "unknown"),
    (httpx2.WriteError("broken pipe"), TransientError, "connection", "unknown"),
    (httpx2.RemoteProtocolError("disconnected"), TransientError, "connection", "unknown"),
    (httpx2.ReadTimeout("30 s"), TransientError, "timeout", "unknown"),
]


@pytest.mark.parametrize(("raised", "outcome", "kind", "billed"), CONNECTIONS)
async def test_a_connection_that_fails_before_the_headers(
    raised: Exception, outcome: type[CompletionError], kind: str, billed: str
) -> None:
    server = streaming(*WHOLE_STREAM)
    server.before_headers = [raised]
    error = await server.failure()
    assert (type(error), error.kind, error.billed, error.partial) == (outcome, kind, billed, None)


async def test_a_connection_that_breaks_in_the_body_of_an_error_is_transient() -> None:
    error = await Server([b"{", httpx2.ReadError("reset")], status=500).failure()
    assert (type(error), error.kind) == (TransientError, "connection")


def test_a_fault_is_found_though_payloads_are_parsed_late() -> None:
    """Behind the first token of the answer nothing is parsed at once, but an error is."""
    half, fault = chunk({"content": "Be"}), event({"error": {"message": "overloaded"}})
    error = run_virtual(lambda: streaming(half, half, fault, 3600.0).failure())
    assert error.kind == "server"
    assert error.partial is not None
    assert error.partial.content == "BeBe"


ADVICE = (
    "; if this happens when several calls are in flight, the server may cut one stream for the"
    " next: try --no-stream or --in-flight 1"
)
TORN: list[tuple[str, list[Piece], bool]] = [
    ("no [DONE] and no finish reason", [*HALF], True),
    ("reset", [*HALF, httpx2.ReadError("reset")], True),
    ("reset before the first token", [WHOLE_STREAM[0], httpx2.ReadError("reset")], True),
    ("cut inside a chunk", [*HALF, WHOLE_STREAM[4][:40]], True),
    ("garbage in the middle", [*HALF, b"data: {oops}\n\n", WHOLE_STREAM[4]], False),
    ("an error event", [*HALF, event({"error": {"message": "oops"}})], False),
]


@pytest.mark.parametrize(
    ("pieces", "advised"), [case[1:] for case in TORN], ids=[case[0] for case in TORN]
)
async def test_a_torn_stream_leads_to_the_settings_that_help(
    pieces: list[Piece], advised: bool
) -> None:
    error = await streaming(*pieces).failure()
    assert str(error).endswith(ADVICE) == advised


async def test_a_plain_answer_that_breaks_off_is_not_told_to_stop_streaming() -> None:
    error = await Server([plain()[:40], httpx2.ReadError("reset")]).failure(stream=False)
    assert (error.kind, "--no-stream" in str(error)) == ("connection", False)
