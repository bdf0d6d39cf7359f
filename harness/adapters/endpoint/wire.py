"""Pure translation: our Request to the bytes of a request; and what every reader of foreign JSON needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from harness.adapters.endpoint.page import is_page, title_of
from harness.domain.completion import Effort, Message, Request
from harness.domain.profiles import CapField, Dialect

JsonObject: TypeAlias = Mapping[str, Any]  # the dynamic edge: foreign JSON, taken apart here and nowhere else

_OPENAI_EFFORTS: dict[Effort, str] = {"none": "none", "low": "low", "high": "high", "max": "xhigh"}


class MalformedError(ValueError):
    """Bytes that are not what the protocol says. The message says what they are instead."""


def request_body(
    request: Request,
    *,
    stream: bool,
    dialect: Dialect,
    cap_field: CapField = "max_tokens",
    user_id: str | None = None,
) -> bytes:
    """The JSON body of a chat completion request, in UTF-8. Fields that are not set are not sent.

    The OpenAI dialect has no switch for thinking, so `thinking` is not sent there; `effort` is, under OpenAI's names.
    Nor has it a `user_id`.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message, request, dialect) for message in request.messages],
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.max_tokens is not None:
        body[cap_field] = request.max_tokens
    if dialect == "deepseek":
        if request.thinking is not None:
            body["thinking"] = {"type": "enabled" if request.thinking else "disabled"}
        if request.effort is not None and request.thinking is not False:
            body["reasoning_effort"] = request.effort
        if user_id is not None:
            body["user_id"] = user_id
    elif request.effort is not None:
        body["reasoning_effort"] = _OPENAI_EFFORTS[request.effort]
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.response_format is not None:
        body["response_format"] = {"type": request.response_format}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.tools
        ]
    if request.stop:
        body["stop"] = request.stop
    return _encoded(body)


def _message(message: Message, request: Request, dialect: Dialect) -> dict[str, Any]:
    # `content` is never null: DeepSeek refuses an assistant's turn with neither content nor calls.
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "assistant" and request.tools and dialect == "deepseek":
        # With tools, DeepSeek wants the reasoning of every earlier turn back; an empty one passes.
        fields["reasoning_content"] = message.reasoning or ""
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    return fields


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; as an escape it is at least JSON, and the server decides.
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


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
