"""`harness resume`: continue a run from its directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.adapters.results_dir import read_manifest
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.run import run_and_report
from harness.errors import ResultsError

# What decides the answers, and where they go, stays as the run began.
_FIXED = {
    *("workflow", "prompts", "endpoint", "base_url", "model", "thinking", "effort", "out"),
    *("topic_field", "id_field", "filter", "shuffle"),
}
RESUME_OPTIONS = tuple(name for name in RUN_OPTIONS if name not in _FIXED)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@settings_options(*RESUME_OPTIONS)
def resume(run: Path, **values: Any) -> None:
    """Continue the run in the directory RUN: what is unfinished or failed is done, what is finished stays.

    It goes on with the settings it began with; flags given here rule over them (a higher --budget, say).
    """
    manifest = read_manifest(run)
    try:
        base = {name: value for name, value in manifest["settings"].items() if value is not None}
        source = str(manifest["dataset"]["path"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{run / 'run.json'}: lacks {error}, so the run cannot be continued") from None
    if source == "-":
        raise ResultsError(f"{run}: its standard input was not kept, so it cannot be continued")
    for shown in ("json", "quiet", "verbose", "yes"):
        base.pop(shown, None)
    run_and_report(loaded_from(values, base={**base, "out": str(run)}), source, continued=True)
