"""A document as plain text, for a pipe, a file or a log. Each line is whole, however long; changes
have marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from harness.diffs.words import plain as marked
from harness.render.document import (
    Block,
    Code,
    Diff,
    Document,
    Fold,
    Heading,
    Line,
    Lines,
    Paragraph,
    Table,
    stands_apart,
)
from harness.text.safe import terminal_safe

INDENT = "  "
GAP = "  "
"""Between the columns of a table."""
QUOTE = "    | "
"""Before each line of a quoted text. It keeps the log of a CI job from reading the line as a
command.
"""


def plain(document: Document) -> str:
    """The document as text, with a line feed at its end."""
    return "".join(f"{line.text}\n" for line in plain_lines(document))


def plain_lines(document: Document) -> Iterator[Line]:
    """The lines of a document with their tones. They command no terminal."""
    for number, block in enumerate(document):
        if number and stands_apart(block):
            yield Line("")
        yield from block_lines(block)


def block_lines(block: Block) -> Iterator[Line]:
    """The lines of one block."""
    match block:
        case Heading():
            yield Line(terminal_safe(block.text), block.tone)
        case Paragraph():
            yield from (Line(terminal_safe(line.text), line.tone) for line in block.lines)
        case Lines():
            yield from _statements(block)
        case Table():
            yield from _table(block)
        case Diff():
            yield from _diff(block)
        case Code():
            yield from _quoted(block)
        case Fold():
            yield Line(f"{INDENT}{terminal_safe(block.summary)}", "strong")
            yield from chain.from_iterable(map(block_lines, block.blocks))


def aligned(table: Table) -> list[str]:
    """The columns and the rows of a table, each a line; a wide character counts as the two cells
    that it takes.
    """
    rows = [[terminal_safe(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(cells_of, column)) for column in zip(*rows, strict=True)]
    for number, least in enumerate(table.least):
        widths[number] = max(widths[number], least)
    return [_row(row, widths, table.texts) for row in rows]


def cells_of(text: str) -> int:
    """The width of a text on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - most reports have nothing that needs it

    return cell_len(text)


def _statements(block: Lines) -> Iterator[Line]:
    for one in block.lines:
        line = Line(one) if isinstance(one, str) else one
        yield Line(f"{INDENT}{terminal_safe(line.text)}", line.tone)


def _diff(block: Diff) -> Iterator[Line]:
    yield Line(f"{INDENT}{terminal_safe(block.title)}:", "strong")
    for text in terminal_safe(marked(block.pieces)).split("\n"):
        yield Line(f"{2 * INDENT}{text}" if text else "")


def _table(block: Table) -> Iterator[Line]:
    if block.title:
        yield Line(terminal_safe(block.title), "strong")
    header, *rows = aligned(block)
    yield Line(header, "faint")
    for row in rows:
        yield Line(row)


def _row(cells: Sequence[str], widths: Sequence[int], texts: int) -> str:
    parts = []
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        room = " " * (width - cells_of(cell))
        parts.append(cell + room if number < texts else room + cell)
    return GAP.join(parts).rstrip()


def _quoted(block: Code) -> Iterator[Line]:
    lines = terminal_safe(block.text).split("\n")
    shown = lines[: block.most_lines]
    for line in shown:
        yield Line(f"{QUOTE}{line}")
    if len(lines) > len(shown):
        yield Line(f"{2 * INDENT}… and {len(lines) - len(shown):,} lines more", "faint")
