"""`harness status`: how a run stands, also while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.adapters.runs.results_dir import is_running, read_manifest, read_standing
from harness.cli.output import say, say_json
from harness.cli.summary import run_lines


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "json_output", is_flag=True, help="Print JSON for machines.")
def status(run: Path, json_output: bool) -> None:
    """How the run in the directory RUN stands."""
    manifest, standing, running = read_manifest(run), read_standing(run), is_running(run)
    totals = standing.totals.as_json()
    unfinished = standing.unfinished(manifest["dataset"]["topics"])
    if json_output:
        known = {name: manifest.get(name) for name in ("run_id", "created_at", "status", "sessions", "session_log")}
        say_json({**known, "running": running, "totals": {**totals, "unfinished": unfinished}})
        return
    lines = run_lines(run, manifest, totals, unfinished, running=running, failures=standing.failures())
    say("\n".join(lines))
