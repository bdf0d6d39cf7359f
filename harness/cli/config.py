"""`harness config`: every effective setting, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from harness.batch import recorded
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.domain.sanitize import one_line


@click.command()
@settings_options(*RUN_OPTIONS)
def config(**values: Any) -> None:
    """Every effective setting and where it comes from: flag, environment, file or default."""
    loaded = loaded_from(values)
    effective = recorded(loaded.settings)
    if loaded.settings.json_output:
        report = {name: {"value": value, "from": loaded.origins[name]} for name, value in effective.items()}
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    for name, value in effective.items():
        shown = "-" if value is None else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name:<20} {one_line(shown, 60):<32} {loaded.origins[name]}")
    for name in sorted(loaded.keys):
        click.echo(f"{name:<20} {'***':<32} a key, never shown")
