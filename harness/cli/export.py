"""`harness export`: a run in the form that other tools open."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.timeline import TIMELINE_FILE, trace_of
from harness.exports.formats import FORMATS
from harness.exports.formats import export as write_export
from harness.exports.jsonl import jsonl_lines
from harness.exports.placing import placed, refuse_unless_free
from harness.exports.source import RunFacts, open_run
from harness.records.chrome_trace import Timeline
from harness.records.run import Run
from harness.text.safe import terminal_safe

STDOUT = Path("-")
CHROME = "chrome"


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "-f",
    "name",
    type=click.Choice([*FORMATS, CHROME]),
    required=True,
    help="What to make of it.",
)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help=(
        "A file for sqlite, jsonl and chrome, a directory for the others; jsonl also takes -. "
        " [default: in RUN]"
    ),
)
@click.option("--force", is_flag=True, help="Replace what an earlier export left.")
def export(run: Path, name: str, out: Path | None, force: bool) -> None:
    """The run in the directory RUN as tables, a database, lines of JSON or reports, in the order of
    its dataset.

    \b
    parquet, csv   two tables, topics and calls
    sqlite         the same with views, for datasette and any SQLite browser
    jsonl          a line a topic, with its calls
    md             a report a topic, and an index
    chrome         the same as harness timeline

    A run that is under way or was interrupted is exported as far as it is. See docs/exports.md.
    """
    if out == STDOUT:
        if name != "jsonl":
            raise click.UsageError("only jsonl can go to standard output; name a place with -o OUT")
        with open_run(run) as rows:
            sys.stdout.buffer.writelines(jsonl_lines(rows))
            facts = rows.facts
    elif name == CHROME:
        target, opened = out or run / TIMELINE_FILE, Run.open(run)
        with open_run(run) as rows:
            facts = rows.facts
        refuse_unless_free(target, directory=False, force=force)
        with placed(target, directory=False) as place, place.open("wb") as file:
            file.writelines(trace_of(opened, Timeline(opened.manifest.run_id), None))
        click.echo(terminal_safe(str(target)))
    else:
        target, facts = write_export(run, name, out, force=force)
        click.echo(terminal_safe(str(target)))
    for line in _notes(run, facts):
        click.echo(terminal_safe(line), err=True)


def _notes(run: Path, facts: RunFacts) -> list[str]:
    """Notes on the run for whoever opens the export."""
    if not facts.running and not facts.unfinished:
        return []
    note = (
        f"note: the run is {facts.standing}: this holds the {facts.finished} of {facts.topics}"
        " topics that are done"
    )
    return [note if facts.running else f"{note}; harness resume {run} does the rest"]
