"""`harness config`: every effective setting, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from harness.cli.help import SectionedCommand
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.domain.endpoint import GENERIC_KEY_ENV
from harness.domain.sanitize import one_line
from harness.manifest import recorded
from harness.settings import Settings

_IN_FILES = {"workflow_settings": "[workflow]", "steps": "[steps]", "prices": "[prices]"}


@click.command(cls=SectionedCommand)
@settings_options(*RUN_OPTIONS)
def config(**values: Any) -> None:
    """Every effective setting and where it comes from: flag, environment, file or default."""
    loaded = loaded_from(values)
    effective = _effective(loaded.settings)
    if loaded.settings.json_output:
        say_json({name: {"value": value, "from": loaded.origins[name]} for name, value in effective.items()})
        return
    width = max(map(len, effective))
    for name, value in effective.items():
        shown = "-" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{_IN_FILES.get(name, name):<{width}} {one_line(shown, 60):<32} {one_line(loaded.origins[name])}")
    for name in sorted(loaded.keys):
        click.echo(f"{name:<{width}} {'***':<32} a key, never shown")
    if loaded.key_problem is not None:
        click.echo(f"note: {one_line(loaded.key_problem)}", err=True)
    if loaded.ignored:
        click.echo(f"note: no settings of ours, and ignored: {one_line(', '.join(loaded.ignored))}", err=True)


def _effective(settings: Settings) -> dict[str, Any]:
    """What rules, also where a default follows from another setting: the endpoint, its model, the key's variable."""
    values = recorded(settings)
    profile = settings.profile
    if profile is None:
        values["api_key_env"] = settings.api_key_env or GENERIC_KEY_ENV
    else:
        values["endpoint"] = profile.name
    if settings.model is not None or (profile is not None and profile.default_model is not None):
        chosen = settings.defaults()
        values |= {"model": chosen.model, "thinking": chosen.thinking}
    return values
