"""The pieces of an answer in the order in which they came, each with the time of its arrival."""

from __future__ import annotations

from typing import Any

from harness.endpoint import thinking
from harness.endpoint.calls import Calls
from harness.endpoint.pieces import REASONING_FIELDS, calls_beside, said_in


class Arrivals:
    """Texts of the reasoning and of the answer, and the time of each piece.

    Times are seconds of whatever clock the caller has; they never go back.
    """

    def __init__(self) -> None:
        self.reasoning: list[str] = []
        self.answer: list[str] = []
        self.reasoning_at: list[float] = []
        self.answer_at: list[float] = []
        self.calls_at: list[float] = []

    @property
    def count(self) -> int:
        """Return the number of pieces that have come."""
        return len(self.reasoning_at) + len(self.answer_at) + len(self.calls_at)

    @property
    def has_text(self) -> bool:
        """Return whether the answer is more than blank."""
        return any(text.strip() for text in self.answer)

    @property
    def first_at(self) -> float | None:
        """Return the time of the first piece, or None before it."""
        return min((times[0] for times in self._times), default=None)

    @property
    def last_at(self) -> float | None:
        """Return the time of the last piece, or None before any."""
        return max((times[-1] for times in self._times), default=None)

    def told_apart(self) -> thinking.Split:
        """Return the reasoning and the answer.

        Where the server does not tell them apart, the marks at the text's head do.
        """
        text, reasoning = "".join(self.answer), "".join(self.reasoning)
        if reasoning.strip():
            return thinking.Split(
                reasoning, thinking.without_blank_lines(thinking.without_stray_mark(text))
            )
        found = thinking.split(text)
        if found.answer == text:
            return thinking.Split(reasoning, text)
        return found

    def first_times(self) -> tuple[float | None, float | None]:
        """Return the times of the first tokens of the reasoning and of the answer.

        Each is None where none came.
        """
        reasoning_at = self.reasoning_at[0] if self.reasoning_at else None
        if not self.answer_at:
            return reasoning_at, None
        reasoning, answer = self.told_apart()
        if reasoning_at is not None or not reasoning:
            return reasoning_at, self.answer_at[0]
        if not answer:
            return self.answer_at[0], None
        return self.answer_at[0], self._arrival_of(answer)

    @property
    def _times(self) -> list[list[float]]:
        """Return the times of the pieces, for each kind of which any came."""
        return [times for times in (self.reasoning_at, self.answer_at, self.calls_at) if times]

    def _arrival_of(self, answer: str) -> float:
        """Return the time of the first character of the answer, which ends the text."""
        place = "".join(self.answer).rfind(answer)
        end = 0
        for piece, at in zip(self.answer, self.answer_at, strict=True):
            end += len(piece)
            if end > place:
                return at
        raise AssertionError("an answer lies within its own text")


def rest_of(message: dict[str, Any], arrived: Arrivals, calls: Calls) -> dict[str, Any]:
    """Return what a message says beyond the pieces before it. Raises MalformedError.

    The message may have been tidied: without the blank lines around it, or with the reasoning told
    apart.
    """
    said = said_in(message)
    answer, reasoning = "".join(arrived.answer), "".join(arrived.reasoning)
    if reasoning.strip():
        apart = thinking.Split(reasoning, answer)
    else:
        apart = thinking.split(answer)
    pieces = message.get("tool_calls") or calls_beside(message)
    if isinstance(pieces, list):
        pieces = [piece for piece in pieces if not calls.hold(piece)]
    rest = dict(message)
    for name in (*REASONING_FIELDS, *_OTHER_NAMES_OF_CALLS):
        rest.pop(name, None)
    rest["content"] = _beyond(said.answer, answer, apart.answer)
    rest["reasoning_content"] = _beyond(said.reasoning, reasoning, apart.reasoning)
    rest["tool_calls"] = pieces
    return rest


_OTHER_NAMES_OF_CALLS = ("toolCalls", "tool_call", "function_call")


def _beyond(text: str, *before: str) -> str:
    """Return the text without what came before; "" where it is that alone, but for blanks."""
    came_before = [came for came in before if came.strip()]
    for came in came_before:
        if text.strip() == came.strip():
            return ""
    for came in came_before:
        if text.startswith(came):
            return text[len(came) :]
    return text
