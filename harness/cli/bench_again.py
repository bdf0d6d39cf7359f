"""The commands for a benchmark that is there: `bench report` and `bench compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.bench.bench_report import BenchReport
from harness.bench.bench_report import as_json as json_of
from harness.bench.compare import compare as comparison_of
from harness.bench.compare import comparison_table
from harness.bench.files import read_bench
from harness.bench.outputs import write_reports
from harness.bench.tables import Table, prose_of, tables_of
from harness.cli.help import SectionedCommand
from harness.cli.output import say_json
from harness.errors import SettingsError
from harness.text.safe import terminal_safe

_PLAIN_WIDTH = 180


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
    _show(comparison_table(found))
    for line in found.notes:
        click.echo(terminal_safe(line))


def warn(line: str) -> None:
    """Write a line on standard error, for a person to read."""
    click.echo(terminal_safe(line), err=True)


def show_report(found: BenchReport, path: Path, *, as_json: bool) -> None:
    """Show a report on standard output."""
    if as_json:
        say_json(json_of(found))
        return
    for table in tables_of(found):
        _show(table)
    for line in prose_of(found):
        click.echo(terminal_safe(line))
    click.echo(f"results   {terminal_safe(str(path))}")


def _show(table: Table) -> None:
    """Print a table on the terminal, or as wide as it needs where there is none."""
    console = Console(
        file=sys.stdout, width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False
    )
    console.print(laid_out(table))


def laid_out(table: Table) -> RichTable:
    """Lay a table out for any width.

    Numbers are folded and names are not, since they tell rows apart; nothing is cut.
    """
    shown = RichTable(
        title=Text(terminal_safe(table.title)), title_justify="left", box=box.SIMPLE_HEAD
    )
    for index, column in enumerate(table.columns):
        is_name = index < table.names
        shown.add_column(
            Text(terminal_safe(column)),
            justify="left" if is_name else "right",
            no_wrap=is_name,
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(Text(terminal_safe(cell)) for cell in row))
    return shown
