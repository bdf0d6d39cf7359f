"""`harness config`: every effective setting, and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.domain.endpoint import GENERIC_KEY_ENV
from harness.errors import PromptsError
from harness.render.plain import aligned_row
from harness.runs.wanted import recorded
from harness.settings import Settings
from harness.text.safe import one_line
from harness.workflows.loading import load_workflow

_IN_FILES = {
    "workflow_settings": "[workflow]",
    "steps": "[steps]",
    "prices": "[prices]",
    "endpoints": "[endpoints]",
}


@click.command(cls=SectionedCommand)
@click.option(
    "--show-prompts",
    cls=SectionedOption,
    section="Workflow",
    is_flag=True,
    help="Print the workflow's prompts file instead, to copy and change.",
)
@settings_options(*RUN_OPTIONS)
def config(show_prompts: bool, **values: Any) -> None:
    """Every effective setting and where it comes from: flag, environment, file or default.

    \b
    harness config --show-prompts > my-prompts.toml    then harness run … --prompts my-prompts.toml
    """
    loaded = loaded_from(values)
    if show_prompts:
        click.echo(_prompts_of(loaded.settings), nl=False)
        return
    effective = _effective(loaded.settings)
    if loaded.settings.json_output:
        say_json(
            {
                name: {"value": value, "from": loaded.origins[name]}
                for name, value in effective.items()
            }
        )
        return
    widths = (max(map(len, effective)), 32, 0)
    for name, value in effective.items():
        shown = "-" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
        cells = (_IN_FILES.get(name, name), one_line(shown, 60), one_line(loaded.origins[name]))
        click.echo(aligned_row(cells, widths))
    for name in sorted(loaded.keys):
        click.echo(aligned_row((name, "***", "a key, never shown"), widths))
    if loaded.key_problem is not None:
        click.echo(f"note: {one_line(loaded.key_problem)}", err=True)
    if loaded.ignored:
        click.echo(
            f"note: no settings of ours, and ignored: {one_line(', '.join(loaded.ignored))}",
            err=True,
        )


def _prompts_of(settings: Settings) -> str:
    """The text of the file that the workflow takes its prompts from. Raises PromptsError where
    there is none.
    """
    workflow = load_workflow(
        settings.workflow, prompts_file=settings.prompts, settings=settings.workflow_settings
    )
    if workflow.prompts_file is None:
        raise PromptsError(
            f"the workflow {workflow.name} has no prompts file: its prompts stand in its code"
        )
    return workflow.prompts_file.read_text(encoding="utf-8-sig")


def _effective(settings: Settings) -> dict[str, Any]:
    """Return what rules, also where a default follows from another setting: the endpoint, its
    model, the key's variable.
    """
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
