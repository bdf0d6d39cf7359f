"""Whole batches on the mock, on virtual time, for tests."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from harness.domain.redo import ALL_LEFT, Redo
from harness.engine.stopping import Stop
from harness.runs.batch import run_batch
from harness.runs.session import Report
from harness.settings import Loaded, load_settings
from harness.testing.virtual_time import VirtualClock

RUN_ID = "20261116-120000-abcdef"
ONE_CALL = (
    'async def ask(step, topic):\n    return (await step.complete("ask", topic.text)).content\n'
)
"""A workflow of one call."""


def a_workflow(directory: Path, source: str = ONE_CALL) -> str:
    """The name by which a run finds the function `ask` of this source."""
    file = directory / "flow.py"
    file.write_text(source)
    return f"{file}:ask"


def a_topic_file(directory: Path, number: int, *, name: str = "topics.jsonl") -> Path:
    path = directory / name
    rows = (
        {"id": f"topic-{index}", "topic": f"The history of invention number {index}"}
        for index in range(number)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def loaded(directory: Path, **settings: Any) -> Loaded:
    """Settings for the mock, with the cache and the results in a directory, and nothing of the
    environment.
    """
    chosen = {
        "endpoint": "mock",
        "cache": directory / "cache.db",
        "out": directory / "out",
        **settings,
    }
    return load_settings(
        {name: value for name, value in chosen.items() if value is not None}, environ={}
    )


async def run(
    directory: Path,
    source: Path | str,
    *,
    stop: Stop | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    run_id: str = RUN_ID,
    redo: Redo = ALL_LEFT,
    **settings: Any,
) -> Report:
    """A session of the run in `directory / "out"`."""
    return await run_batch(
        *(loaded(directory, **settings), str(source)),
        stop=stop,
        clock=VirtualClock(),
        run_id=run_id,
        transport=transport,
        redo=redo,
    )


def clear(directory: Path) -> None:
    """Take away the results and the cache of a run."""
    shutil.rmtree(directory / "out")
    for file in directory.glob("cache.db*"):
        file.unlink()


def rows_of(directory: Path, name: str = "results") -> list[dict[str, Any]]:
    path = directory / "out" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def manifest_of(directory: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((directory / "out" / "run.json").read_text())
    return manifest


def journaled(directory: Path, outcome: str, run_id: str = RUN_ID) -> int:
    """How many requests of a run came to this end."""
    with closing(sqlite3.connect(directory / "cache.db")) as database:
        query = "SELECT count(*) FROM calls WHERE outcome = ? AND run_id = ?"
        number: int = database.execute(query, (outcome, run_id)).fetchone()[0]
    return number


@dataclass(frozen=True, slots=True)
class Files:
    """The bytes of what a run leaves."""

    results: bytes
    traces: bytes
    manifest: bytes

    @classmethod
    def of(cls, directory: Path) -> Files:
        out = directory / "out"
        return cls(
            *((out / name).read_bytes() for name in ("results.jsonl", "traces.jsonl", "run.json"))
        )


# How an answer came, and when: what a run that was resumed tells otherwise than one that was not.
OF_THE_MOMENT = ("session", "started_at", "elapsed_s", "sequential_s", "hits")


def lasting(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What two runs of the same topics have in common, in the order of the dataset."""
    kept = [
        {name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows
    ]
    return sorted(kept, key=lambda row: int(row["index"]))
