"""Pure translation: the JSON of a response to our values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from harness.adapters.endpoint.page import is_page, title_of
from harness.domain.completion import Completion, ToolCall, Usage

JsonObject: TypeAlias = Mapping[str, Any]  # the dynamic edge: foreign JSON, taken apart here and nowhere else


class MalformedError(ValueError):
    """Bytes that are not what the protocol says. The message says what they are instead."""


class PageError(MalformedError):
    """A page of HTML where JSON was due: a proxy speaks for a server that it does not reach."""


def json_object(data: bytes) -> JsonObject:
    """The JSON object that these bytes are. Raises MalformedError."""
    try:
        value = json.loads(data)
    except RecursionError:
        raise MalformedError("JSON nested too deeply") from None
    except ValueError:
        raise _no_json(data) from None
    if not isinstance(value, dict):
        raise MalformedError(f"JSON, but no object: {excerpt(data)}")
    return value


def _no_json(data: bytes) -> MalformedError:
    if is_page(data):
        return PageError(f"a page of HTML: {excerpt(title_of(data).encode())}")
    return MalformedError(f"not JSON: {excerpt(data)}" if data.strip() else "an empty body")


def whole_characters(text: str) -> str:
    """`text` with surrogates joined to the character they are halves of, and lone ones replaced: it has a UTF-8 form.

    A stream may cut a character that is escaped as two surrogates between two chunks.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def excerpt(data: bytes, limit: int = 120) -> str:
    """The beginning of a body on one line, for a message."""
    text = " ".join(data[: 4 * limit].decode(errors="replace").split())
    return repr(text if len(text) <= limit else text[:limit] + "…")


def completion(response: JsonObject, *, trace_id: str | None) -> Completion:
    """The completion in a plain response. Raises MalformedError."""
    choice = first_choice(response)
    if choice is None:
        raise MalformedError("a response without choices")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise MalformedError("a choice without a message")
    return Completion(
        model=text_of(response, "model"),
        content=text_of(message, "content"),
        reasoning=reasoning_of(message),
        finish_reason=text_of(choice, "finish_reason"),
        tool_calls=_tool_calls(message),
        usage=usage(response.get("usage")) or Usage(),
        fingerprint=text_of(response, "system_fingerprint") or None,
        trace_id=trace_id,
    )


def first_choice(response: JsonObject) -> JsonObject | None:
    """The one choice of a response or chunk; None where there is none. Raises MalformedError."""
    choices = response.get("choices")
    if not choices:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise MalformedError("choices that are no list of objects")
    return choices[0]


def text_of(fields: JsonObject, name: str) -> str:
    """A text that may be missing or null: then "". Raises MalformedError for any other type."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(f"{name!r} is no text but {type(value).__name__}")
    return value


def reasoning_of(fields: JsonObject) -> str:
    """The reasoning of a message or delta: DeepSeek's `reasoning_content`, or `reasoning` as other servers call it."""
    return text_of(fields, "reasoning_content") or text_of(fields, "reasoning")


def usage(fields: object) -> Usage | None:
    """Tokens as the provider counted them, or None where it does not say."""
    if not isinstance(fields, dict) or not fields:
        return None
    cached = _count(fields, "prompt_cache_hit_tokens") or _count(fields.get("prompt_tokens_details"), "cached_tokens")
    input_tokens = _count(fields, "prompt_tokens")
    output_tokens = _count(fields, "completion_tokens")
    reasoning = _count(fields.get("completion_tokens_details"), "reasoning_tokens")
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=min(reasoning, output_tokens),
        cached_tokens=min(cached, input_tokens),
    )


def _count(fields: object, name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _tool_calls(message: JsonObject) -> tuple[ToolCall, ...]:
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise MalformedError("tool calls that are no list")
    return tuple(_tool_call(call) for call in calls)


def _tool_call(call: object) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise MalformedError("a tool call without a function")
    return ToolCall(id=text_of(call, "id"), name=text_of(function, "name"), arguments=text_of(function, "arguments"))
