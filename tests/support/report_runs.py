"""Runs on the disk for tests of reports: rows as the harness writes them, made up without running
anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from records import a_result, a_span

from harness.domain.completion import FailedAttempt, Served, Usage
from harness.domain.run import Failure, Span, TopicResult
from harness.records.json_text import to_text
from harness.records.rows import result_to_row, span_to_row
from harness.records.run import Run
from harness.report.digest import Digest


@dataclass(frozen=True, slots=True)
class Told:
    """A topic with its calls."""

    result: TopicResult
    calls: Sequence[Span] = field(default=())
    session: int = 1


def manifest(name: str, topics: int, **changes: Any) -> dict[str, Any]:
    """What `run.json` says of a complete run of so many topics."""
    return {
        "version": 1,
        "run_id": f"id-of-{name}",
        "created_at": "2026-11-20T22:00:00.000+00:00",
        "status": "complete",
        "versions": {"harness": "0.1.0", "python": "3.11.7", "openai": "3.52.0"},
        "dataset": {
            "path": "/somewhere/topics.jsonl",
            "kept": None,
            "sha256": "0" * 64,
            "topics": topics,
        },
        "workflow_sha256": "0" * 64,
        "settings": {"in_flight": 4, "per_run": 2, "runs": 2, "budget": 2.0},
        "identity": {"endpoint": "mock", "model": "deepseek-flash", "workflow": "research"},
        "sessions": 1,
        "session_log": [{"wall_s": 8.0, "places": [[0.0, 2], [3.0, 4]], "stop": None}],
        **changes,
    }


def write_run(directory: Path, told: Sequence[Told], **changes: Any) -> Path:
    """A results directory with these topics, in this order."""
    directory.mkdir(parents=True, exist_ok=True)
    topics = len({one.result.index for one in told})
    (directory / "run.json").write_text(json.dumps(manifest(directory.name, topics, **changes)))
    (directory / "results.jsonl").write_text("")
    (directory / "traces.jsonl").write_text("")
    append(directory, told)
    return directory


def digested(path: Path) -> tuple[Run, Digest]:
    """A run, read to its end."""
    run, digest = Run.open(path), Digest()
    for topic in run.topics():
        digest.add(topic)
    return run, digest


def append(directory: Path, told: Sequence[Told]) -> None:
    """Add topics to a run as its runner does: the calls, and then the row."""
    for one in told:
        append_calls(directory, one)
        append_row(directory, one)


def append_calls(directory: Path, one: Told) -> None:
    """Add the calls of a topic, whose row has yet to come."""
    rows = [span_to_row(call, index=one.result.index, session=one.session) for call in one.calls]
    with (directory / "traces.jsonl").open("a", encoding="utf-8") as traces:
        traces.write("".join(f"{to_text(row)}\n" for row in rows))


def append_row(directory: Path, one: Told) -> None:
    """Add the row of a topic: one write to one file."""
    row = result_to_row(one.result, session=one.session)
    with (directory / "results.jsonl").open("a", encoding="utf-8") as results:
        results.write(f"{to_text(row)}\n")


def a_topic(index: int, **fields: Any) -> Told:
    """A topic of two calls of a second each; the second was refused once. Topics begin a second
    apart.
    """
    name = str(fields.get("topic_id", f"t{index}"))
    refused = FailedAttempt(
        number=1,
        kind="rate_limited",
        message="slow down",
        status=429,
        elapsed_s=0.25,
        backoff_s=0.5,
    )
    usage = Usage(input_tokens=100, output_tokens=60, reasoning_tokens=20, cached_tokens=40)
    calls = (
        a_span(
            name,
            "plan",
            step="plan",
            start_s=index + 0.0,
            end_s=index + 1.0,
            served=Served(latency_s=1.0),
            usage=usage,
        ),
        a_span(
            name,
            "write",
            step="write",
            start_s=index + 1.0,
            end_s=index + 2.75,
            served=Served(
                latency_s=1.0,
                attempts=2,
                failures=(refused,),
                ttft_reasoning_s=0.25,
                ttft_answer_s=0.5,
            ),
            usage=usage,
            reasoning=f"thinking about {name}",
            content=f"the answer to {name}",
        ),
    )
    shape = {
        "topic_id": name,
        "topic": f"Why is {name} so?",
        "output": f"# On {name}\n\nIt is **so**.",
        "cost": 0.25,
    }
    return Told(a_result(index, **{**shape, **fields}), calls)


def a_failed_topic(
    index: int, message: str = "mock answered 500 (trace 0f3a9b77)", **fields: Any
) -> Told:
    failure = Failure(
        type="TransientError", kind="server", status=500, step="plan", message=message
    )
    return a_topic(index, **{"status": "failed", "output": None, "error": failure, **fields})


def a_degraded_topic(index: int, **fields: Any) -> Told:
    failure = Failure(type="Degraded", message="no answer to sub-question 2 of 3")
    sections = (
        {
            "number": 1,
            "question": "What is it?",
            "status": "ok",
            "answer": "It is *this*.",
            "error": None,
            "cited": True,
        },
        {
            "number": 2,
            "question": "And why?",
            "status": "failed",
            "answer": None,
            "error": "broken off",
            "cited": False,
        },
    )
    return a_topic(
        index, **{"status": "degraded", "error": failure, "sections": sections, **fields}
    )
