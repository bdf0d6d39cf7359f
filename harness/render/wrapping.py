"""Lines for a terminal, wrapped between words: what follows hangs under what it belongs to, and no
word is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells

NARROWEST = 30
"""On a terminal narrower than that a hanging indent would leave no room."""


def wrapped(text: str, columns: int, *, hanging: int) -> str:
    """The text with each line as several, none wider than the terminal but for a word that is wider
    by itself.

    The indent of a line is kept, and `hanging` is how far those that follow it are indented; under
    an arrow, two more.
    """
    return "\n".join("\n".join(_pieces(line, columns, hanging)) for line in text.split("\n"))


def _pieces(line: str, columns: int, hanging: int) -> list[str]:
    if cell_len(line) <= columns or columns < NARROWEST:
        return [line]
    words = line.lstrip(" ")
    own = len(line) - len(words)
    indent = max(own, hanging) + (2 if words.startswith("→ ") else 0)
    # Single spaces only divide; several of them hold columns of a table apart, and stay.
    first, *others = _breakable(words.split(" "), columns - indent)
    lines = [" " * own + first]
    for word in others:
        longer = f"{lines[-1]} {word}"
        if cell_len(longer) <= columns:
            lines[-1] = longer
        else:
            lines.append(" " * indent + word)
    return [piece.rstrip() for piece in lines]


def _breakable(words: Iterable[str], room: int) -> Iterator[str]:
    """The words; one of a script that is written without spaces is cut where the line ends."""
    for word in words:
        if cell_len(word) > room and cell_len(word) > len(word):
            yield from chop_cells(word, room)
        else:
            yield word
