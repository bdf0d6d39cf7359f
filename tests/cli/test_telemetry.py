from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Harness, problem_of

RUN = ("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q")
CLOSED = "http://127.0.0.1:9"
ROOT = Path(__file__).parent.parent.parent


def lines_of(stderr: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in stderr.splitlines()]


def test_a_collector_that_is_down_fails_no_run_and_is_told_of_once(harness: Harness) -> None:
    done = harness(*RUN, "--otlp", CLOSED)

    assert done.exit_code == 0, done.output
    (line,) = lines_of(done.stderr)
    assert (line["level"], line["logger"]) == ("warning", "harness.telemetry")
    assert "the collector at http://127.0.0.1:9 missed" in line["message"]
    rows = [json.loads(row) for row in Path("done/results.jsonl").read_text().splitlines()]
    assert line["run_id"] == rows[0]["run_id"]


def test_a_run_that_goes_on_keeps_its_collector(harness: Harness) -> None:
    harness(*RUN, "--otlp", CLOSED, "--run-calls", "3", "--cache-mode", "off")

    assert json.loads(Path("done/run.json").read_text())["settings"]["otlp"] == CLOSED


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://user:secret@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("127.0.0.1:4318", "must be the URL of a collector, like http://127.0.0.1:4318"),
        ("grpc://127.0.0.1:4317", "must be the URL of a collector"),
    ],
)
def test_what_is_no_url_of_a_collector_is_said_before_anything_is_sent(
    harness: Harness, url: str, said: str
) -> None:
    problem = problem_of(harness(*RUN, "--otlp", url))

    assert said in problem
    assert "secret" not in problem
    assert not Path("done").exists()


def test_without_the_sdk_the_extra_is_named(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "harness.telemetry.otlp", None)

    assert 'pip install "reasoning-harness[otel]"' in problem_of(harness(*RUN, "--otlp", CLOSED))
    assert not Path("done").exists()


def test_nobody_who_does_not_ask_for_it_imports_an_extra() -> None:
    program = (
        "import sys, harness.runs.batch, harness.cli.run,"
        " harness.cli.export\nprint(sorted({'opentelemetry', 'pyarrow', 'requests'} &"
        " {name.partition('.')[0] for name in sys.modules}))"
    )
    # In a process of its own: others in this one did ask for them.
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"
