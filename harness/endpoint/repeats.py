"""A whole message that comes in a stream: some servers repeat in it all that its pieces have said."""

from __future__ import annotations

from typing import Any

from harness.endpoint import thinking
from harness.endpoint.arrivals import Arrivals
from harness.endpoint.calls import Calls
from harness.endpoint.pieces import REASONING_FIELDS, calls_beside, said_in


def rest_of(message: dict[str, Any], arrived: Arrivals, calls: Calls) -> dict[str, Any]:
    """Return what a message says beyond the pieces before it. Raises MalformedError.

    The message may have been tidied: without the blank lines around it, or with the reasoning told
    apart.
    """
    said = said_in(message)
    answer, reasoning = "".join(arrived.answer), "".join(arrived.reasoning)
    apart = thinking.Split(reasoning, answer) if reasoning.strip() else thinking.split(answer)
    pieces = message.get("tool_calls") or calls_beside(message)
    return {
        **{
            name: value
            for name, value in message.items()
            if name not in (*REASONING_FIELDS, "toolCalls", "tool_call", "function_call")
        },
        "content": _beyond(said.answer, answer, apart.answer),
        "reasoning_content": _beyond(said.reasoning, reasoning, apart.reasoning),
        "tool_calls": [piece for piece in pieces if not calls.hold(piece)] if isinstance(pieces, list) else pieces,
    }


def _beyond(text: str, *before: str) -> str:
    if any(text.strip() == came.strip() for came in before if came.strip()):
        return ""
    return next((text[len(came) :] for came in before if came.strip() and text.startswith(came)), text)
