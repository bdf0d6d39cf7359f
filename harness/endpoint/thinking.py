"""Reasoning that stands in the text of an answer, at its head.

Where a server does not tell reasoning apart, the model's own marks stay in the text (`marks`). A
template may have written the opening one, so that only `</think>` comes. A server may also drop
marks and leave their words: gpt-oss then writes `analysis…assistantfinal…`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.endpoint.marks import SPACE, UNOPENED, Kind, MarkReader, opening_in

FINAL_WORDS = "assistantfinal"
"""The rest of the marks between gpt-oss's reasoning and its answer once the marks are dropped."""
_ANALYSIS = "analysis"
_WORDS_HEAD = re.compile(rf"{_ANALYSIS}(?=[^\W_]|[\"'“‘«])")
_CLOSING = re.compile("|".join(map(re.escape, UNOPENED)), re.IGNORECASE)
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_QUOTES = "`'\"“”‘’«»"
_SENTENCE_ENDS = ".!?…。！？:;)]}"


class Split(NamedTuple):
    reasoning: str
    answer: str


def split(text: str) -> Split:
    """The reasoning at the head of a text, and what follows it.

    No reasoning where the text begins with the answer.
    """
    parts: dict[Kind, str] = {"reasoning": "", "answer": ""}

    def told(kind: Kind, part: str) -> None:
        parts[kind] += part

    marked = MarkReader(told)
    marked.feed(text)
    marked.end()
    if marked.opened:
        return Split(parts["reasoning"].strip(), without_lead(parts["answer"]))
    place = _words_of_channels(text) or _unopened(text)
    if place is None:
        return Split("", text)
    begin, start, end = place
    return Split(text[begin:start].strip(), without_lead(text[end:]))


def mark_in(text: str) -> str:
    """The mark by which `split` finds reasoning in a text; "" where it finds none."""
    marked = MarkReader(lambda kind, part: None)
    marked.feed(text)
    marked.end()
    if marked.opened:
        return marked.opening if split(text).reasoning else ""
    place = _words_of_channels(text) or _unopened(text)
    return "" if place is None else text[place[1] : place[2]]


def without_stray_mark(text: str) -> str:
    """Return an answer without the closing mark at its head of reasoning that stands elsewhere."""
    found = _CLOSING.match(text, len(text) - len(text.lstrip()))
    if found is None or not _ends_a_thought("", text[found.end() :]):
        return text
    return text[found.end() :]


def without_lead(text: str) -> str:
    """Return the text behind reasoning, without the blank lines between.

    The first line keeps its indentation.
    """
    lead = len(text) - len(text.lstrip())
    line = text.rfind("\n", 0, lead) + 1
    return text[line:] if line else text[lead:]


def without_blank_lines(text: str) -> str:
    """A text without the blank lines at its head."""
    lead = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, lead) + 1 :]


def begins_with_words(text: str) -> bool | None:
    """Return whether a text begins as gpt-oss's reasoning does without its marks.

    None: that cannot be told yet.
    """
    body = text.lstrip(SPACE)
    if _ANALYSIS.startswith(body):
        return None
    return _WORDS_HEAD.match(body) is not None


def _words_of_channels(text: str) -> tuple[int, int, int] | None:
    """Find gpt-oss's reasoning and the begin of its answer, when its marks were dropped."""
    if not begins_with_words(text):
        return None
    begin = text.index(_ANALYSIS) + len(_ANALYSIS)
    start = text.find(FINAL_WORDS, begin)
    if start < 0:
        return None
    return (begin, start, start + len(FINAL_WORDS))


def _unopened(text: str) -> tuple[int, int, int] | None:
    """Find the closing mark that ends reasoning that no mark opened.

    None: there is none, or it is spoken of. Spoken of is a mark in quotes or in a fence, one behind
    an opening mark, and one in the middle of a line of prose.
    """
    found = _CLOSING.search(text)
    if found is None:
        return None
    start, end = found.span()
    before, after = text[:start], text[end:]
    if opening_in(before) or len(_FENCE.findall(before)) % 2:
        return None
    if (before[-1:] in _QUOTES and before) or (after[:1] in _QUOTES and after):
        return None
    if _ends_a_thought(before, after):
        return (0, start, end)
    return None


def _ends_a_thought(before: str, after: str) -> bool:
    """Return whether a closing mark stands where a model's own does.

    That is at the end of a line or of a sentence, with nothing beside it. A model's own is mostly
    followed by a blank line. Prose has a space before a mark and goes on behind it.
    """
    lines = after.lstrip(" \t\r")
    if not lines or re.match(r"\n[ \t\r]*(?:\n|$)", lines):
        return True
    stripped = before.rstrip(" \t")
    begins_line = not stripped or stripped.endswith("\n")
    if lines.startswith("\n"):
        return begins_line or stripped == before or stripped[-1] in _SENTENCE_ENDS
    return not after[:1].isspace() and (begins_line or before[-1] in _SENTENCE_ENDS)
