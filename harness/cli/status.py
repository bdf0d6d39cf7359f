"""`harness status`: the state of a run, also while it runs, and after it was killed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import click

from harness.cli.output import say_json
from harness.cli.standing_text import standing_of, stop_of
from harness.machine.wall_clock import SystemClock
from harness.records.begun import begun_to_json
from harness.render.terminal import show
from harness.runs.batch import RESULTS_ROOT
from harness.runs.live_file import live_to_json
from harness.runs.run_state import RunState, look_at, newest_run


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--json", "json_output", is_flag=True, help="Print JSON for machines.")
def status(run: Path | None, json_output: bool) -> None:
    """Tell how the run in the directory RUN stands.

    Without RUN it is the one under results/ that was begun or continued last.

    It may be running: then this tells what its own display tells. One that was killed is told from
    its rows and from the journal in the cache.
    """
    clock = SystemClock()
    path = run or newest_run(RESULTS_ROOT)
    state = anyio.run(look_at, path, clock)
    if json_output:
        say_json(_as_json(state))
        return
    show([standing_of(state, clock.now())], sys.stdout)


def _as_json(state: RunState) -> dict[str, Any]:
    manifest = state.manifest
    return {
        "run_id": manifest.run_id,
        "created_at": manifest.created_at,
        "status": manifest.status,
        "sessions": manifest.sessions,
        "session_log": manifest.session_log or None,
        "path": str(state.path),
        "running": state.running,
        "killed": state.killed,
        "last_alive": None
        if state.last_alive is None
        else state.last_alive.isoformat(timespec="milliseconds"),
        "totals": {
            **state.sums.as_json(),
            "unfinished": state.unfinished,
            "skipped": state.skipped,
        },
        "skipped_lines": manifest.dataset.skipped_lines,
        "failures": [asdict(alike) for alike in state.failures],
        "journal": state.journal,
        "left_open": len(state.left_open),
        "stop": stop_of(state),
        "live": None if state.live is None else live_to_json(state.live),
        "begun": None if state.begun is None else begun_to_json(state.begun),
        "notes": state.notes,
    }
