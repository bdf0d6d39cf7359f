"""A picture of some lines at the bottom of a terminal, repainted in place: what to write for it,
and nothing else.

The cursor rests at the beginning of the picture's first line, whatever is painted. So when a
terminal is resized, and folds the lines that are there in its own way, everything from the cursor
down is ours and can be erased. A frame is one write, shown at once by terminals that know
synchronized output (mode 2026; others ignore it). It writes only the lines that changed, never
erases what it is about to write again, and lets no line wrap (mode 7), whatever is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.live.picture import Line, Style

BEGIN = "\x1b[?2026h\x1b[?7l"
END = "\x1b[?7h\x1b[?2026l"
HIDE_CURSOR = "\x1b[?25l"
ERASE = "\r\x1b[J"
_TO_END_OF_LINE = "\x1b[K"
_CODES: dict[Style, str] = {
    "": "",
    "dim": "2",
    "bold": "1",
    "red": "31",
    "yellow": "33",
    "green": "32",
}
_COLORS = ("red", "yellow", "green")


def styled(line: Line, *, color: bool) -> str:
    """The line with its styles; without `color` only the bold and the dim ones."""
    parts = []
    for text, style in line:
        code = "" if style in _COLORS and not color else _CODES[style]
        parts.append(f"\x1b[{code}m{text}\x1b[0m" if code and text else text)
    return "".join(parts)


def frame(before: Sequence[str] | None, after: Sequence[str]) -> str:
    """Say what turns one picture into the next; `before` None: whatever is there is erased first.

    Nothing at all where both are the same.
    """
    changed = [
        number
        for number, line in enumerate(after)
        if before is None or line not in before[number : number + 1]
    ]
    surplus = before is not None and len(before) > len(after)
    if not changed and not surplus:
        return ""
    out = [BEGIN]
    if before is None:
        out.append(ERASE)
    if before is None or len(after) > len(before):
        # Room is made by moving down, which scrolls where the screen ends.
        out.append("\n" * (len(after) - 1) + _up(len(after) - 1))
    row = 0
    for number in changed:
        out.append(f"{_down(number - row)}\r{after[number]}{_TO_END_OF_LINE}")
        row = number
    if surplus:
        out.append(f"{_down(len(after) - row)}{ERASE}")
        row = len(after)
    out.append(f"{_up(row)}\r{END}")
    return "".join(out)


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows > 0 else ""


def _down(rows: int) -> str:
    return f"\x1b[{rows}B" if rows > 0 else ""
