"""What a message, or a piece of one, says: answer, reasoning and refusal, in whatever fields and parts they stand."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.adapters.endpoint.wire import JsonObject, MalformedError

PLAIN_FIELDS = frozenset({"role", "content", "reasoning_content"})
"""Where these are texts and nothing else is set, a message is read without this module: most chunks are such."""

# The first of them that says something counts: where there are several they say the same.
_REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details", "thinking_blocks")
_REASONING_PARTS = frozenset({"thinking", "reasoning", "reasoning_content", "reasoning_text", "thought"})
_TEXTS = ("text", "content", "thinking", "reasoning", "reasoning_content", "summary", "value")
_DEEPEST = 8


class Said(NamedTuple):
    """`refusal` is None where there is none; it may be without words."""

    answer: str
    reasoning: str
    refusal: str | None


def said_in(message: JsonObject) -> Said:
    """What this message or delta says. Raises MalformedError for a content that is neither text nor parts."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        said = Said(content or "", "", None)
    elif isinstance(content, list | dict):
        said = _said_in_parts(content if isinstance(content, list) else [content])
    else:
        raise MalformedError(f"'content' is no text but {type(content).__name__}")
    reasoning = _first_text(message, _REASONING) or said.reasoning
    refusal = message.get("refusal")
    if refusal is None or refusal is False:
        return Said(said.answer, reasoning, said.refusal)
    if refusal is True:
        return Said("", reasoning, said.answer)
    words = _text_in(refusal)
    return Said(said.answer, reasoning, words or said.refusal)


def _said_in_parts(parts: list[Any]) -> Said:
    answer, reasoning, refusal = "", "", None
    for part in parts:
        if isinstance(part, str):
            answer += part
        elif isinstance(part, dict):
            kind = part.get("type")
            if kind == "refusal":
                refusal = (refusal or "") + _text_in(part.get("refusal"))
            elif kind in _REASONING_PARTS or part.get("thought") is True:
                reasoning += _text_in(part)
            else:
                answer += _text_in(part.get("text"))
    return Said(answer, reasoning, refusal)


def _first_text(fields: JsonObject, names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text_in(fields.get(name)))), "")


def _text_in(value: object, depth: int = 0) -> str:
    """The text that a field is, or that its parts are together."""
    if isinstance(value, str):
        return value
    if depth == _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text_in(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return next((text for name in _TEXTS if (text := _text_in(value.get(name), depth + 1))), "")
    return ""
