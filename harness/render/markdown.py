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
    Field,
    Fields,
    Fold,
    Heading,
    Line,
    Lines,
    Paragraph,
    Table,
)
from harness.text.safe import html_safe, markdown_safe, terminal_safe

_PARAGRAPHS = re.compile(r"(\n\s*)")
# Nothing of this is markup, but a list at the beginning of a line, an underlined heading, and what
# follows a bracket in a link or in the definition of one.
_NO_MARKUP = re.compile(r"[A-Za-z0-9 .,:;=/%$()\[\]'→×–-]*")
_MARKUP = re.compile(r"^[-=:]|^\d+[.)]( |$)|\][(:\[]")
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
        case Fields():
            return "\n".join(map(_field, block.fields))
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


def _field(field: Field) -> str:
    """A point of a list, with the lines below its text as points under it."""
    text = _inline(field.text)
    label = _inline(field.label)
    first = f"- {label}: {text}" if label else f"- {text}"
    return "\n".join([first, *(f"  - {_inline(line)}" for line in field.more)])


def _table(block: Table) -> str:
    columns = len(block.columns)
    rules = (["---"] * block.texts + ["---:"] * columns)[:columns]
    lines = [_row(block.columns), f"| {' | '.join(rules)} |", *map(_row, block.rows)]
    table = "\n".join(lines)
    return f"**{_inline(block.title)}**\n\n{table}" if block.title else table


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_inline, cells))} |"


def _said(line: Line) -> str:
    said = _inline(line.text)
    return f"**{said}**" if line.tone == "strong" else said


def _text(line: str | Line) -> str:
    return line if isinstance(line, str) else line.text


def _inline(text: str) -> str:
    """The text on one line. One without any markup stays readable in the source, too."""
    line = _one_line(text)
    is_plain = _NO_MARKUP.fullmatch(line) and not _MARKUP.search(line)
    return line if is_plain else markdown_safe(line)


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
