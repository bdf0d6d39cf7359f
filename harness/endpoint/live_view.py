"""The live view of a stream for a watcher, with reasoning told from the answer."""

from __future__ import annotations

from collections.abc import Callable

from harness.domain.completion import Delta, OnDelta
from harness.endpoint.marks import UNOPENED, Kind, MarkReader
from harness.endpoint.thinking import (
    FINAL_WORDS,
    begins_with_words,
    split,
    without_blank_lines,
    without_lead,
    without_stray_mark,
)

RESTARTED = "this was its reasoning"
"""The reason to discard the text that was shown as the answer."""

_MOST_PIECES = 24  # of one letter each: longer than what ends a reasoning


class LiveView:
    """Shows a stream while it arrives.

    That a text was reasoning which no mark opened is seen only at its end: then what was shown is
    taken back.
    """

    def __init__(self, shown: OnDelta) -> None:
        self.answer: Callable[[str], None] = self._head
        """Take in a piece of the text: what is done with it changes as the text goes on."""
        self._shown = shown
        self._marked = MarkReader(self._part)
        self._held = ""
        self._said: list[str] = []
        self._ends: tuple[str, ...] = (
            UNOPENED  # what may end a reasoning that was shown as an answer
        )
        self._told_apart = False
        self._seen_end = False
        self._lead: str | None = ""  # blank lines before the answer; None: it has begun

    def reasoning(self, text: str) -> None:
        """A piece that the server itself calls reasoning: then marks in the answer are text."""
        if not self._told_apart:
            self._told_apart = bool(text.strip())
        self._shown(Delta(kind="reasoning", text=text))

    def end(self) -> None:
        """Nothing more comes: show what was held back."""
        if self.answer == self._text:
            self._look_back(ended=True)
        elif self.answer == self._head:
            self._marked.end()
            if not self._marked.opened:
                self._show("answer", self._held)
        elif self.answer == self._rest and self._told_apart and self._lead is not None:
            self._show("answer", self._begun())
        else:
            self._marked.end()

    def _head(self, text: str) -> None:
        """At the head: a mark opens, or the answer begins, or it cannot be told yet."""
        self._held += text
        if self._told_apart:
            self.answer = self._rest
            self._rest(self._held)
            return
        self._marked.feed(text)
        if self._marked.opened:
            self.answer = self._marked.feed
        elif self._marked.opened is False and (words := begins_with_words(self._held)) is not None:
            self._ends = (*UNOPENED, FINAL_WORDS) if words else UNOPENED
            self.answer = self._text
            self._text(self._held)

    def _part(self, kind: Kind, text: str) -> None:
        """Decide what this part is, by the text's own marks."""
        if kind == "answer":
            self._rest(text)
        else:
            self._show(kind, text)

    def _rest(self, text: str) -> None:
        """The answer behind reasoning: the blank lines between are dropped."""
        if self._lead is not None:
            self._lead += text
            if not self._lead.strip() or (self._told_apart and _may_be_a_mark(self._lead)):
                return
            text = self._begun()
            self._lead = None
        self._show("answer", text)

    def _begun(self) -> str:
        """Return what was held back of an answer that has begun."""
        lead = self._lead or ""
        if self._told_apart:
            return without_blank_lines(without_stray_mark(lead))
        return without_lead(lead)

    def _text(self, text: str) -> None:
        """The answer, as far as can be seen: the end of an unopened reasoning may come yet."""
        self._shown(Delta(kind="answer", text=text))
        self._said.append(text)
        if self._seen_end or any(end[-1] in text for end in self._ends):
            self._look_back(ended=False)

    def _look_back(self, *, ended: bool) -> None:
        """Look whether an end has come, and what it ends.

        What follows it decides, so that is waited for.
        """
        if not self._seen_end:
            recent = "".join(self._said[-_MOST_PIECES:]).lower()
            self._seen_end = any(end in recent for end in self._ends)
        if not self._seen_end:
            return
        said = "".join(self._said)
        if not ended and said.rstrip().lower().endswith(self._ends):
            return
        self.answer, self._lead = self._rest, None
        reasoning, answer = split(said)
        if answer != said:
            self._shown(Delta(kind="restart", text=RESTARTED))
            self._show("reasoning", reasoning)
            self._show("answer", answer)

    def _show(self, kind: Kind, text: str) -> None:
        if text:
            self._shown(Delta(kind=kind, text=text))


def _may_be_a_mark(text: str) -> bool:
    """Return whether a text begins, or may begin, with a closing mark that goes on."""
    body = text.strip().lower()
    return any(end.startswith(body) for end in UNOPENED)
