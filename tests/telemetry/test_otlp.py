"""The sink over the SDK, against a server of this test that keeps what it is sent. What a collector
makes of it is in `system/test_collector.py`.
"""

from __future__ import annotations

import errno
import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from records import STARTED_AT, a_result, a_span

from harness.telemetry import names
from harness.telemetry.connection import what_broke
from harness.telemetry.otlp import OtlpSink
from harness.telemetry.story import story_of
from harness.telemetry.values import Measurement

STORY = story_of(a_result(), [a_span()], origin_at=STARTED_AT, content=False)
LEVELS = (Measurement(names.SLOTS, 8, {}),)


class Server(ThreadingHTTPServer):
    """Answers every request with `status` and keeps paths, headers and bodies."""

    status = 200
    location: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.path, headers, gzip.decompress(body)))
        self.send_response(self.server.status)
        if self.server.location is not None:
            self.send_header("location", self.server.location)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def resource_of(body: bytes) -> dict[str, str]:
    (told,) = ExportTraceServiceRequest.FromString(body).resource_spans
    return {attribute.key: attribute.value.string_value for attribute in told.resource.attributes}


def test_spans_and_metrics_go_to_their_places(server: Server) -> None:
    sink = OtlpSink(server.url + "/", run_id="run")

    assert sink.send([STORY]) is None
    assert sink.send_metrics(LEVELS) is None
    assert server.paths == ["/v1/traces", "/v1/metrics"]
    resource = resource_of(server.got[0][2])
    assert (resource["service.name"], resource["harness.run.id"]) == ("harness", "run")


def test_what_the_users_variables_say_of_the_process_rules(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer token")
    OtlpSink(server.url, run_id="run").send([STORY])

    _, headers, body = server.got[0]
    assert headers["authorization"] == "Bearer token"
    assert resource_of(body)["service.name"] == "nightly"
    assert resource_of(body)["deployment.environment.name"] == "lab"


def test_no_variable_leads_elsewhere(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")

    assert OtlpSink(server.url, run_id="run").send([STORY]) is None


def test_a_redirection_is_not_followed(server: Server) -> None:
    with serving() as other:
        server.status, server.location = 307, other.url + "/v1/traces"
        assert "a redirection is not followed" in str(
            OtlpSink(server.url, run_id="run").send([STORY])
        )
        assert other.got == []


def test_a_refusal_is_told_with_its_reason_and_printed_by_nobody(
    server: Server, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 400
    sink = OtlpSink(server.url, run_id="run")

    assert "400" in str(sink.send([STORY]))
    assert "400" in str(sink.send_metrics(LEVELS))
    assert sink.troubled
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert logging.getLogger("opentelemetry.exporter").handlers == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "it answered with HTTP 400"),
        (
            401,
            "it answered with HTTP 401 (it wants a token: put it into OTEL_EXPORTER_OTLP_HEADERS)",
        ),
        (404, "it answered with HTTP 404 (nothing takes OTLP over HTTP there)"),
    ],
)
def test_what_a_collector_answered_is_told_in_our_words(
    server: Server, status: int, said: str
) -> None:
    server.status = status
    assert OtlpSink(server.url, run_id="run").send([STORY]) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.ReadTimeout("Max retries exceeded"), "it did not answer in time"),
        (
            requests.exceptions.SSLError("EOF"),
            "no secure connection: its certificate is not trusted, or it speaks plain HTTP",
        ),
        (requests.ConnectionError(), "the connection broke"),
    ],
)
def test_why_there_was_no_answer_is_told_in_our_words(error: Exception, said: str) -> None:
    assert what_broke(error) == said


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (socket.gaierror(-2, "unknown"), "there is no host of this name"),
        (OSError(errno.ENETUNREACH, "unreachable"), "network is unreachable"),
    ],
)
def test_what_lies_behind_a_broken_connection_is_found(cause: Exception, said: str) -> None:
    outer = requests.ConnectionError("HTTPConnectionPool(host=…): Max retries exceeded")
    outer.__context__ = ValueError("in between")
    outer.__context__.__cause__ = cause
    assert what_broke(outer) == said


def test_a_sink_that_was_given_up_takes_nothing_more(server: Server) -> None:
    sink = OtlpSink(server.url, run_id="run")
    sink.give_up()

    assert sink.send([STORY]) is not None
    assert server.got == []


def test_a_disabled_sdk_sends_nothing_and_complains_of_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    sink = OtlpSink(server.url, run_id="run")

    assert (sink.send([STORY]), sink.send_metrics(LEVELS)) == (None, None)
    assert server.got == []
