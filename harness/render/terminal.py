"""A document for a stream: in colours on a terminal that wants them, as plain text everywhere
else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from harness.diffs.words import visible
from harness.render.document import Block, Diff, Document, Fields, Table, Tone, stands_apart
from harness.render.plain import (
    GAP,
    INDENT,
    aligned,
    block_lines,
    cells_of,
    field_lines,
    label_width,
    plain_lines,
)
from harness.text.safe import terminal_safe

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

COMMON_COLUMNS = 80
_COLOURS: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "bold red",
    "faint": "dim",
    "strong": "bold",
}
_CHANGES = {"removed": "red strike", "added": "green", "skipped": "dim", "equal": ""}


def show(document: Document, file: TextIO) -> None:
    """Print the document. Without a terminal, nothing of rich is loaded.

    Raises OSError, BrokenPipeError among them, where it cannot be written.
    """
    columns = columns_of(file)
    if columns is None:
        for line in plain_lines(document):
            file.write(f"{line.text}\n")
    else:
        for number, block in enumerate(document):
            if number and stands_apart(block):
                file.write("\n")
            if isinstance(block, Fields):
                file.write(_wrapped(block, columns))
            else:
                _print(block, file)
    file.flush()


def columns_of(stream: TextIO) -> int | None:
    """Return how wide a terminal is, or None for a pipe or a file; one that does not know is taken
    for a common one.
    """
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or COMMON_COLUMNS
    except OSError:
        return COMMON_COLUMNS


def _wrapped(block: Fields, columns: int) -> str:
    """The lines of the fields, each as several where it is too long; they have no colours."""
    from harness.render.wrapping import wrapped  # noqa: PLC0415 - as below

    lines = []
    width = label_width(block)
    for field in block.fields:
        for line in field_lines(field, width):
            # A path or a command is left to the terminal, which folds it so that it is copied
            # whole.
            shown = line if field.whole else wrapped(line, columns, hanging=width)
            lines.append(f"{shown}\n")
    return "".join(lines)


def _print(block: Block, file: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth

    console = Console(file=file, highlight=False)
    for shown in _renderables(block, console):
        # A table is folded within its columns; a line is left to the terminal, so that it is
        # copied whole.
        console.print(shown, soft_wrap=not isinstance(block, Table))


def _renderables(block: Block, console: Console) -> Iterator[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - as above

    if isinstance(block, Table):
        if block.title:
            yield Text(terminal_safe(block.title), style="bold")
        yield _table(block, console.width)
        return
    if isinstance(block, Diff) and console.is_terminal and not console.no_color:
        yield Text(f"{INDENT}{terminal_safe(block.title)}:", style="bold")
        yield _coloured(block)
        return
    for line in block_lines(block):
        yield Text(line.text, style=_COLOURS[line.tone])


def _table(block: Table, columns: int) -> RenderableType:
    """The table with its least widths, or as narrow as it must be where the terminal has no room
    for them. Then numbers are folded before the words that name a row, and nothing is cut.
    """
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    shown = RichTable(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0))
    fits = max(map(cells_of, aligned(block))) <= columns
    whole_names = _names_fit(block, columns)
    for number, column in enumerate(block.columns):
        least = block.least[number] if fits and block.least else None
        is_text = number < block.texts
        shown.add_column(
            Text(terminal_safe(column), style="dim"),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=is_text and whole_names,
            min_width=least,
        )
    for row in block.rows:
        shown.add_row(*(Text(terminal_safe(cell)) for cell in row))
    return shown


def _names_fit(block: Table, columns: int) -> bool:
    """True if the columns of words leave a third of the terminal to those of numbers."""
    if block.texts == len(block.columns):
        return False
    names = Table(
        columns=block.columns[: block.texts],
        rows=tuple(row[: block.texts] for row in block.rows),
        texts=block.texts,
    )
    return max(map(cells_of, aligned(names))) <= columns * 2 / 3


def _coloured(block: Diff) -> Text:
    from rich.text import Text  # noqa: PLC0415 - as above

    text = Text()
    for piece in block.pieces:
        text.append(terminal_safe(visible(piece)), style=_CHANGES[piece.kind])
    lines = []
    for line in text.split("\n", allow_blank=True):
        lines.append(Text(2 * INDENT) + line if line else line)
    return Text("\n").join(lines)
