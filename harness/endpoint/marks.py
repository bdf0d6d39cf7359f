"""The marks around models' reasoning, and a reader of a text that begins with one.

Marks count only at the head of a text. Anywhere else they are somebody's words: an answer may talk
of them. At the head it does where a sentence goes on behind the mark: "<think> is the tag that …".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

_SPEAKS_OF_IT = re.compile(
    r" (?:and|or|is|are|was|means?|marks?|tags?|opens?|starts?|begins?|stands|tells|comes)\b"
)
_MAY_SPEAK_OF_IT = re.compile(r"(?: [a-z]{0,7})?")

Kind = Literal["reasoning", "answer"]
SPACE = "\ufeff \t\r\n"
"""Characters that may stand before a mark."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark that opens a part of a text, in small letters as `closings`, the marks that end it.

    An answer is closed only by the end of the text. `then` are the marks with which the next part
    may begin; one of them ends a reasoning, too. A part that begins with none of them is the
    answer. `again`: its own opening may follow its end once more, as models do that think in
    several pieces.
    """

    opening: str
    closings: tuple[str, ...]
    kind: Kind = "reasoning"
    then: tuple[Mark, ...] = ()
    again: bool = False

    @property
    def may_follow(self) -> tuple[Mark, ...]:
        """With what the next part may begin."""
        return (self, *self.then) if self.again else self.then

    @property
    def ends(self) -> tuple[str, ...]:
        """All that ends a reasoning."""
        return (*self.closings, *(mark.opening for mark in self.then))

    @cached_property
    def end(self) -> re.Pattern[str]:
        """Finds the end of this part; what only begins the next part is not taken away."""
        closings = "|".join(map(re.escape, self.closings))
        if self.kind == "answer":
            return re.compile(rf"(?:{closings})\s*\Z", re.IGNORECASE)
        openings = "".join(f"|(?={re.escape(mark.opening)})" for mark in self.then)
        return re.compile(closings + openings, re.IGNORECASE)


def _harmony() -> tuple[Mark, ...]:
    """The channels of gpt-oss.

    What follows an `<|end|>` without a channel is the answer, as llama.cpp leaves it. Its calls of
    tools name who is called before `<|message|>`: that is no mark here, and stays in the text.
    """
    starts = ("<|channel|>", "<|start|>assistant<|channel|>")
    over = ("<|end|>", "<|return|>")
    forms = ("", " <|constrain|>json", "<|constrain|>json")  # where JSON was asked for
    finals = [f"{start}final{form}<|message|>" for start in starts for form in forms]
    final = tuple(Mark(opening=opening, closings=over, kind="answer") for opening in finals)
    thinking = [
        f"{start}{channel}<|message|>" for start in starts for channel in ("analysis", "commentary")
    ]
    following = final
    for _ in range(_MOST_MESSAGES):
        following = (
            *final,
            *(Mark(opening=opening, closings=over, then=following) for opening in thinking),
        )
    return following


_MOST_MESSAGES = 8  # messages of reasoning before the answer
_COHERE_ANSWER = Mark(opening="<|start_response|>", closings=("<|end_response|>",), kind="answer")

_SOLUTION = Mark(opening="<|begin_of_solution|>", closings=("<|end_of_solution|>",), kind="answer")

# docs/servers.md names whose each is.
HEADS: tuple[Mark, ...] = (
    Mark(opening="<think>", closings=("</think>",), again=True),
    Mark(opening="<thinking>", closings=("</thinking>",), again=True),
    Mark(opening="<thought>", closings=("</thought>",), again=True),
    Mark(opening="<thoughts>", closings=("</thoughts>",), again=True),
    Mark(opening="[think]", closings=("[/think]",), again=True),
    Mark(opening="<seed:think>", closings=("</seed:think>",)),
    Mark(opening="<longcat_think>", closings=("</longcat_think>",)),
    Mark(opening="<|begin_of_thought|>", closings=("<|end_of_thought|>",), then=(_SOLUTION,)),
    Mark(opening="<unused94>thought", closings=("<unused95>",)),
    Mark(opening="◁think▷", closings=("◁/think▷",)),
    Mark(opening="<|inner_prefix|>", closings=("<|inner_suffix|>",)),
    Mark(opening="<|channel>thought", closings=("<channel|>",)),
    Mark(opening="<|start_thinking|>", closings=("<|end_thinking|>",), then=(_COHERE_ANSWER,)),
    *_harmony(),
)
UNOPENED = (
    *(
        "</think>",
        "</thinking>",
        "</thought>",
        "[/think]",
        "</seed:think>",
        "</longcat_think>",
        "◁/think▷",
    ),
    *("<|inner_suffix|>", "<|end_of_thought|>"),
)
"""Closing marks that come alone where a template wrote the opening one; in whatever letters."""


def opening_in(text: str) -> bool:
    """Return whether a text holds an opening mark, in whatever letters."""
    lowered = text.lower()
    return any(mark.opening in lowered for mark in HEADS)


class MarkReader:
    """Feed it a text in pieces: it tells of each part what it is.

    `opened`: the text begins with a mark. `opened` is None while that cannot be told yet; where it
    is False nothing is told, and nothing more is to be fed. `opening` is the mark with which it
    begins.
    """

    def __init__(self, told: Callable[[Kind, str], None]) -> None:
        self.opened: bool | None = None
        self.opening = ""
        self._told = told
        self._mark: Mark | None = None
        self._may_open: tuple[Mark, ...] = (
            HEADS  # empty: the part is read that `_mark` is, or the rest
        )
        self._held = ""
        self._has_reasoned = False
        self._ended = False

    def feed(self, text: str) -> None:
        """Take in the next piece. What may be the beginning of a mark is held back."""
        self._held += text
        goes_on = True
        while goes_on and self.opened is not False:
            goes_on = self._opens() if self._may_open else self._reads()

    def end(self) -> None:
        """Nothing more comes: tell what was held back, but for marks."""
        self._ended = True
        self.feed("")
        held, self._held = self._held, ""
        if not self.opened:
            return
        if self._may_open:
            body = held.strip(SPACE)
            is_half_a_mark = len(body) > 1 and _begins_one(body, self._may_open)
            self._tell("answer", "" if is_half_a_mark else held)
        elif self._mark is None:
            self._tell("answer", held)
        elif self._mark.kind == "reasoning":
            self._tell("reasoning", held)
        else:
            self._tell("answer", self._mark.end.sub("", held))

    def _opens(self) -> bool:
        """Begin a part, with a mark or as the rest of the text.

        Return False if it cannot be told yet.
        """
        body = self._held.lstrip(SPACE)
        found = self._opening_of(body)
        if found is not None:
            if self.opened is None and found.again:
                told = self._is_spoken_of(body[len(found.opening) :])
                if told is not False:
                    self.opened = False if told else None
                    return False
            self._begin(found, body)
        elif _begins_one(body, self._may_open):
            return False
        elif self.opened is None:
            self.opened = False
            return False
        self._mark, self._may_open = found, ()
        return True

    def _opening_of(self, body: str) -> Mark | None:
        """Return the mark that this text begins with, of those that may stand here."""
        longest = max(len(mark.opening) for mark in self._may_open)
        lowered = body[:longest].lower()
        for mark in self._may_open:
            if lowered.startswith(mark.opening):
                return mark
        return None

    def _begin(self, found: Mark, body: str) -> None:
        """Take the mark away that a part begins with."""
        self._held = body[len(found.opening) :]
        self.opening = self.opening or body[: len(found.opening)]
        if found.kind == "reasoning" and self._has_reasoned:
            self._tell("reasoning", "\n\n")
        self.opened = True

    def _is_spoken_of(self, rest: str) -> bool | None:
        """Return whether a text that begins with a mark goes on as a sentence about it.

        None: that cannot be told yet.
        """
        if not self._ended and _MAY_SPEAK_OF_IT.fullmatch(rest):
            return None
        return _SPEAKS_OF_IT.match(rest) is not None

    def _reads(self) -> bool:
        """Within a part. True: it has ended, and the next may begin."""
        mark = self._mark
        if mark is None:
            held, self._held = self._held, ""
            self._tell("answer", held)
            return False
        found = mark.end.search(self._held)
        if found is not None and mark.kind == "reasoning":
            self._tell("reasoning", self._held[: found.start()])
            self._held = self._held[found.end() :]
            self._mark, self._may_open = None, mark.may_follow
            return True
        ends = mark.ends if mark.kind == "reasoning" else mark.closings
        kept = _tail_at(self._held, ends) if found is None else found.start()
        self._tell(mark.kind, self._held[:kept])
        self._held = self._held[kept:]
        return False

    def _tell(self, kind: Kind, text: str) -> None:
        if text:
            self._has_reasoned = self._has_reasoned or (kind == "reasoning" and bool(text.strip()))
            self._told(kind, text)


def _begins_one(body: str, marks: tuple[Mark, ...]) -> bool:
    """Return whether a text is the beginning of an opening mark, or nothing yet."""
    lowered = body.lower()
    return any(mark.opening.startswith(lowered) for mark in marks)


def _tail_at(text: str, marks: tuple[str, ...]) -> int:
    """Return where the end of a text may begin one of these marks, or its length where it does
    not.
    """
    starts = {mark[0] for mark in marks}
    longest = max(map(len, marks))
    for at in range(max(0, len(text) - longest + 1), len(text)):
        if text[at] in starts and _may_begin(text[at:], marks):
            return at
    return len(text)


def _may_begin(tail: str, marks: tuple[str, ...]) -> bool:
    lowered = tail.lower()
    return any(mark.startswith(lowered) for mark in marks)
