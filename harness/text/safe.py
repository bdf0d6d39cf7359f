"""Text from models, servers and files, made safe for where it goes: one function for each kind of
place.

A terminal, a log line, Markdown, HTML, a cell of CSV. What comes out shows the same text and
commands nothing.
"""

from __future__ import annotations

import html
import re

# C0 but tab and line feed, DEL, C1 (which holds CSI and OSC as single characters), and what turns
# or hides text: directional overrides and isolates, and line separators that are not ours.
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)

# What is markup anywhere in a line, and what is only at its beginning: lists, headings drawn by
# underlining, quotes.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>()#&!|~$^]")
_LINE_MARKUP = re.compile(r"^([-+=:]|\d+(?=[.)\\]))")
# As they are, and as full-width forms.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_HALF_PAIRS = re.compile("[\ud800-\udfff]")


def terminal_safe(text: str) -> str:
    """The text with every control character written out, as in `\\x1b`; tabs and line feeds stay.

    Half a surrogate pair, which no terminal encoding can carry, is written out too.
    """
    if _is_plain(text):
        return text
    visible = _COMMANDS.sub(lambda found: _written_out(found[0]), text.replace("\r\n", "\n"))
    return visible.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str, length: int = 200) -> str:
    """`terminal_safe`, white space folded to single spaces, cut with an ellipsis beyond `length`
    characters.
    """
    folded = " ".join(terminal_safe(text).split())
    return folded if len(folded) <= length else folded[: length - 1] + "…"


def json_safe(text: str) -> str:
    """JSON text with every control character that JSON allows as it is replaced by its escape; it
    means the same.
    """
    if _is_plain(text):
        return text
    visible = _COMMANDS.sub(
        lambda found: found[0] if found[0] == "\r" else f"\\u{ord(found[0]):04x}", text
    )
    return _HALF_PAIRS.sub(lambda found: f"\\u{ord(found[0]):04x}", visible)


def markdown_safe(text: str) -> str:
    """Text for a place of its own in Markdown: paragraphs of it are shown as they are, without
    markup, link or HTML.

    White space at the ends of lines is lost, where it would be markup too.
    """
    lines = (_MARKUP.sub(r"\\\g<0>", line.strip()) for line in terminal_safe(text).split("\n"))
    return "\n".join(_LINE_MARKUP.sub(_escaped_beginning, line) for line in lines)


def _escaped_beginning(found: re.Match[str]) -> str:
    beginning = found[1]
    return f"&#{ord(beginning[0])};{beginning[1:]}" if beginning[0].isdigit() else f"\\{beginning}"


def html_safe(text: str) -> str:
    """Text for the content of an HTML element, or for an attribute in quotes."""
    return html.escape(terminal_safe(text), quote=True)


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: with an apostrophe before what would begin
    one.

    Quoting is the CSV writer's business. White space before a formula does not hide it.
    """
    visible = terminal_safe(cell)
    return (
        f"'{visible}"
        if visible.lstrip().startswith(_FORMULA_STARTS) or visible[:1] in ("\t", "\n")
        else visible
    )


def _is_plain(text: str) -> bool:
    """Return whether a text has nothing to be written out; True for most.

    What Python calls printable is no command and no half of a pair, and is told ten times as fast
    as by a regular expression.
    """
    return text.replace("\n", "").replace("\t", "").isprintable()


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
