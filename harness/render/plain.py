"""A document as plain text, for a pipe, a file or a log. Each line is whole, however long; changes
have marks.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import chain

from harness.diffs.words import plain as marked
from harness.render.document import (
    Block,
    Code,
    Diff,
    Document,
    Field,
    Fields,
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
LABEL = 10
"""The least width of the labels of fields, with the gap behind them: that of `stopping`."""
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
        case Fields():
            yield from _fields(block)
        case Table():
            yield from _table(block)
        case Diff():
            yield from _diff(block)
        case Code():
            yield from _quoted(block)
        case Fold():
            yield Line(f"{INDENT}{terminal_safe(block.summary)}", "strong")
            yield from chain.from_iterable(map(block_lines, block.blocks))


def _fields(block: Fields) -> Iterator[Line]:
    width = label_width(block)
    for field in block.fields:
        for line in field_lines(field, width):
            yield Line(line)


def label_width(block: Fields) -> int:
    """The column at which the texts of the fields begin."""
    return max([LABEL, *(cells_of(field.label) + len(GAP) for field in block.fields)])


def field_lines(field: Field, width: int) -> Iterator[str]:
    """The lines of a field, its texts beginning at the column `width`."""
    label = terminal_safe(field.label)
    for text in (field.text, *field.more):
        for line in terminal_safe(text).split("\n"):
            yield aligned_row((label, line), (width - len(GAP), 0))
            label = ""


def aligned(table: Table) -> list[str]:
    """The columns and the rows of a table, each a line; a wide character counts as the two cells
    that it takes.
    """
    rows = [[terminal_safe(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(cells_of, column)) for column in zip(*rows, strict=True)]
    for number, least in enumerate(table.least):
        widths[number] = max(widths[number], least)
    numbers = range(table.texts, len(widths))
    return [aligned_row(row, widths, right=numbers) for row in rows]


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


def aligned_row(cells: Sequence[str], widths: Sequence[int], *, right: Container[int] = ()) -> str:
    """Write one row on a line, also of a list that is shown while it is read. The columns `right`
    stand at the right.

    Cells are safe text; one that is wider than its column moves those behind it.
    """
    parts = []
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        room = " " * (width - cells_of(cell))
        parts.append(room + cell if number in right else cell + room)
    return GAP.join(parts).rstrip()


def _quoted(block: Code) -> Iterator[Line]:
    lines = terminal_safe(block.text).split("\n")
    shown = lines[: block.most_lines]
    for line in shown:
        yield Line(f"{QUOTE}{line}")
    if len(lines) > len(shown):
        yield Line(f"{2 * INDENT}… and {len(lines) - len(shown):,} lines more", "faint")
