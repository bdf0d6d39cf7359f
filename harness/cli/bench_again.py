"""The commands for a benchmark that is there: `bench report` and `bench compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.bench.bench_report import BenchReport
from harness.bench.bench_report import as_json as json_of
from harness.bench.compare import compare as comparison_of
from harness.bench.compare import comparison_document
from harness.bench.files import read_bench
from harness.bench.outputs import write_reports
from harness.bench.tables import document_of
from harness.cli.help import SectionedCommand
from harness.cli.output import say_fields, say_json
from harness.errors import SettingsError
from harness.render.document import Field
from harness.render.terminal import show
from harness.text.safe import terminal_safe


@click.command(cls=SectionedCommand)
@click.argument("path", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def report(path: Path, as_json: bool) -> None:
    """Write the reports and plots of the benchmark in DIR again, from what was measured, and show
    them.
    """
    show_report(write_reports(read_bench(path), warn), path, as_json=as_json)


@click.command(cls=SectionedCommand)
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def compare(one: Path, other: Path, as_json: bool) -> None:
    """Tell whether the benchmark OTHER got slower than ONE. Both must have measured the same
    work.
    """
    benches = read_bench(one), read_bench(other)
    if one.resolve() == other.resolve():
        raise SettingsError(
            f"{one} and {other} are one benchmark, which cannot be slower than itself; name two"
        )
    found = comparison_of(*benches)
    if as_json:
        say_json(json_of(found))
        return
    show(comparison_document(found), sys.stdout)


def warn(line: str) -> None:
    """Write a line on standard error, for a person to read."""
    click.echo(terminal_safe(line), err=True)


def show_report(found: BenchReport, path: Path, *, as_json: bool) -> None:
    """Show a report on standard output."""
    if as_json:
        say_json(json_of(found))
        return
    show(document_of(found), sys.stdout)
    say_fields(Field("results", str(path), whole=True))
