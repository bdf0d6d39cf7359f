"""A document as Markdown, whatever is in its texts: nothing of them is markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.diffs.words import Piece, visible
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
)
from harness.text.safe import html_safe, markdown_safe, terminal_safe

_PARAGRAPHS = re.compile(r"(\n\s*)")
_NUMBERS = re.compile(r"[\d.,:% smhin→×–]+")
_TICKS = re.compile(r"`{3,}")
_TAGS = {"removed": "del", "added": "ins"}


def markdown(document: Document) -> str:
    """The document as Markdown; what went and what came is in `<del>` and `<ins>`."""
    return "\n\n".join(markdown_parts(document)) + "\n"


def markdown_parts(document: Document) -> Iterator[str]:
    """The Markdown of each block."""
    for block in document:
        yield block_markdown(block)


def block_markdown(block: Block) -> str:
    """The Markdown of one block, without a line feed at its end."""
    match block:
        case Heading():
            return f"{'#' * block.level} {_inline(block.text)}"
        case Paragraph():
            return " ".join(map(_said, block.lines))
        case Lines():
            return "\n".join(f"- {_inline(_text(line))}" for line in block.lines)
        case Table():
            return _table(block)
        case Diff():
            return f"**{_inline(block.title)}**\n\n" + "".join(map(_piece, block.pieces))
        case Code():
            return fenced(block.text, block.language)
        case Fold():
            summary = f"<details><summary>{html_safe(_one_line(block.summary))}</summary>"
            return "\n\n".join([summary, *map(block_markdown, block.blocks), "</details>"])


def fenced(text: str, language: str = "text") -> str:
    """A text as a block of code, whatever it holds: the fence is longer than any run of backticks
    in it.
    """
    shown = terminal_safe(text)
    fence = "`" * max([3, *(len(run[0]) + 1 for run in _TICKS.finditer(shown))])
    return f"{fence}{language}\n{shown}\n{fence}"


def _table(block: Table) -> str:
    columns = len(block.columns)
    rules = (["---"] * block.texts + ["---:"] * columns)[:columns]
    lines = [_row(_cells(block.columns)), _row(rules)]
    lines += [_row(_cells(row)) for row in block.rows]
    table = "\n".join(lines)
    return f"**{_inline(block.title)}**\n\n{table}" if block.title else table


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Sequence[str]) -> list[str]:
    """Numbers stay readable in the source, too: in a cell they begin no list."""
    cells = []
    for text in row:
        cells.append(text if _NUMBERS.fullmatch(text) else _inline(text))
    return cells


def _said(line: Line) -> str:
    said = _inline(line.text)
    return f"**{said}**" if line.tone == "strong" else said


def _text(line: str | Line) -> str:
    return line if isinstance(line, str) else line.text


def _inline(text: str) -> str:
    return markdown_safe(_one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _piece(piece: Piece) -> str:
    """A piece in its place in a text: tags end with a line, as they cannot reach over
    paragraphs.
    """
    tag = _TAGS.get(piece.kind)
    shown = []
    for part in _PARAGRAPHS.split(terminal_safe(visible(piece))):
        if not part.strip():
            shown.append(_space(part))
            continue
        core = markdown_safe(part.strip())
        before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
        shown.append(f"{before}<{tag}>{core}</{tag}>{after}" if tag else f"{before}{core}{after}")
    return "".join(shown)


def _space(part: str) -> str:
    """White space between words, lines or paragraphs."""
    if part.count("\n") > 1:
        return "\n\n"
    return "  \n" if "\n" in part else part
