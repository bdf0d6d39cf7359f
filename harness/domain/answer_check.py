"""The check of a step: what it demands of an answer, and how it asks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import iscoroutine
from typing import Any, TypeAlias

from harness.domain.completion import Completion, Message, Request
from harness.domain.parsing import parse_json
from harness.domain.validity import offered_calls
from harness.errors import ParseError

Gate: TypeAlias = Callable[[Completion], Any]
"""Returns what the answer holds, or raises ParseError with a clause about the answer ("it held 2
items, 3 are needed"). It must say the same of the same answer each time: it is asked again when the
answer is found in the cache.
"""

REASKS = 2
"""The default number of times that a step asks again."""


def asked_plainly(problem: str) -> str:
    """The words with which an answer is asked for again, where the step has none of its own."""
    return (
        f"That answer could not be used: {problem}. Answer again, with nothing but what was asked"
        " for."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A gate, and what follows if an answer does not pass it.

    `reasks` is how often the step may still ask again; `again` makes the words for that from the
    problem.
    """

    gate: Gate
    reasks: int = REASKS
    again: Callable[[str], str] = asked_plainly

    def value(self, completion: Completion) -> Any:
        """Return what the gate finds in the answer.

        Raises ParseError where the answer is rejected.
        """
        value = self.gate(completion)
        if iscoroutine(value):
            value.close()
            raise TypeError(
                "accept must be a plain function, and this one is async: it would never be"
                " waited for"
            )
        return value

    def problem(self, completion: Completion) -> str | None:
        """Return the reason why the answer is rejected, or None if it is accepted."""
        try:
            self.value(completion)
        except ParseError as error:
            return str(error)
        return None

    def following(
        self, request: Request, rejected: Completion, problem: str
    ) -> tuple[Request, Check] | None:
        """Return the next request after a rejected answer and its check, or None if there is
        none.
        """
        if self.reasks <= 0:
            return None
        turns = _after(request, rejected, self.again(problem))
        return replace(request, messages=(*request.messages, *turns)), replace(
            self, reasks=self.reasks - 1
        )


def check_of(
    request: Request, *, accept: Gate | None, reasks: int, again: Callable[[str], str] | None
) -> Check | None:
    """Return the check of the answers to a request, by its step and by JSON mode, or None."""
    gate = accept
    if request.response_format not in (None, "text"):
        gate = _json_first(request, accept)
    if gate is None:
        return None
    return Check(gate=gate, reasks=reasks, again=again or asked_plainly)


def _json_first(request: Request, accept: Gate | None) -> Gate:
    """A gate that reads JSON before the step's own looks at the answer.

    A call of a tool needs no JSON beside it.
    """

    def gate(completion: Completion) -> Any:
        if offered_calls(request, completion):
            value = None
        else:
            value = parse_json(completion.content)
        return value if accept is None else accept(completion)

    return gate


def _after(request: Request, rejected: Completion, words: str) -> tuple[Message, ...]:
    """The turns after a rejected answer.

    Where tools were offered the model's thoughts and calls belong to its turn, and each call must
    have its result.
    """
    calls = offered_calls(request, rejected)
    reasoning = rejected.reasoning or None if request.tools else None
    answer = Message(
        role="assistant", content=rejected.content, reasoning=reasoning, tool_calls=calls
    )
    if not calls:
        return answer, Message(role="user", content=words)
    return answer, *(Message(role="tool", content=words, tool_call_id=call.id) for call in calls)
