"""A collector that nobody here wrote receives a run: rotel, in an environment of its own, tells
what it was sent.

It decodes OTLP by itself, in another language than ours, and prints each span and metric; what it
prints is compared with the rows of the run.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from batches import RUN_ID, a_topic_file, rows_of, run
from environments import environment_with
from processes import PATIENCE_S, until

from harness.telemetry.names import INSTRUMENTS

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ROTEL = ("rotel==0.0.1a15",)
FIND = "import pathlib, rotel; print(pathlib.Path(rotel.__file__).parent / 'rotel-agent')"


@dataclass
class Received:
    """A span as the collector shows it; attributes as the texts that it prints, without their
    types.
    """

    trace_id: str = ""
    parent_id: str = ""
    id: str = ""
    name: str = ""
    kind: str = ""
    status: str = ""
    start_ns: int = 0
    end_ns: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    events: int = 0


@dataclass
class Collector:
    url: str
    output: Path

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def spans(self) -> list[Received]:
        found = []
        for block in re.split(r"^Span #\d+$", self.text(), flags=re.MULTILINE)[1:]:
            own = re.split(r"^Resource(?:Spans|Metrics) #", block, flags=re.MULTILINE)[0]
            told, _, events = own.partition("\nEvents:")
            found.append(
                Received(
                    trace_id=_line(told, "Trace ID"),
                    parent_id=_line(told, "Parent ID"),
                    id=_line(told, "ID"),
                    name=_line(told, "Name"),
                    kind=_line(told, "Kind"),
                    status=_line(told, "Status code"),
                    start_ns=int(_line(told, "Start time")),
                    end_ns=int(_line(told, "End time")),
                    attributes=dict(
                        re.findall(r"^ +-> ([\w.]+): \w+\((.*)\)$", told, flags=re.MULTILINE)
                    ),
                    events=events.count("harness.attempt_failed"),
                )
            )
        return found

    def sums(self) -> dict[str, float]:
        """The sum over all points of each counter."""
        found: dict[str, float] = {}
        for block in re.split(r"^Metric #\d+$", self.text(), flags=re.MULTILINE)[1:]:
            name = re.search(r"-> Name: (.*)", block)
            assert name is not None
            found[name[1]] = sum(
                float(value) for value in re.findall(r"^Value: (.*)$", block, flags=re.MULTILINE)
            )
        return found


def _line(block: str, name: str) -> str:
    found = re.search(rf"^ *{name} *: ?(.*)$", block, flags=re.MULTILINE)
    return found[1].strip() if found else ""


@pytest.fixture
def collector(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    python = environment_with("rotel", ROTEL, tmp_path_factory.getbasetemp()) / "python"
    agent = subprocess.run(
        [str(python), "-c", FIND], capture_output=True, text=True, check=True
    ).stdout.strip()
    with _running(agent, tmp_path / "collector.txt") as running:
        yield running


@contextmanager
def _running(agent: str, output: Path) -> Iterator[Collector]:
    http, grpc = _free_port(), _free_port()
    command = [
        *(agent, "start", "--exporter", "blackhole", "--batch-timeout", "20ms"),
        *("--debug-log", "traces", "--debug-log", "metrics", "--debug-log-verbosity", "detailed"),
        *("--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
        *(
            "--pid-file",
            str(output.with_suffix(".pid")),
            "--log-file",
            str(output.with_suffix(".log")),
        ),
    ]
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            until(lambda: _answers(http))
            yield Collector(f"http://127.0.0.1:{http}", output)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.harness_virtual_time
async def test_a_collector_receives_what_the_rows_say(collector: Collector, tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 12)
    # A filter's refusal is a topic's own failure, however the requests meet; the others are sent
    # again.
    faults = "content-filter=0.1,500=0.1,429-rpm=0.05,length=0.1"
    report = await run(
        tmp_path, source, otlp=collector.url, faults=faults, latency="fixed:2", attempts=2
    )
    results, calls = rows_of(tmp_path), rows_of(tmp_path, "traces")
    parts = {(call["topic_id"], call["parent"]) for call in calls if call["parent"]}
    expected = len(results) + len(calls) + len(parts)
    until(lambda: len(collector.spans()) >= expected and "harness.calls.limit" in collector.text())
    spans = collector.spans()

    # What is compared below is worth something only if all of it was there.
    assert report.totals["failed"] > 0
    assert any(call["error"] for call in calls)
    assert any(call["served"]["failures"] and not call["error"] for call in calls)
    assert len(spans) == expected

    topics = {
        span.attributes["harness.topic.id"]: span
        for span in spans
        if span.name == "invoke_workflow research"
    }
    by_id = {(span.trace_id, span.id): span for span in spans}
    assert set(topics) == {row["topic_id"] for row in results}
    assert len({span.trace_id for span in topics.values()}) == len(topics)
    for row in results:
        span = topics[row["topic_id"]]
        assert span.parent_id == ""
        assert span.attributes["harness.run.id"] == RUN_ID
        assert (span.end_ns - span.start_ns) / 1e9 == pytest.approx(row["elapsed_s"], abs=0.001)
        assert (span.status == "STATUS_CODE_ERROR") == (row["status"] == "failed")

    for span in spans:
        if span.parent_id:
            above = by_id[(span.trace_id, span.parent_id)]
            assert above.start_ns <= span.start_ns <= span.end_ns <= above.end_ns

    told = {(span.attributes["harness.topic.id"], span.attributes["harness.call.id"]): span
            for span in spans if span.name.startswith("chat ")}  # fmt: skip
    assert len(told) == len(calls)
    for call in calls:
        span = told[(call["topic_id"], call["id"])]
        assert (span.name, span.kind) == ("chat deepseek-flash", "SPAN_KIND_CLIENT")
        assert (span.end_ns - span.start_ns) / 1e9 == pytest.approx(
            call["end_s"] - call["start_s"], abs=1e-5
        )
        assert span.events == len(call["served"]["failures"])
        assert span.attributes["harness.attempts"] == str(call["served"]["attempts"])
        assert span.attributes.get("error.type") == (
            call["error"]["kind"] if call["error"] else None
        )
        if call["error"] is None and not call["served"]["failures"]:
            usage = {
                name: int(span.attributes[f"gen_ai.usage.{attribute}"])
                for name, attribute in USAGE.items()
            }
            assert usage == call["usage"]
            assert float(span.attributes["gen_ai.response.time_to_first_chunk"]) > 0
            assert span.attributes["gen_ai.response.finish_reasons"] == "Str(stop)"

    sums = collector.sums()
    assert set(sums) == {instrument.name for instrument in INSTRUMENTS}
    assert sums["harness.topics"] == len(results)
    assert sums["harness.calls"] == len(calls)
    assert sums["harness.cost"] == pytest.approx(report.totals["cost"])

    # No content: nothing of what was asked or answered.
    text = collector.text()
    assert "The history of invention" not in text
    assert not [call["id"] for call in calls if call["content"] and call["content"][:40] in text]


USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read.input_tokens",
    "reasoning_tokens": "reasoning.output_tokens",
}


@pytest.mark.harness_virtual_time
async def test_with_content_the_collector_receives_the_texts(
    collector: Collector, tmp_path: Path
) -> None:
    await run(tmp_path, a_topic_file(tmp_path, 1), otlp=collector.url, otlp_content=True)
    until(lambda: "harness.calls.limit" in collector.text())

    asked = [
        span.attributes["gen_ai.input.messages"]
        for span in collector.spans()
        if span.name.startswith("chat ")
    ]
    assert all("invention number 0" in messages for messages in asked)
