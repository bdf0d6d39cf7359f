"""The blocks that a report is made of.

They hold text as it is. A renderer makes it safe for the place that it writes to, so a block may
carry the words of a model or a server. Whoever makes a block decides what is said; a renderer
decides only how it looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.diffs.words import Piece

Tone = Literal["plain", "good", "bad", "faint", "strong"]
"""The meaning of a line, which a terminal shows as a colour. The other renderers leave colours
out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """`level` 1 for the report, 2 for a part, 3 for a part of a part."""

    level: int
    text: str
    tone: Tone = "strong"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, with its tone. White space at its beginning is kept where lines are shown as they
    are.
    """

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Lines that belong together, apart from what is before them.

    Markdown joins them to running text, with the strong ones in bold.
    """

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Statements, each a line of its own below what they belong to; in Markdown a list."""

    lines: tuple[str | Line, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A label of a word or two, a text beside it, and `more` lines below the text.

    A `whole` one is a path or a command: no line of it is broken between words, so that it can be
    copied. Without a label it belongs to the field above.
    """

    label: str
    text: str
    more: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Labels with a text each, the texts under each other. White space at the beginning of a line
    is kept where lines are shown as they are.
    """

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first `texts` columns hold words and stand at the left; the others hold numbers and stand
    at the right.

    `least` are the least widths of the columns in plain text, so that a table of few short rows is
    not cramped.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    title: str = ""
    least: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """A text with what went and what came, under a title."""

    title: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A text quoted as it is. `most_lines` are shown in a terminal and in plain text; None is all
    of them.
    """

    text: str
    language: str = "text"
    most_lines: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Blocks under a summary; Markdown shows the summary, and the rest when it is opened."""

    summary: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Heading | Paragraph | Lines | Fields | Table | Diff | Code | Fold
Document: TypeAlias = Iterable[Block]
"""Blocks in their order. A long report is made and rendered block by block."""


def paragraph(*texts: str, tone: Tone = "plain") -> Paragraph:
    """A paragraph whose lines have all one tone."""
    return Paragraph(lines=tuple(Line(text, tone) for text in texts))


def stands_apart(block: Block) -> bool:
    """True if a blank line divides this block from what is before it, where lines are shown as they
    are.
    """
    return isinstance(block, Heading | Table | Paragraph)
