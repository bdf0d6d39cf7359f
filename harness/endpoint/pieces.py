"""Answer, reasoning and refusal in a message or a piece of one, in whatever fields they stand."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from harness.endpoint.foreign_json import JsonObject, MalformedError

PLAIN_FIELDS = frozenset({"role", "content", "reasoning_content"})
"""A message in which only these are set, as texts, is read without this module. Most chunks are
such.
"""

# The first of them that says something counts: where there are several they say the same.
REASONING_FIELDS = (
    *(
        "reasoning_content",
        "reasoning",
        "reasoning_text",
        "thinking",
        "reasoning_details",
        "thinking_blocks",
    ),
    *(
        "reasoningContent",
        "thinking_content",
        "thought",
        "thoughts",
        "reasoning_summary",
        "chain_of_thought",
    ),
)
_REASONING_PARTS = frozenset(
    {
        *(
            "thinking",
            "reasoning",
            "reasoning_content",
            "reasoning_text",
            "thought",
            "think",
            "analysis",
        ),
        *("reasoning.text", "reasoning.summary", "summary_text"),
    }
)
_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call"})
_TEXTS = (
    "text",
    "content",
    "thinking",
    "reasoning",
    "reasoning_content",
    "reasoningText",
    "summary",
    "value",
    "think",
)
_PHASES_OF_REASONING = frozenset({"think", "thinking", "reasoning"})
_DEEPEST = 8


class Said(NamedTuple):
    """`refusal` is None where there is none; it may be without words.

    `reasoning_in` is the field that it stands in.
    """

    answer: str
    reasoning: str
    refusal: str | None
    reasoning_in: str = ""


def said_in(message: JsonObject) -> Said:
    """Read what this message or delta says.

    Raises MalformedError for a content that is neither text, parts nor JSON.
    """
    said = _said_in_content(message.get("content"))
    for name in REASONING_FIELDS:
        reasoning = _text_in(message.get(name))
        if reasoning:
            said = said._replace(reasoning=reasoning, reasoning_in=name)
            break
    else:
        if said.answer and _is_thought(message):
            said = said._replace(
                answer="", reasoning=said.answer, reasoning_in="content, in its own pieces"
            )
    refusal = message.get("refusal")
    if refusal is None or refusal is False:
        return said
    if refusal is True:
        return said._replace(answer="", refusal=said.answer)
    return said._replace(refusal=_text_in(refusal) or said.refusal)


def _said_in_content(content: object) -> Said:
    if content is None or isinstance(content, str):
        return Said(content or "", "", None)
    if isinstance(content, list):
        return _said_in_parts(content)
    if not isinstance(content, dict):
        raise MalformedError(f"'content' is no text but {type(content).__name__}")
    if {"type", "text", "parts"} & content.keys():
        return _said_in_parts([content])
    # JSON that a server has parsed, and not written again.
    return Said(json.dumps(content, ensure_ascii=False), "", None)


def calls_beside(message: JsonObject) -> list[Any]:
    """The calls of tools that stand elsewhere than in `tool_calls`."""
    for name in ("toolCalls", "tool_call"):
        calls = message.get(name)
        if calls:
            return calls if isinstance(calls, list) else [calls]
    if message.get("function_call"):
        return [{"index": 0, "function": message["function_call"]}]
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [part for part in content if isinstance(part, dict) and part.get("type") in _CALL_PARTS]


def _is_thought(message: JsonObject) -> bool:
    """Return whether a piece's text is reasoning by a mark beside it.

    Marks are Gemini's `thought` and Qwen's `phase`.
    """
    return message.get("thought") is True or message.get("phase") in _PHASES_OF_REASONING


def _said_in_parts(parts: list[Any]) -> Said:
    answer, reasoning, refusal, place = "", "", None, ""
    for part in parts:
        if isinstance(part, str):
            answer += part
        elif isinstance(part, dict):
            kind = part.get("type")
            if kind == "refusal":
                refusal = (refusal or "") + _text_in(part.get("refusal"))
            elif kind in _REASONING_PARTS or part.get("thought") is True:
                reasoning += _text_in(part)
                if kind in _REASONING_PARTS:
                    place = f"content, in parts of the type {kind}"
                else:
                    place = "content, in its parts"
            else:
                answer += _text_in(part.get("text"))
    return Said(answer, reasoning, refusal, place if reasoning else "")


def _text_in(value: object, depth: int = 0) -> str:
    """The text that a field is, or that its parts are together."""
    if isinstance(value, str):
        return value
    if depth == _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text_in(item, depth + 1) for item in value)
    if isinstance(value, dict):
        for name in _TEXTS:
            text = _text_in(value.get(name), depth + 1)
            if text:
                return text
    return ""
