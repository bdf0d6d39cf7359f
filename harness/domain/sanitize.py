"""Text from models, servers and files, made safe to show: nothing in it can command a terminal."""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL, C1 (which holds CSI and OSC as single characters), and what turns or hides text:
# directional overrides and isolates, and line separators that are not ours.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")

_HALF_PAIRS = re.compile("[\ud800-\udfff]")


def terminal_safe(text: str) -> str:
    """The text with every control character written out, as in `\\x1b`; tabs and line feeds stay.

    Half a surrogate pair, which no terminal encoding can carry, is written out too.
    """
    visible = _COMMANDS.sub(lambda found: _written_out(found[0]), text.replace("\r\n", "\n"))
    return visible.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str, length: int = 200) -> str:
    """`terminal_safe`, white space folded to single spaces, cut with an ellipsis beyond `length` characters."""
    folded = " ".join(terminal_safe(text).split())
    return folded if len(folded) <= length else folded[: length - 1] + "…"


def json_safe(text: str) -> str:
    """JSON text with every control character that JSON allows as it is replaced by its escape; it means the same."""
    visible = _COMMANDS.sub(lambda found: found[0] if found[0] == "\r" else f"\\u{ord(found[0]):04x}", text)
    return _HALF_PAIRS.sub(lambda found: f"\\u{ord(found[0]):04x}", visible)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
