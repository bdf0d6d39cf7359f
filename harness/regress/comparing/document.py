"""A report as blocks that a terminal, a file and a pull request show each in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from harness.diffs.words import Piece, visible
from harness.domain.sanitize import markdown_safe, terminal_safe

_PARAGRAPHS = re.compile(r"(\n\s*)")
_NUMBERS = re.compile(r"[\d.,:% smhin→×–]+")
_TAGS = {"removed": "del", "added": "ins"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """`level` 1 for the report, 2 for a part, 3 for a part of a part."""

    level: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of text, each a statement of its own."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first column, and those of which `texts` is the number, hold words; the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A text with what went and what came, under a title."""

    title: str
    pieces: tuple[Piece, ...]


Block: TypeAlias = Heading | Lines | Table | Changed


def markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown, whatever is in their texts; changes are `<del>` and `<ins>`."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_inline(block.text)}"
        case Lines():
            return "\n".join(f"- {_inline(line)}" for line in block.lines)
        case Table():
            rules = ["---" if number < block.texts else "---:" for number in range(len(block.columns))]
            rows = [block.columns, *block.rows]
            cells = [[_cell(cell) for cell in row] for row in rows]
            return "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], rules, *cells[1:]])
        case Changed():
            return f"**{_inline(block.title)}**\n\n" + "".join(map(_piece, block.pieces))


def _inline(text: str) -> str:
    return markdown_safe(" ".join(text.split()))


def _cell(text: str) -> str:
    """Numbers stay readable in the source, too: in a cell they begin no list."""
    return text if _NUMBERS.fullmatch(text) else _inline(text)


def _piece(piece: Piece) -> str:
    """A piece in its place in a text: tags end with a line, as they cannot reach over paragraphs."""
    tag = _TAGS.get(piece.kind)
    shown = []
    for part in _PARAGRAPHS.split(terminal_safe(visible(piece))):
        if not part.strip():
            shown.append("\n\n" if part.count("\n") > 1 else "  \n" if "\n" in part else part)
            continue
        core = markdown_safe(part.strip())
        before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
        shown.append(f"{before}<{tag}>{core}</{tag}>{after}" if tag else f"{before}{core}{after}")
    return "".join(shown)
