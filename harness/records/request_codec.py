"""Requests out of JSON; `domain/key.py` has the way there."""

from __future__ import annotations

import json
from typing import Any, Literal, cast, get_args

from harness.domain.completion import Effort, JsonSchema, Message, Request, ResponseFormat, Role, Tool
from harness.domain.image import Image
from harness.records.codec import tool_calls_from_json
from harness.records.json_fields import COUNT, FLAG, LIST, NULL, NUMBER, OBJECT, TEXT, check_fields, one_of

_REQUEST = {
    "endpoint": TEXT,
    "model": TEXT,
    "messages": LIST,
    "max_tokens": COUNT | NULL,
    "thinking": FLAG | NULL,
    "effort": TEXT | NULL,
    "temperature": NUMBER | NULL,
    "top_p": NUMBER | NULL,
    "response_format": TEXT | OBJECT | NULL,
    "tools": LIST | NULL,
    "stop": LIST | NULL,
    "seed": NUMBER | NULL,
    "logprobs": COUNT | NULL,
    "service_tier": TEXT | NULL,
    "presence_penalty": NUMBER | NULL,
    "frequency_penalty": NUMBER | NULL,
    "extra_body": OBJECT | NULL,
    "form": OBJECT | NULL,
    "sample": COUNT | NULL,
}
_MESSAGE = {
    "role": TEXT,
    "content": TEXT,
    "reasoning": TEXT | NULL,
    "tool_calls": LIST | NULL,
    "tool_call_id": TEXT | NULL,
    "images": LIST | NULL,
}
_IMAGE = {"url": TEXT | NULL, "sha256": TEXT | NULL, "media_type": TEXT | NULL}
_SCHEMA = {"name": TEXT, "schema": OBJECT, "strict": FLAG}
_TOOL = {"name": TEXT, "description": TEXT, "parameters": OBJECT}


def request_from_canonical(text: str) -> Request:
    """The request whose canonical form this is. Raises ValueError for a text that is no request."""
    return request_from_json(json.loads(text))


def request_from_json(fields: Any) -> Request:
    """The request of these `request_fields`. Raises ValueError, naming the field, for anything else."""
    check_fields(fields, "request", _REQUEST)
    if unknown := fields.keys() - _REQUEST.keys():
        raise ValueError(f"request has unknown fields: {', '.join(sorted(unknown))}")
    get = fields.get
    stop = get("stop") or ()
    if not all(isinstance(item, str) for item in stop):
        raise ValueError("field 'stop' must hold texts only")
    return Request(
        endpoint=fields["endpoint"],
        model=fields["model"],
        messages=tuple(_message(item) for item in fields["messages"]),
        max_tokens=get("max_tokens"),
        thinking=get("thinking"),
        effort=cast("Effort | None", one_of(fields, "effort", get_args(Effort))),
        temperature=get("temperature"),
        top_p=get("top_p"),
        response_format=_response_format(fields),
        tools=tuple(_tool(item) for item in get("tools") or ()),
        stop=tuple(stop),
        seed=get("seed"),
        logprobs=get("logprobs"),
        service_tier=get("service_tier"),
        presence_penalty=get("presence_penalty"),
        frequency_penalty=get("frequency_penalty"),
        extra_body=get("extra_body") or {},
        form=get("form") or {},
        sample=get("sample") or 0,
    )


def _message(fields: Any) -> Message:
    check_fields(fields, "message", _MESSAGE)
    return Message(
        role=cast(Role, one_of(fields, "role", get_args(Role))),
        content=fields["content"],
        reasoning=fields.get("reasoning"),
        tool_calls=tool_calls_from_json(fields),
        tool_call_id=fields.get("tool_call_id"),
        images=tuple(_image(item) for item in fields.get("images") or ()),
    )


def _image(fields: Any) -> Image:
    """An image as it is known by its hash; its bytes are kept nowhere."""
    check_fields(fields, "image", _IMAGE)
    return Image(url=fields.get("url"), sha256=fields.get("sha256"), media_type=fields.get("media_type"))


def _response_format(fields: Any) -> ResponseFormat | None:
    wanted = fields.get("response_format")
    if not isinstance(wanted, dict):
        plain = one_of(fields, "response_format", ("text", "json_object"))
        return cast('Literal["text", "json_object"] | None', plain)
    check_fields(wanted, "response_format", _SCHEMA)
    return JsonSchema(name=wanted["name"], schema=wanted["schema"], strict=wanted["strict"])


def _tool(fields: Any) -> Tool:
    check_fields(fields, "tool", _TOOL)
    return Tool(name=fields["name"], description=fields["description"], parameters=fields["parameters"])
