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
    """`refusal` is None where there is none; it may be without words. `reasoning_in` is the field that it stands in."""

    answer: str
    reasoning: str
    refusal: str | None
    reasoning_in: str = ""


def said_in(message: JsonObject) -> Said:
    """What this message or delta says. Raises MalformedError for a content that is neither text nor parts."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        said = Said(content or "", "", None)
    elif isinstance(content, list | dict):
        said = _said_in_parts(content if isinstance(content, list) else [content])
    else:
        raise MalformedError(f"'content' is no text but {type(content).__name__}")
    place = next((name for name in _REASONING if _text_in(message.get(name))), "")
    if place:
        said = said._replace(reasoning=_text_in(message[place]), reasoning_in=place)
    refusal = message.get("refusal")
    if refusal is None or refusal is False:
        return said
    if refusal is True:
        return said._replace(answer="", refusal=said.answer)
    return said._replace(refusal=_text_in(refusal) or said.refusal)


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
                place = f"content, in parts of the type {kind}" if kind in _REASONING_PARTS else "content, in its parts"
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
        return next((text for name in _TEXTS if (text := _text_in(value.get(name), depth + 1))), "")
    return ""
