"""`harness resume`: continue a run from its directory."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.run import reported
from harness.domain.redo import ALL_LEFT, REDONE, Redo, TopicState
from harness.records.manifest import read_manifest
from harness.runs.batch import RESULTS_ROOT
from harness.runs.run_state import newest_run
from harness.runs.wanted import source_of

TOPICS = "Dataset"

# What decides the answers, and where they go, stays as the run began.
_FIXED = {
    *("workflow", "prompts", "endpoint", "base_url", "model", "thinking", "effort", "out"),
    *("topic_field", "id_field", "filter", "shuffle", "yes"),
}
RESUME_OPTIONS = tuple(name for name in RUN_OPTIONS if name not in _FIXED)


def _states(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[TopicState, ...] | None:
    """The states that a list with commas names."""
    if value is None:
        return None
    known = {str(state): state for state in REDONE}
    names = [name.strip() for name in value.split(",") if name.strip()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(REDONE)}"
            raise click.BadParameter(f"{name!r} is no state that is run again; {hint}")
    if not names:
        raise click.BadParameter(f"no state is named; known: {', '.join(REDONE)}")
    return tuple(known[name] for name in names)


@click.command(cls=SectionedCommand)
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "--status",
    "states",
    cls=SectionedOption,
    section=TOPICS,
    metavar="STATES",
    callback=_states,
    help=(
        "Only topics in these states, with commas: failed, degraded, unfinished. A new row takes"
        " the place of the old one.  [default: failed,unfinished]"
    ),
)
@click.option(
    "--topic",
    "topics",
    cls=SectionedOption,
    section=TOPICS,
    metavar="ID",
    multiple=True,
    help="Only this topic, as `harness show` names it, also if it is degraded; may be repeated.",
)
@settings_options(*RESUME_OPTIONS, config=False)
def resume(
    run: Path | None, states: tuple[TopicState, ...] | None, topics: tuple[str, ...], **values: Any
) -> None:
    """Continue the run in the directory RUN: what is unfinished or failed is done, what is finished
    stays.

    Without RUN it is the run under results/ that was begun or continued last. It goes on with the
    settings it began with, whatever harness.toml and the environment say today; the flags given
    here rule over them (a higher --budget, say). Only the key is taken from today's environment or
    .env. New lines at the end of the topic file are run too.
    """
    path = run or _newest()
    manifest = read_manifest(path)
    base = {name: value for name, value in manifest.settings.items() if value is not None}
    source = source_of(path, manifest)
    for shown in ("json", "quiet", "verbose", "log_format", "log_level", "log_file"):
        base.pop(shown, None)
    loaded = loaded_from(values, base={**base, "out": str(path), "yes": True})
    report = reported(loaded, source, continued=True, redo=_redo(states, topics))
    sys.exit(report.exit_code)


def _redo(states: Sequence[TopicState] | None, topics: tuple[str, ...]) -> Redo:
    """The choice of topics. A topic that is named is run again, whatever it lacks."""
    if states is None:
        states = REDONE if topics else ALL_LEFT.states
    return Redo(states=tuple(states), topics=topics)


def _newest() -> Path:
    path = newest_run(RESULTS_ROOT)
    click.echo(f"continuing {path}", err=True)
    return path
