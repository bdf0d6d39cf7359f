"""`harness resume`: continue a run from its directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.adapters.runs.results_dir import read_manifest
from harness.cli.help import SectionedCommand
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.run import run_and_report
from harness.manifest import source_of

# What decides the answers, and where they go, stays as the run began.
_FIXED = {
    *("workflow", "prompts", "endpoint", "base_url", "model", "thinking", "effort", "out"),
    *("topic_field", "id_field", "filter", "shuffle", "yes"),
}
RESUME_OPTIONS = tuple(name for name in RUN_OPTIONS if name not in _FIXED)


@click.command(cls=SectionedCommand)
@click.argument("run", type=click.Path(path_type=Path))
@settings_options(*RESUME_OPTIONS, config=False)
def resume(run: Path, **values: Any) -> None:
    """Continue the run in the directory RUN: what is unfinished or failed is done, what is finished stays.

    It goes on with the settings it began with, whatever harness.toml and the environment say today; the flags given
    here rule over them (a higher --budget, say). Only the key is taken from today's environment or .env.
    """
    manifest = read_manifest(run)
    base = {name: value for name, value in manifest["settings"].items() if value is not None}
    source = source_of(run, manifest)
    for shown in ("json", "quiet", "verbose", "log_format", "log_level", "log_file"):
        base.pop(shown, None)
    loaded = loaded_from(values, base={**base, "out": str(run), "yes": True})
    run_and_report(loaded, source, continued=True)
