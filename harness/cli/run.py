"""`harness run`: a topic file in, finished reports, traces and numbers out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import click

from harness.cli.consent import agreed, exit_unsent
from harness.cli.help import SectionedCommand
from harness.cli.live.progress import show_progress
from harness.cli.log_lines import start_log_lines
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.cli.signals import interruptible
from harness.cli.summary import report_json, summary_of
from harness.domain.redo import ALL_LEFT, Redo
from harness.engine.runner import Workflow
from harness.engine.stopping import Stop
from harness.errors import RunStopped, StorageError
from harness.ports import Answers
from harness.render.terminal import show
from harness.runs.batch import run_batch
from harness.runs.session import Report, Watch
from harness.settings import Loaded, notes_on
from harness.text.safe import terminal_safe
from harness.workflows.in_use import workflow_of
from harness.workflows.loading import LoadedWorkflow

_GC_THRESHOLD = (20_000, 20, 20)
"""Objects made between two collections. A call makes hundreds and leaves no circle behind: Python's
700 would look for circles every other call, for a twentieth of a run's CPU.
"""


@click.command(cls=SectionedCommand)
@click.argument("dataset")
@settings_options(*RUN_OPTIONS)
def run(dataset: str, **values: Any) -> None:
    """Run the topics of DATASET: JSONL or lines of text, also as .gz; - for standard input.

    The same command with the same --out DIR continues what is there. Each option is also a setting
    in harness.toml (in_flight = 8) and a variable (HARNESS_IN_FLIGHT=8).

    Exit codes: 0 all topics ok or degraded, 1 some failed, 2 usage or input, 3 stopped for cause
    (key, balance, budget, disk, a workflow that fails for the first topics), 130 interrupted.
    """
    loaded = loaded_from(values)
    note_aliases(loaded)
    workflow = workflow_of(loaded)
    if not agreed(loaded, workflow, dataset):
        exit_unsent()
    sys.exit(reported(loaded, dataset, workflow=workflow).exit_code)


def reported(
    loaded: Loaded,
    source: str,
    *,
    workflow: LoadedWorkflow | None = None,
    continued: bool = False,
    redo: Redo = ALL_LEFT,
    recording: Answers | None = None,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> Report:
    """Run, show progress, and print the summary. See `run_batch`. Exits where there is no
    report.
    """
    settings = loaded.settings
    start_log_lines(loaded)
    gc.set_threshold(*_GC_THRESHOLD)
    watch, stop = Watch(), Stop()

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(show_progress, watch, settings, stop)
            with suppress(RunStopped):  # interrupted before the run had begun: there is no report
                await run_batch(
                    *(loaded, source),
                    workflow=workflow,
                    stop=stop,
                    watch=watch,
                    continued=continued,
                    redo=redo,
                    recording=recording,
                    wrap=wrap,
                )
            group.cancel_scope.cancel()

    def idle() -> bool:
        return watch.stack is None

    try:
        anyio.run(lambda: interruptible(work, stop, drain_s=settings.drain_timeout, idle=idle))
    except SystemExit as left:
        raise RunStopped(_left_words(left)) from left
    report = watch.report
    if report is None:
        click.echo("interrupted before the run had begun", err=True)
        sys.exit(130)
    print_report(report, loaded)
    if report.stop is not None and report.stop.kind == "storage":
        raise StorageError(report.stop.message)
    return report


def _left_words(left: SystemExit) -> str:
    """Say why there is no summary: in a task that nobody but the workflow knows, `sys.exit` ends
    the loop of all topics.
    """
    said = "" if left.code is None else f": {left.code}"
    return (
        f"a task of the workflow's own ended the program (SystemExit{said}); what was answered is"
        " stored: raise another exception there, then `harness resume`"
    )


def print_report(report: Report, loaded: Loaded) -> None:
    """The summary, or JSON where it was asked for, on standard output."""
    settings = loaded.settings
    if settings.json_output:
        say_json(report_json(report))
    else:
        show([summary_of(report, settings)], sys.stdout)


def note_aliases(loaded: Loaded) -> None:
    """Say, a line each, what was understood otherwise than it was written: a withdrawn model name,
    a base URL.
    """
    for note in () if loaded.settings.quiet else notes_on(loaded.settings):
        click.echo(f"note: {terminal_safe(note)}", err=True)
