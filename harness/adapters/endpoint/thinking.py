"""Reasoning that stands in the text of an answer, between tags at its head.

Where a server does not tell reasoning apart, the model's own marks stay in the text. A template may have written the
opening one, so that only `</think>` comes. Marks anywhere else are somebody's words: an answer may talk of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from harness.domain.completion import Delta, OnDelta

# DeepSeek-R1 and Qwen3; Anthropic's prompts and litellm; Google's compatible API; Magistral; Seed-OSS; Kimi; Cohere.
_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[think]", "[/think]"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("<|start_thinking|>", "<|end_thinking|>"),
)
_UNOPENED = ("</think>", "[/think]", "</seed:think>", "◁/think▷")
_LONGEST_TAG = max(len(tag) for pair in _TAGS for tag in pair)
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_QUOTES = "`'\"“”‘’«»"
_SENTENCE_ENDS = ".!?…。！？:;)]}"

RESTARTED = "this was its reasoning"
"""Why what was shown as the answer is to be forgotten."""


class Split(NamedTuple):
    reasoning: str
    answer: str


def split(text: str) -> Split:
    """The reasoning at the head of a text, and what follows it; no reasoning where the text begins with the answer."""
    body = text.lstrip("\ufeff \t\r\n")
    closing = _closing_of(body)
    if closing is not None:
        inner, _, answer = _partition(body[len(_opening_at(body)) :], closing)
        return Split(inner.strip(), without_lead(answer))
    place = _unopened(text)
    if place is None:
        return Split("", text)
    start, end = place
    return Split(text[:start].strip(), without_lead(text[end:]))


def without_lead(text: str) -> str:
    """What follows reasoning, without the blank lines between; the first line keeps its indentation."""
    lead = len(text) - len(text.lstrip())
    line = text.rfind("\n", 0, lead) + 1
    return text[line:] if line else text[lead:]


def without_blank_lines(text: str) -> str:
    """A text without the blank lines at its head."""
    lead = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, lead) + 1 :]


def _opening_at(body: str) -> str:
    """The opening tag with which a text begins, or ""."""
    head = body[:_LONGEST_TAG].lower()
    return next((opening for opening, _ in _TAGS if head.startswith(opening)), "")


def _closing_of(body: str) -> str | None:
    opening = _opening_at(body)
    return dict(_TAGS)[opening] if opening else None


def _partition(text: str, tag: str) -> tuple[str, str, str]:
    """As `str.partition`, without letter case."""
    place = _find(text, tag)
    return (text, "", "") if place < 0 else (text[:place], tag, text[place + len(tag) :])


def _find(text: str, tag: str) -> int:
    place = text.find(tag)
    if place >= 0 or tag[-1] not in text:
        return place
    found = re.search(re.escape(tag), text, re.IGNORECASE)
    return -1 if found is None else found.start()


def _unopened(text: str) -> tuple[int, int] | None:
    """Where a closing tag ends reasoning that no tag opened; None where there is none, or where it is spoken of.

    Spoken of is a tag in quotes or in a fence, one behind an opening tag, and one in the middle of a line of prose.
    """
    places = [(place, tag) for tag in _UNOPENED if (place := text.find(tag)) >= 0]
    if not places:
        return None
    start, tag = min(places)
    end = start + len(tag)
    before, after = text[:start], text[end:]
    lowered = before.lower()
    if any(opening in lowered for opening, _ in _TAGS) or len(_FENCE.findall(before)) % 2:
        return None
    if (before[-1:] in _QUOTES and before) or (after[:1] in _QUOTES and after):
        return None
    return (start, end) if _ends_a_thought(before, after) else None


def _ends_a_thought(before: str, after: str) -> bool:
    """Whether a closing tag stands where a model's own does: at the end of a line or of a sentence, nothing beside it.

    A model's own is mostly followed by a blank line. Prose has a space before a tag and goes on behind it.
    """
    lines = after.lstrip(" \t\r")
    if not lines or re.match(r"\n[ \t\r]*(?:\n|$)", lines):
        return True
    stripped = before.rstrip(" \t")
    begins_line = not stripped or stripped.endswith("\n")
    if lines.startswith("\n"):
        return begins_line or stripped == before or stripped[-1] in _SENTENCE_ENDS
    return not after[:1].isspace() and (begins_line or before[-1] in _SENTENCE_ENDS)


class LiveView:
    """Shows a stream while it arrives, with the reasoning at the head of its text told from the answer.

    That a text was reasoning which no tag opened is seen only at its closing tag: then what was shown is taken back.
    """

    def __init__(self, shown: OnDelta) -> None:
        self.answer: Callable[[str], None] = self._head
        """Take in a piece of the text: what is done with it changes as the text goes on."""
        self._shown = shown
        self._held = ""
        self._said: list[str] = []
        self._closing = ""
        self._told_apart = False
        self._seen_closing = False

    def reasoning(self, text: str) -> None:
        """A piece that the server itself calls reasoning: then tags in the answer are text."""
        if not self._told_apart:
            self._told_apart = bool(text.strip())
        self._shown(Delta(kind="reasoning", text=text))

    def end(self) -> None:
        """Nothing more comes: show what was held back."""
        held, self._held = self._held, ""
        if self.answer == self._text:
            self._look_back(ended=True)
        elif self._closing:
            self._show("reasoning", held)
        elif self.answer == self._head:
            self._show("answer", held)

    def _head(self, text: str) -> None:
        """At the head: a tag opens, or the answer begins, or it cannot be told yet."""
        self._held += text
        if self._told_apart:
            self.answer = self._lead
            self._flush()
            return
        body = self._held.lstrip("\ufeff \t\r\n")
        opening = _opening_at(body)
        if opening:
            self._closing = dict(_TAGS)[opening]
            self.answer, self._held = self._thought, body[len(opening) :]
            self._held = self._held.lstrip()
            self._flush()
        elif not any(tag.startswith(body.lower()) for tag, _ in _TAGS):
            self.answer = self._text
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, ""
        if held:
            self.answer(held)

    def _thought(self, text: str) -> None:
        """Between the tags; what may be the beginning of the closing one is held back."""
        held = self._held + text
        place = _find(held, self._closing)
        if place >= 0:
            self._show("reasoning", held[:place])
            self._held = held[place + len(self._closing) :]
            self._closing, self.answer = "", self._lead
            self._flush()
            return
        begun = held.rfind(self._closing[0], 1 - len(self._closing))
        kept = begun if begun >= 0 else len(held)
        self._show("reasoning", held[:kept])
        self._held = held[kept:]

    def _lead(self, text: str) -> None:
        """Between reasoning and answer: blank lines are dropped."""
        self._held += text
        if self._held.strip():
            answer = (without_blank_lines if self._told_apart else without_lead)(self._held)
            self.answer, self._held = self._answer, ""
            self._show("answer", answer)

    def _answer(self, text: str) -> None:
        self._shown(Delta(kind="answer", text=text))

    def _text(self, text: str) -> None:
        """The answer, as far as can be seen: an unopened tag may come yet."""
        self._shown(Delta(kind="answer", text=text))
        self._said.append(text)
        if self._seen_closing or ">" in text or "]" in text or "▷" in text:  # each closing tag ends with one of these
            self._look_back(ended=False)

    def _look_back(self, *, ended: bool) -> None:
        """Whether a closing tag has come, and what it closes. What follows it decides, so that is waited for."""
        if not self._seen_closing:
            self._seen_closing = any(tag in "".join(self._said[-_LONGEST_TAG:]) for tag in _UNOPENED)
        if not self._seen_closing:
            return
        said = "".join(self._said)
        if not ended and said.rstrip().endswith(_UNOPENED):
            return
        self.answer = self._answer
        reasoning, answer = split(said)
        if answer != said:
            self._shown(Delta(kind="restart", text=RESTARTED))
            self._show("reasoning", reasoning)
            self._show("answer", answer)

    def _show(self, kind: Literal["reasoning", "answer"], text: str) -> None:
        if text:
            self._shown(Delta(kind=kind, text=text))
