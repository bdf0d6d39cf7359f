"""On which line of a TOML file a value stands: the parser of the standard library does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEADER = re.compile(r"\s*\[\[?\s*(?P<path>[^\[\]]*?)\s*\]\]?\s*(?:#.*)?$")
_ENTRY = re.compile(
    r"""\s*(?P<path>(?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")
_LONG_QUOTES = ('"""', "'''")


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, from 1, on which the table or the value at `path` begins.

    Of its nearest parent where it is inline. A best effort: None where the file is written in a way
    that this does not follow.
    """
    wanted = tuple(path)
    best: tuple[int, int] | None = None
    for number, found in _entries(text):
        depth = len(found)
        if found == wanted[:depth] and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best is not None else None


def line_in_table(text: str, name: str, index: int, path: Sequence[str] = ()) -> int | None:
    """As `line_of`, within the table [[name]] that comes `index`-th, counted from 0."""
    lines = text.split("\n")
    starts = [
        number
        for number, found in _entries(text)
        if found == (name,) and lines[number - 1].lstrip()[:2] == "[["
    ]
    if index >= len(starts):
        return line_of(text, (name,))
    first, after = starts[index], starts[index + 1] if index + 1 < len(starts) else len(lines) + 1
    found = line_of("\n".join(lines[first - 1 : after - 1]), (name, *path))
    return first if found is None else first + found - 1


def place(file: Path | str, text: str, path: Sequence[str]) -> str:
    """`file:line`, or the file alone."""
    line = line_of(text, path)
    return f"{file}:{line}" if line is not None else str(file)


def _entries(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    open_quote: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if open_quote is None:
            if header := _HEADER.match(line):
                table = _parts(header["path"])
                yield number, table
            elif entry := _ENTRY.match(line):
                yield number, (*table, *_parts(entry["path"]))
        open_quote = _quote_after(line, open_quote)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple("".join(found.groups("")) for found in _PART.finditer(dotted))


def _quote_after(line: str, open_quote: str | None) -> str | None:
    """Return the quotes of the long text that is open at the end of a line, if any."""
    position = 0
    while True:
        if open_quote is not None:
            end = line.find(open_quote, position)
            if end < 0:
                return open_quote
            position, open_quote = end + 3, None
        starts = [(at, quote) for quote in _LONG_QUOTES if (at := line.find(quote, position)) >= 0]
        if not starts:
            return None
        at, open_quote = min(starts)
        position = at + 3
