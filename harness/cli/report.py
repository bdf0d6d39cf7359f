"""`harness report`: a run, or two side by side, as one HTML file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from harness.cli.place import check_place
from harness.errors import InputError
from harness.records.manifest import read_manifest
from harness.runs.batch import RESULTS_ROOT
from harness.runs.run_state import newest_run
from harness.text.safe import terminal_safe

REPORT_FILE = "report.html"


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.argument("run_b", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Where to write it.  [default: {REPORT_FILE} in RUN, or in RUN_B of two]",
)
def report(run: Path | None, run_b: Path | None, out: Path | None) -> None:
    """The run in the directory RUN as one HTML file that needs nothing else; with RUN_B the two
    side by side.

    Without RUN it is the run under results/ that was begun or continued last.
    The file holds the run's prompts and answers. It loads nothing, from nowhere.
    """
    from harness.report.page import BEGINNING  # noqa: PLC0415 - as below
    from harness.report.plotting import plotting  # noqa: PLC0415 - start-up that `--help` must not pay
    from harness.report.writing import write_report  # noqa: PLC0415 - as above

    run = run or newest_run(RESULTS_ROOT)
    runs = [run] if run_b is None else [run, run_b]
    for path in runs:
        read_manifest(path)
    if run_b is not None and run.samefile(run_b):
        raise InputError(f"{run} and {run_b} are the same run: name two, or one of them")
    target = out or runs[-1] / REPORT_FILE
    check_place(target, begins=BEGINNING, what="report")
    library = plotting()
    summaries = write_report(runs, target, library, now=datetime.now(UTC))
    for each in summaries:
        if each["state"]["tone"] == "busy":
            click.echo(
                terminal_safe(f"{each['name']} is still running: the page shows what is finished"),
                err=True,
            )
    if library.missing:
        click.echo(f"without plots. {library.missing}", err=True)
    size = target.stat().st_size
    click.echo(terminal_safe(f"{target}: {size / 1e6:,.1f} MB; open it in a browser"))
