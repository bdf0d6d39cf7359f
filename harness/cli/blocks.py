"""Blocks of a report on standard output: coloured on a terminal, plain with marks everywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.diffs.words import plain, visible
from harness.domain.sanitize import terminal_safe
from harness.regress.comparing.document import Block, Changed, Heading, Lines, Table

_PLAIN_WIDTH = 200
_STYLES = {"removed": "red strike", "added": "green", "skipped": "dim", "equal": ""}


def print_blocks(blocks: Iterable[Block], file: TextIO) -> None:
    """Print the blocks, a blank line between parts."""
    console = Console(file=file, width=None if file.isatty() else _PLAIN_WIDTH, highlight=False, soft_wrap=True)
    for number, block in enumerate(blocks):
        if number and isinstance(block, Heading | Table):
            console.print()
        _print(block, console)


def _print(block: Block, console: Console) -> None:
    match block:
        case Heading():
            console.print(Text(terminal_safe(block.text), style="bold"))
        case Lines():
            for line in block.lines:
                console.print(Text(f"  {terminal_safe(line)}"))
        case Table():
            console.print(_table(block), soft_wrap=False)
        case Changed():
            console.print(Text(f"  {terminal_safe(block.title)}:", style="bold"))
            console.print(_changed(block, coloured=console.is_terminal and not console.no_color))


def _table(block: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(block.columns):
        shown.add_column(Text(terminal_safe(column), style="dim"), justify="left" if index < block.texts else "right")
    for row in block.rows:
        shown.add_row(*(Text(terminal_safe(cell)) for cell in row))
    return shown


def _changed(block: Changed, *, coloured: bool) -> Text:
    if not coloured:
        return _indented(Text(terminal_safe(plain(block.pieces))))
    return _indented(Text.assemble(*((terminal_safe(visible(one)), _STYLES[one.kind]) for one in block.pieces)))


def _indented(text: Text) -> Text:
    return Text("\n").join(Text("    ") + line if line else line for line in text.split("\n", allow_blank=True))
