"""Each field of `status --json`, in a run that ended, in one that was killed, and in one that goes
on.

A new field needs its value in all three: rows and `run.json` lag behind a run that goes on, and a
run that was killed wrote down neither its end nor its money.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command

from harness.records.directory_lock import DirectoryLock
from harness.records.results_dir import LIVE_FILE
from harness.runs.live_file import Live, live_to_json
from harness.runs.snapshot import Snapshot
from harness.timing.outlook import Range

FROZEN = Path(__file__).parents[1] / "data" / "runs" / "today"
STATES = ("ended", "killed", "goes on")
ALIVE = datetime(2099, 1, 1, tzinfo=UTC)

EXPECTED: dict[str, tuple[Any, Any, Any]] = {
    "run_id": ("20261130-223130-ecc844",) * 3,
    "created_at": ("2026-11-30T22:31:30.693+00:00",) * 3,
    "status": ("complete", "running", "running"),
    "sessions": (2, 2, 2),
    "session_log": (2, 1, 1),
    "path": ("run", "run", "run"),
    "running": (False, False, True),
    "killed": (False, True, False),
    "last_alive": (None, "2099-01-01T00:00:00.000+00:00", None),
    "totals": ((6, 0), (5, 1), (5, 1)),
    "skipped_lines": ([], [], []),
    "failures": (["TopicFailed", "rejected"], ["TopicFailed"], ["TopicFailed"]),
    "journal": (29, 29, 29),
    "left_open": (0, 0, 0),
    "stop": (None, None, None),
    "live": (None, None, 15),
    "begun": (None, None, None),
    "notes": ([], ["what was spent since the last session is not known"], []),
}
"""The part of each field that `in_short` keeps, by state."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> Iterator[Path]:
    """A frozen run, as it ended; or as its second session left it before its last row and its end
    were written.
    """
    monkeypatch.chdir(tmp_path)
    path = Path(shutil.copytree(FROZEN, "run"))
    (path / LIVE_FILE).write_text(
        json.dumps(live_to_json(Live(at=ALIVE, session=2, pid=1, seen=seen())))
    )
    if state == "ended":
        yield path
        return
    manifest = json.loads((path / "run.json").read_text())
    manifest = {**manifest, "status": "running", "session_log": manifest["session_log"][:1]}
    (path / "run.json").write_text(json.dumps(manifest))
    rows = (path / "results.jsonl").read_text().splitlines(keepends=True)
    (path / "results.jsonl").write_text(
        "".join(row for row in rows if '"topic_id":"reject"' not in row)
    )
    if state == "killed":
        yield path
        return
    lock = DirectoryLock.take(path)
    yield path
    lock.release()


def seen() -> Snapshot:
    nothing = Range(low=0.0, likely=0.0, high=None)
    return Snapshot(
        topics=6,
        finished=5,
        degraded=1,
        failed=1,
        open_topics=1,
        in_flight=1,
        places=8,
        maximum=64,
        refusals=0,
        calls=15,
        tokens=100,
        waiting=0,
        elapsed_s=1.0,
        paused_s=0.0,
        cost=0.1,
        unknown_cost=0.0,
        hit_rate=None,
        tokens_per_s=0.0,
        paced=False,
        left=nothing,
        to_come=nothing,
        steps={},
        stages={},
        oldest=(),
        causes={},
        failures=(),
        stopping=None,
    )


def in_short(told: dict[str, Any]) -> dict[str, Any]:
    """Each field as it was told, and of the large ones the numbers that tell the states apart."""
    return {
        **told,
        "session_log": len(told["session_log"]),
        "totals": (told["totals"]["rows"], told["totals"]["unfinished"]),
        "failures": [alike["cause"] for alike in told["failures"]],
        "journal": told["journal"]["calls"],
        "live": None if told["live"] is None else told["live"]["seen"]["calls"],
        "notes": [note.partition(":")[0] for note in told["notes"]],
    }


@pytest.mark.parametrize("state", STATES)
def test_every_field_is_true_whether_a_run_ended_was_killed_or_goes_on(
    run: Path, state: str
) -> None:
    result = run_command("status", str(run), "--json")

    assert result.exit_code == 0, result.exception
    assert in_short(json.loads(result.stdout)) == {
        name: values[STATES.index(state)] for name, values in EXPECTED.items()
    }
