"""`harness config`: every effective setting, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from harness.cli.help import SectionedCommand
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.domain.sanitize import one_line
from harness.manifest import recorded

_IN_FILES = {"workflow_settings": "[workflow]", "steps": "[steps]", "prices": "[prices]"}


@click.command(cls=SectionedCommand)
@settings_options(*RUN_OPTIONS)
def config(**values: Any) -> None:
    """Every effective setting and where it comes from: flag, environment, file or default."""
    loaded = loaded_from(values)
    effective = recorded(loaded.settings)
    if loaded.settings.json_output:
        say_json({name: {"value": value, "from": loaded.origins[name]} for name, value in effective.items()})
        return
    for name, value in effective.items():
        shown = "-" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{_IN_FILES.get(name, name):<16} {one_line(shown, 60):<32} {one_line(loaded.origins[name])}")
    for name in sorted(loaded.keys):
        click.echo(f"{name:<16} {'***':<32} a key, never shown")
    if loaded.key_problem is not None:
        click.echo(f"note: {one_line(loaded.key_problem)}", err=True)
    if loaded.ignored:
        click.echo(f"note: no settings of ours, and ignored: {one_line(', '.join(loaded.ignored))}", err=True)
