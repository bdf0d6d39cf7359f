"""The weather table: each thing that can happen to a request on the wire has one outcome, from the
socket to the row.

Whole runs of one topic and one call on virtual time, through every layer; each situation streamed
and plain, met once and met for ever.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx2
import pytest
from batches import manifest_of
from weathering import ATTEMPTS, IDLE_S, TOTAL_S, Reply, Sending, Squall, weathered

from harness.testing import Fault, FaultPlan

pytestmark = pytest.mark.harness_virtual_time

ANSWERED = (Fault.KEEP_ALIVE, Fault.BLANK_LINES)
"""Bad weather that only takes time."""

RETRIED: dict[Fault, tuple[str, str]] = {
    # What it is called: streamed, plain
    Fault.RESET_BEFORE_HEADERS: ("connection", "connection"),
    Fault.RESET: ("connection", "connection"),
    Fault.STALL: ("timeout", "timeout"),
    Fault.TRICKLE: ("timeout", "timeout"),
    Fault.ENDLESS_KEEP_ALIVE: ("timeout", "timeout"),
    Fault.BLANK_LINES_THEN_CLOSE: ("incomplete", "malformed"),
    # A stream with a finish reason is whole without [DONE].
    Fault.EOF_AFTER_FINISH: ("", "malformed"),
    Fault.EOF_WITHOUT_FINISH: ("incomplete", "malformed"),
    Fault.CUT_IN_CHUNK: ("malformed", "malformed"),
    Fault.CUT_IN_CHARACTER: ("malformed", "malformed"),
    Fault.EMPTY_STOP: ("blank", "blank"),
    Fault.BLANK_JSON: ("blank", "blank"),
    Fault.INSUFFICIENT_SYSTEM_RESOURCE: ("interrupted", "interrupted"),
    Fault.ABORTED: ("interrupted", "interrupted"),
    Fault.HTML_200: ("gateway", "gateway"),
    Fault.EMPTY_200: ("incomplete", "malformed"),
    Fault.MALFORMED_JSON: ("malformed", "malformed"),
    Fault.CHOICES_NULL: ("incomplete", "malformed"),
    Fault.ERROR_OBJECT_200: ("server", "server"),
    Fault.ERROR_EVENT: ("server", "server"),
    Fault.BARE_ERROR_LINE: ("server", "server"),
    Fault.RATE_CONCURRENCY: ("rate_limited", "rate_limited"),
    Fault.RATE_TPM: ("rate_limited", "rate_limited"),
    Fault.RATE_RPM: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_SECONDS: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_FLOAT: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_DATE: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_MS: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_NEGATIVE: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_NAN: ("rate_limited", "rate_limited"),
    Fault.RATE_AFTER_HOURS: ("rate_limited", "rate_limited"),
    Fault.SERVER_ERROR: ("server", "server"),
    Fault.SERVER_ERROR_HTML: ("gateway", "gateway"),
    Fault.BAD_GATEWAY: ("server", "server"),
    Fault.UNAVAILABLE: ("server", "server"),
    Fault.GATEWAY_TIMEOUT: ("gateway", "gateway"),
    Fault.OCTET_STREAM_ERROR: ("server", "server"),
}
ROW_FAILED: dict[Fault, str] = {
    Fault.CONTENT_FILTER: "content_filter",
    Fault.LENGTH: "length",
    Fault.REDIRECT: "redirect",
    Fault.BAD_REQUEST: "bad_request",
    Fault.UNPROCESSABLE: "bad_request",
}
RUN_STOPPED: dict[Fault, str] = {
    Fault.UNAUTHORIZED: "auth",
    Fault.FORBIDDEN: "auth",
    Fault.INSUFFICIENT_BALANCE: "balance",
    Fault.INSUFFICIENT_QUOTA: "balance",
}

PAID_FOR = {"blank", "interrupted", "length", "content_filter"}
"""The provider generated an answer and told its usage: what it cost is known."""
FREE = {"rate_limited", "bad_request", "redirect"}
"""Refused before anything was generated. So is a 5xx, but not an error in a stream that had
begun.
"""
REFUSALS_5XX = {fault for fault in RETRIED if fault.value[0] == "5"} | {Fault.OCTET_STREAM_ERROR}


def test_the_table_has_every_fault() -> None:
    assert {*ANSWERED, *RETRIED, *ROW_FAILED, *RUN_STOPPED} == set(Fault)
    assert len(ANSWERED) + len(RETRIED) + len(ROW_FAILED) + len(RUN_STOPPED) == len(Fault)


def kind_of(fault: Fault, *, stream: bool) -> str:
    return RETRIED[fault][0 if stream else 1]


def cost_is_known(fault: Fault, kind: str) -> bool:
    return kind in PAID_FOR | FREE or fault in REFUSALS_5XX


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("fault", [*ANSWERED, *RETRIED], ids=str)
async def test_bad_weather_that_passes_is_answered(
    fault: Fault, stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.first(fault)), stream=stream)

    kind = "" if fault in ANSWERED else kind_of(fault, stream=stream)
    assert found.report.exit_code == 0
    assert found.row is not None
    assert found.row["output"].strip()
    assert found.sent == (2 if kind else 1)
    assert [failure["kind"] for failure in found.failures] == ([kind] if kind else [])
    assert found.report.spent.cost > 0
    assert (found.report.spent.cost_at_risk > 0) == (kind != "" and not cost_is_known(fault, kind))


# A stream that ends after its finish reason is an answer, with or without [DONE].
STAYING = [
    (fault, stream)
    for fault in RETRIED
    for stream in (True, False)
    if kind_of(fault, stream=stream)
]


@pytest.mark.parametrize(("fault", "stream"), STAYING, ids=str)
async def test_bad_weather_that_stays_fails_the_row_after_six_requests(
    fault: Fault, stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind = kind_of(fault, stream=stream)
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.always(fault)), stream=stream)

    assert found.report.exit_code == 1
    assert found.report.stop is None
    assert found.row is not None
    assert (found.row["status"], found.row["error"]["kind"]) == ("failed", kind)
    assert found.sent == ATTEMPTS
    assert [failure["kind"] for failure in found.failures] == [kind] * ATTEMPTS
    assert all(failure["message"] for failure in found.failures)
    assert (found.report.spent.cost > 0) == (kind in PAID_FOR)
    assert (found.report.spent.cost_at_risk > 0) == (not cost_is_known(fault, kind))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("fault", ROW_FAILED, ids=str)
async def test_what_would_fail_again_fails_the_row_at_once(
    fault: Fault, stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.always(fault)), stream=stream)

    assert found.report.exit_code == 1
    assert found.row is not None
    assert (found.row["status"], found.row["error"]["kind"]) == ("failed", ROW_FAILED[fault])
    assert (found.sent, found.kinds) == (1, {ROW_FAILED[fault]})
    assert (found.report.spent.cost > 0) == (ROW_FAILED[fault] in PAID_FOR)
    assert found.report.spent.cost_at_risk == 0


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("fault", RUN_STOPPED, ids=str)
async def test_a_refused_account_stops_the_run(
    fault: Fault, stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.always(fault)), stream=stream)

    assert found.report.exit_code == 3
    assert found.report.stop is not None
    assert found.report.stop.kind == RUN_STOPPED[fault] == manifest_of(tmp_path)["status"]
    assert (found.sent, found.row) == (1, None)
    assert found.report.unfinished == 1
    assert found.report.spent.cost == found.report.spent.cost_at_risk == 0


def _certificate_error() -> Exception:
    error = httpx2.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    return error


SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
CHOICE = b'{"index":0,"message":{"role":"assistant","content":"Rayleigh."},"finish_reason":"stop"}'
USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}'


def plain(choice: bytes = CHOICE, usage: bytes = USAGE) -> Reply:
    return Reply(
        [b'{"model":"deepseek-flash","choices":[' + choice + b"]," + usage + b"}"], headers=JSON
    )


def event(text: bytes) -> Reply:
    return Reply([b"data: " + text + b"\n\n"], headers=SSE)


TRANSIENT: dict[str, tuple[Reply, str]] = {
    "refused": (Reply(before=httpx2.ConnectError("Connection refused")), "connection"),
    "no such name": (Reply(before=httpx2.ConnectError("Name or service not known")), "connection"),
    "no connection in time": (Reply(before=httpx2.ConnectTimeout("timed out")), "timeout"),
    "a broken proxy": (Reply(before=httpx2.ProxyError("502")), "connection"),
    "write error": (Reply(before=httpx2.WriteError("broken pipe")), "connection"),
    "no HTTP": (Reply(before=httpx2.RemoteProtocolError("bad status line")), "connection"),
    "silence before the headers": (Reply(before=86_400.0), "timeout"),
    "silence in the body": (Reply([b'{"a', 86_400.0], headers=JSON), "timeout"),
    "broken gzip": (Reply([b"no gzip"], headers={**JSON, "content-encoding": "gzip"}), "malformed"),
    "not UTF-8": (Reply([b'{"choices":[\xff\xfe]}'], headers=JSON), "malformed"),
    "a list": (Reply([b"[]"], headers=JSON), "malformed"),
    "a deep nest": (Reply([b"[" * 200_000], headers=JSON), "malformed"),
    "no choices": (Reply([b'{"choices":[]}'], headers=JSON), "malformed"),
    "choices of text": (Reply([b'{"choices":"none"}'], headers=JSON), "malformed"),
    "a choice without a message": (plain(b'{"finish_reason":"stop"}'), "blank"),
    "content that is a number": (plain(CHOICE.replace(b'"Rayleigh."', b"7")), "malformed"),
    "no finish reason and no text": (
        plain(b'{"message":{"content":null},"finish_reason":null}'),
        "incomplete",
    ),
    "only spaces": (plain(CHOICE.replace(b"Rayleigh.", b" \\n\\t ")), "blank"),
    "aborted": (plain(CHOICE.replace(b"stop", b"aborted")), "interrupted"),
    "an error without a message": (Reply([b'{"error":{"code":503}}'], headers=JSON), "server"),
    "a rate limit under 200": (
        Reply([b'{"error":{"type":"rate_limit_error"}}'], headers=JSON),
        "rate_limited",
    ),
    "a rate limit in a stream": (
        event(b'{"error":{"code":"429","message":"slow down"}}'),
        "rate_limited",
    ),
    "an event of garbage": (event(b"<doc>"), "malformed"),
    "an event of HTML": (event(b"<!doctype html>"), "gateway"),
    "overloaded under 404": (Reply([b'{"error":{"message":"Loading model"}}'], 404), "server"),
    "a limit of a minute under 403": (
        Reply([b'{"error":{"message":"a secondary rate limit"}}'], 403),
        "rate_limited",
    ),
    "an error event": (Reply([b"event: error\ndata: overloaded\n\n"], headers=SSE), "server"),
    "a delta that is text": (event(b'{"choices":[{"delta":"Ray"}]}'), "incomplete"),
    "no end of an event": (Reply([b"data: "] + [b"x" * 2**20] * 20, headers=SSE), "malformed"),
    "408": (Reply(status=408), "timeout"),
    "409": (Reply(status=409), "server"),
    "425": (Reply(status=425), "server"),
    "529": (Reply([b"<title>overloaded</title>"], status=529), "gateway"),
    "404 of a proxy": (Reply([b"<h1>nginx</h1>"], status=404), "gateway"),
}
ROWS: dict[str, tuple[Reply, str]] = {
    "a certificate that is not trusted": (Reply(before=_certificate_error()), "connection"),
    "a model that repeats itself": (plain(CHOICE.replace(b"stop", b"repetition")), "malformed"),
    "an answer that is withheld": (plain(CHOICE.replace(b"stop", b"recitation")), "content_filter"),
    "a refusal": (plain(CHOICE.replace(b'"Rayleigh."', b'null,"refusal":"No."')), "refusal"),
    "403 without a word": (Reply(status=403), "forbidden"),
    "404": (Reply([b'{"detail":"Not Found"}'], status=404), "bad_request"),
    "413": (Reply(status=413), "too_long"),
    "a prompt that is flagged": (
        Reply([b'{"error":{"message":"Your input was flagged"}}'], 403),
        "content_filter",
    ),
    "a prompt that is too long": (
        Reply([b'{"error":{"code":"context_length_exceeded"}}'], 400),
        "too_long",
    ),
    "a prompt flagged in a stream": (
        event(b'{"error":{"status":400,"code":"content_filter"}}'),
        "content_filter",
    ),
    "300": (Reply(status=300), "redirect"),
    "301 to another host": (
        Reply(status=301, headers={"location": "https://elsewhere.invalid/"}),
        "redirect",
    ),
    "304": (Reply(status=304), "redirect"),
    "a bad request under 200": (
        Reply([b'{"error":{"code":400,"message":"no"}}'], headers=JSON),
        "bad_request",
    ),
}
STOPS: dict[str, tuple[Reply, str]] = {
    "402 without a word": (Reply(status=402), "balance"),
    "403 that speaks of the key": (Reply([b'{"error":{"message":"no permission"}}'], 403), "auth"),
    "400 that speaks of the key": (
        Reply([b'{"error":{"message":"No connected db."}}'], 400),
        "auth",
    ),
    "407": (Reply(status=407), "auth"),
    "no credit under 400": (
        Reply([b'{"error":{"message":"Your credit balance is too low"}}'], 400),
        "balance",
    ),
    "no balance in Chinese": (
        Reply(['{"error":{"message":"账户余额不足"}}'.encode()], 403),
        "balance",
    ),
    "no quota under 200": (
        Reply([b'{"error":{"code":"insufficient_quota"}}'], headers=JSON),
        "balance",
    ),
    "no quota in a stream": (event(b'{"error":{"code":"insufficient_quota"}}'), "balance"),
    "no key in a stream": (event(b'{"error":{"type":"authentication_error"}}'), "auth"),
    "402 in a stream": (event(b'{"error":{"code":402}}'), "balance"),
}


@pytest.mark.parametrize("times", [1, ATTEMPTS], ids=["passes", "stays"])
@pytest.mark.parametrize("name", TRANSIENT)
async def test_every_passing_trouble_is_met_with_at_most_six_requests(
    name: str, times: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reply, kind = TRANSIENT[name]
    found = await weathered(
        tmp_path, caplog, Squall(reply, times=times), stream=reply.headers == SSE
    )

    assert found.report.exit_code == (0 if times == 1 else 1)
    assert found.sent == (2 if times == 1 else ATTEMPTS)
    assert found.kinds == {kind}


@pytest.mark.parametrize("name", ROWS)
async def test_every_lasting_trouble_fails_the_row_at_once(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reply, kind = ROWS[name]
    found = await weathered(tmp_path, caplog, Squall(reply, times=1), stream=reply.headers == SSE)

    assert found.report.exit_code == 1
    assert (found.sent, found.kinds) == (1, {kind})


@pytest.mark.parametrize("name", STOPS)
async def test_every_refusal_of_the_account_stops_the_run(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reply, cause = STOPS[name]
    found = await weathered(tmp_path, caplog, Squall(reply, times=1), stream=reply.headers == SSE)

    assert found.report.exit_code == 3
    assert found.report.stop is not None
    assert (found.sent, found.report.stop.kind, found.row) == (1, cause, None)


# The mock's night begins on Monday, 16 November 2026, at noon.
RETRY_AFTERS: list[tuple[dict[str, str], float, float]] = [
    # Headers, and between which seconds the next request leaves: as asked and up to a tenth more,
    # or as ever.
    ({"retry-after": "7"}, 7.0, 7.7),
    ({"retry-after": "2.5"}, 2.5, 2.75),
    ({"retry-after-ms": "1500"}, 1.5, 1.65),
    ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5, 1.65),
    ({"retry-after-ms": "nan", "retry-after": "7"}, 7.0, 7.7),
    ({"retry-after": "0"}, 0.05, 0.5),
    ({"retry-after": "1e-9"}, 0.05, 0.055),
    ({"retry-after": "-5"}, 0.05, 0.5),
    ({"retry-after": "nan"}, 0.05, 0.5),
    ({"retry-after": "inf"}, 0.05, 0.5),
    ({"retry-after": "-inf"}, 0.05, 0.5),
    ({"retry-after": "1e999"}, 0.05, 0.5),
    ({"retry-after": ""}, 0.05, 0.5),
    ({"retry-after": "soon"}, 0.05, 0.5),
    ({"retry-after": "14400"}, 120.0, 132.0),
    ({"retry-after": "1e300"}, 120.0, 132.0),
    ({"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}, 120.0, 132.0),
    ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, 120.0, 132.0),
    ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.05, 0.5),
    ({"retry-after": "Mon, 99 Nov 2026 99:99:99 GMT"}, 0.05, 0.5),
    # A date counts from the server's own: its clock, or ours, may be wrong.
    (
        {"retry-after": "Thu, 01 Jan 1970 00:00:20 GMT", "date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        20.0,
        22.0,
    ),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "at_least_s", "at_most_s"), RETRY_AFTERS, ids=lambda value: str(value)[:48]
)
async def test_a_server_that_asks_for_time_gets_it_within_bounds(
    headers: dict[str, str],
    at_least_s: float,
    at_most_s: float,
    status: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = await weathered(
        tmp_path, caplog, Squall(Reply(status=status, headers=headers), times=1), stream=True
    )

    assert found.report.exit_code == 0
    assert found.sent == 2
    assert at_least_s <= found.failures[0]["backoff_s"] <= at_most_s
    # The gate of the account opens at the latest when what was asked for has passed: nobody waits
    # for hours.
    assert found.took_s <= at_most_s + 1.0


async def test_silence_ends_with_the_idle_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.first(Fault.STALL)), stream=True)
    assert found.failures[0]["elapsed_s"] == pytest.approx(IDLE_S, abs=0.01)


@pytest.mark.parametrize("fault", [Fault.TRICKLE, Fault.ENDLESS_KEEP_ALIVE], ids=str)
async def test_endless_signs_of_life_end_with_the_total_deadline(
    fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await weathered(tmp_path, caplog, Sending(FaultPlan.first(fault)), stream=True)
    assert found.failures[0]["elapsed_s"] == pytest.approx(TOTAL_S, abs=0.01)
