"""A table [steps.NAME] for a step that is not there, as each command meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of

TYPO = '[steps.decompose]\nmax_tokens = 100\n\n[steps.reserch]\neffort = "high"\n'
SAID = "[steps.reserch]: the workflow research has no step 'reserch'; did you mean 'research'?"
DYNAMIC = (
    "async def flow(step, topic):\n    return (await step.complete(topic.id, topic.text)).content\n"
)
SUITE = """\
dataset = "topics.jsonl"
cassette = "recorded.jsonl"
[settings]
endpoint = "mock"

[steps.reserch]
effort = "high"

[[check]]
name = "something"
step = "research"
contains = "a"
"""


@pytest.mark.parametrize(
    "command",
    [
        ("run", "topics.jsonl", "--out", "out"),
        ("estimate", "topics.jsonl"),
        ("record", "topics.jsonl", "--cassette", "made.jsonl"),
        ("bench", "topics.jsonl", "--virtual", "--latency", "fixed:1", "--out", "out"),
    ],
    ids=lambda command: command[0],
)
def test_it_is_refused_by_file_and_line_before_anything_is_done(
    harness: Harness, command: tuple[str, ...]
) -> None:
    Path("harness.toml").write_text(TYPO)
    before = set(Path().iterdir())

    refused = harness(*command, "--endpoint", "mock")

    assert problem_of(refused) == f"harness.toml:4: {SAID}"
    assert set(Path().iterdir()) == before


@pytest.mark.parametrize("on_miss", ["fail", "record"])
def test_a_suite_is_refused_by_its_own_line_before_anything_is_paid_for(
    harness: Harness, on_miss: str
) -> None:
    Path("suite.toml").write_text(SUITE)
    recorded = harness(
        "record", "topics.jsonl", "--cassette", "recorded.jsonl", "--endpoint", "mock", "-q"
    )
    assert recorded.exit_code == 0, recorded.output

    refused = harness("check", "suite.toml", "--on-miss", on_miss, "--yes")

    assert problem_of(refused) == f"suite.toml:6: {SAID}"


def test_a_run_that_began_with_it_is_still_resumed(harness: Harness, a_run: Path) -> None:
    manifest = json.loads((a_run / "run.json").read_text())
    manifest["settings"]["steps"] = manifest["identity"]["steps"] = {"reserch": {"effort": "high"}}
    (a_run / "run.json").write_text(json.dumps(manifest))

    resumed = harness("resume", str(a_run), "-q")

    assert resumed.exit_code == 0, resumed.output
    assert "has no step 'reserch'" in resumed.output


def test_a_step_that_cannot_be_told_runs_and_is_named(harness: Harness) -> None:
    Path("own.py").write_text(DYNAMIC)
    Path("harness.toml").write_text('[steps.sky]\neffort = "high"\n')

    ran = harness(
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--workflow",
        "own.py:flow",
        "--out",
        "out",
        "-q",
    )

    assert ran.exit_code == 0, ran.output
    assert "it cannot be told whether the workflow own.py:flow has a step 'sky'" in ran.output
    [sky] = [span for span in _spans(Path("out")) if span["step"] == "sky"]
    assert sky["request"]["effort"] == "high"


def _spans(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "traces.jsonl").read_text().splitlines()]
