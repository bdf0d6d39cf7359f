"""A document for a stream: in colours on a terminal that wants them, as plain text everywhere
else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from harness.diffs.words import visible
from harness.render.document import Block, Diff, Document, Table, Tone, stands_apart
from harness.render.plain import GAP, INDENT, aligned, block_lines, cells_of, plain_lines
from harness.text.safe import terminal_safe

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_COLOURS: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "bold red",
    "faint": "dim",
    "strong": "bold",
}
_CHANGES = {"removed": "red strike", "added": "green", "skipped": "dim", "equal": ""}


def show(document: Document, file: TextIO) -> None:
    """Print the document. Without a terminal, nothing of rich is loaded."""
    if not file.isatty():
        for line in plain_lines(document):
            file.write(f"{line.text}\n")
        return
    from rich.console import Console  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth

    console = Console(file=file, highlight=False)
    for number, block in enumerate(document):
        if number and stands_apart(block):
            console.print()
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
    for them.
    """
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    shown = RichTable(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0))
    fits = max(map(cells_of, aligned(block))) <= columns
    for number, column in enumerate(block.columns):
        least = block.least[number] if fits and block.least else None
        title = Text(terminal_safe(column), style="dim")
        shown.add_column(
            title, justify="left" if number < block.texts else "right", min_width=least
        )
    for row in block.rows:
        shown.add_row(*(Text(terminal_safe(cell)) for cell in row))
    return shown


def _coloured(block: Diff) -> Text:
    from rich.text import Text  # noqa: PLC0415 - as above

    text = Text()
    for piece in block.pieces:
        text.append(terminal_safe(visible(piece)), style=_CHANGES[piece.kind])
    lines = []
    for line in text.split("\n", allow_blank=True):
        lines.append(Text(2 * INDENT) + line if line else line)
    return Text("\n").join(lines)
