"""The cache key: SHA-256 of the canonical JSON of a whole request.

There is no list of fields to leave out. A field that is not set is not written, so a field that a
later version adds changes no key of a request that does not use it; `KEY_VERSION` changes when the
meaning of a key does. The key can be checked by hand: `printf %s "$CANONICAL" | sha256sum`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from harness.domain.completion import Json, JsonSchema, Message, Request, ResponseFormat, Tool
from harness.domain.image import Image

KEY_VERSION = 1

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def cache_key(request: Request) -> str:
    """64 hex digits.

    Equal requests have equal keys; one different character in a message gives another. Raises
    ValueError for a number that JSON does not know (NaN, infinity).
    """
    key = request.memo.get("key")
    if key is None:
        key = request.memo["key"] = key_of_canonical(canonical_request(request))
    return key


def size_of(request: Request) -> int:
    """Characters of a request, roughly: what its key takes to compute."""
    return sum(len(message.content) + len(message.reasoning or "") for message in request.messages)


def key_of_canonical(canonical: str) -> str:
    """The key of a request that is at hand in its canonical form."""
    return hashlib.sha256(
        f"{KEY_VERSION}\n{canonical}".encode("utf-8", "surrogatepass")
    ).hexdigest()


def canonical_request(request: Request) -> str:
    """Return the one JSON text of a request.

    Keys are sorted, there are no spaces and no escapes beyond JSON's own, and `1.0` is `1`.
    """
    text = request.memo.get("canonical")
    if text is None:
        text = request.memo["canonical"] = _encode(request_fields(request))
    return text


def request_fields(request: Request) -> dict[str, Json]:
    """The fields of a request that are set, as JSON values, numbers normalized."""
    fields: dict[str, Json] = {
        "endpoint": request.endpoint,
        "model": request.model,
        "messages": [_message_fields(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "thinking": request.thinking,
        "effort": request.effort,
        "temperature": _number(request.temperature),
        "top_p": _number(request.top_p),
        "response_format": _format_fields(request.response_format),
        "tools": [_tool_fields(tool) for tool in request.tools] or None,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "logprobs": request.logprobs,
        "service_tier": request.service_tier,
        "presence_penalty": _number(request.presence_penalty),
        "frequency_penalty": _number(request.frequency_penalty),
        "extra_body": _normal(request.extra_body) or None,
        "form": _normal(request.form) or None,
        "sample": request.sample or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _message_fields(message: Message) -> dict[str, Json]:
    fields: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.reasoning is not None:
        fields["reasoning"] = message.reasoning
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    if message.images:
        fields["images"] = [_image_fields(image) for image in message.images]
    return fields


def _image_fields(image: Image) -> dict[str, Json]:
    if image.url is not None:
        return {"url": image.url}
    return {"sha256": image.sha256, "media_type": image.media_type}


def _format_fields(wanted: ResponseFormat | None) -> Json:
    if not isinstance(wanted, JsonSchema):
        return wanted
    return {"name": wanted.name, "schema": _normal(wanted.schema), "strict": wanted.strict}


def _tool_fields(tool: Tool) -> dict[str, Json]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": _normal(tool.parameters),
    }


def _normal(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _normal(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_normal(item) for item in value]
    return _number(value) if isinstance(value, float) else value


def _number(value: float | None) -> float | int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
