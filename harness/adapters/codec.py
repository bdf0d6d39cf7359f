"""Our values as JSON, and back: the one stored form.

Fields are written in a fixed order, and those that say nothing (None, empty) are left out, so a text stays short and
two texts of equal values are equal. Reading checks every type: what comes from a file may have been edited.

A stored completion keeps of `served` what describes the call that was paid for (attempts, times to first token,
latency). Where this answer came from, and what it waited for, belongs to each use of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, cast, get_args

from harness.domain.completion import (
    Completion,
    Effort,
    FailedAttempt,
    Json,
    Message,
    Request,
    Role,
    Served,
    Source,
    Tool,
    ToolCall,
    Usage,
)
from harness.errors import FailureKind

JsonObject = dict[str, Json]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

_Types = frozenset[type]
_TEXT, _COUNT, _NUMBER = frozenset({str}), frozenset({int}), frozenset({float, int})
_LIST, _OBJECT, _FLAG, _NULL = frozenset({list}), frozenset({dict}), frozenset({bool}), frozenset({type(None)})

# The types of an object's fields. A field that may be null may be absent; a bool is no int.
_COMPLETION = {
    "model": _TEXT,
    "content": _TEXT,
    "finish_reason": _TEXT,
    "usage": _OBJECT,
    "served": _OBJECT,
    "fingerprint": _TEXT | _NULL,
    "reasoning": _TEXT | _NULL,
    "tool_calls": _LIST | _NULL,
    "trace_id": _TEXT | _NULL,
    "cost": _NUMBER | _NULL,
    "owner": _TEXT | _NULL,
}
_USAGE = dict.fromkeys(("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"), _COUNT)
_TOOL_CALL = dict.fromkeys(("id", "name", "arguments"), _TEXT)
_KEPT_SERVED = {
    "attempts": _COUNT,
    "latency_s": _NUMBER,
    "ttft_reasoning_s": _NUMBER | _NULL,
    "ttft_answer_s": _NUMBER | _NULL,
}
_WAITS = ("queued_run_s", "queued_s", "paced_s", "budget_s", "stored_s")
_SERVED = {**_KEPT_SERVED, "source": _TEXT, "failures": _LIST, **dict.fromkeys(_WAITS, _NUMBER)}
_FAILED_ATTEMPT = {
    "number": _COUNT,
    "kind": _TEXT,
    "message": _TEXT,
    "status": _COUNT | _NULL,
    "elapsed_s": _NUMBER,
    "backoff_s": _NUMBER,
    **dict.fromkeys(_WAITS, _NUMBER),
    "usage": _OBJECT | _NULL,
    "cost": _NUMBER | _NULL,
    "content": _TEXT,
    "reasoning": _TEXT,
}
_REQUEST = {
    "endpoint": _TEXT,
    "model": _TEXT,
    "messages": _LIST,
    "max_tokens": _COUNT | _NULL,
    "thinking": _FLAG | _NULL,
    "effort": _TEXT | _NULL,
    "temperature": _NUMBER | _NULL,
    "top_p": _NUMBER | _NULL,
    "response_format": _TEXT | _NULL,
    "tools": _LIST | _NULL,
    "stop": _LIST | _NULL,
    "sample": _COUNT | _NULL,
}
_MESSAGE = {
    "role": _TEXT,
    "content": _TEXT,
    "reasoning": _TEXT | _NULL,
    "tool_calls": _LIST | _NULL,
    "tool_call_id": _TEXT | _NULL,
}
_TOOL = {"name": _TEXT, "description": _TEXT, "parameters": _OBJECT}


def to_text(value: Json) -> str:
    """One line of JSON, characters as they are. Raises ValueError for NaN and infinity.

    Half a surrogate pair, which no file can hold, is written as its JSON escape.
    """
    return storable(_encode(value))


def storable(text: str) -> str:
    """A JSON text that UTF-8 can hold: half a surrogate pair becomes the JSON escape that means the same."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def kept(completion: Completion) -> Completion:
    """The completion as a cache keeps it and `completion_from_json` gives it back."""
    served = completion.served
    return replace(
        completion,
        served=Served(
            attempts=served.attempts,
            ttft_reasoning_s=served.ttft_reasoning_s,
            ttft_answer_s=served.ttft_answer_s,
            latency_s=served.latency_s,
        ),
    )


def completion_to_json(completion: Completion) -> JsonObject:
    """Everything of a completion that outlives the call; of `served` only what `kept` keeps."""
    served = completion.served
    fields: JsonObject = {
        "model": completion.model,
        "fingerprint": completion.fingerprint,
        "reasoning": completion.reasoning or None,
        "content": completion.content,
        "tool_calls": [tool_call_to_json(call) for call in completion.tool_calls] or None,
        "finish_reason": completion.finish_reason,
        "usage": usage_to_json(completion.usage),
        "cost": completion.cost,
        "trace_id": completion.trace_id,
        "owner": completion.owner or None,
        "served": _set_fields(
            {
                "attempts": served.attempts,
                "ttft_reasoning_s": served.ttft_reasoning_s,
                "ttft_answer_s": served.ttft_answer_s,
                "latency_s": served.latency_s,
            }
        ),
    }
    return _set_fields(fields)


def completion_from_json(fields: Any) -> Completion:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check(fields, "completion", _COMPLETION)
    served = fields["served"]
    _check(served, "served", _KEPT_SERVED)
    get = fields.get
    return Completion(
        model=fields["model"],
        content=fields["content"],
        finish_reason=fields["finish_reason"],
        usage=usage_from_json(fields["usage"]),
        fingerprint=get("fingerprint"),
        reasoning=get("reasoning") or "",
        tool_calls=_tool_calls(fields),
        trace_id=get("trace_id"),
        cost=get("cost"),
        owner=get("owner") or "",
        served=Served(
            attempts=served["attempts"],
            ttft_reasoning_s=served.get("ttft_reasoning_s"),
            ttft_answer_s=served.get("ttft_answer_s"),
            latency_s=served["latency_s"],
        ),
    )


def usage_to_json(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def usage_from_json(fields: Any) -> Usage:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check(fields, "usage", _USAGE)
    return Usage(
        input_tokens=fields["input_tokens"],
        output_tokens=fields["output_tokens"],
        reasoning_tokens=fields["reasoning_tokens"],
        cached_tokens=fields["cached_tokens"],
    )


def tool_call_to_json(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def tool_call_from_json(fields: Any) -> ToolCall:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check(fields, "tool call", _TOOL_CALL)
    return ToolCall(id=fields["id"], name=fields["name"], arguments=fields["arguments"])


def served_to_json(served: Served) -> JsonObject:
    """The whole story of how a completion came about, for a row of a trace."""
    fields: JsonObject = {
        "source": served.source,
        "attempts": served.attempts,
        "queued_run_s": served.queued_run_s,
        "queued_s": served.queued_s,
        "paced_s": served.paced_s,
        "budget_s": served.budget_s,
        "ttft_reasoning_s": served.ttft_reasoning_s,
        "ttft_answer_s": served.ttft_answer_s,
        "latency_s": served.latency_s,
        "stored_s": served.stored_s,
        "failures": [failed_attempt_to_json(failure) for failure in served.failures],
    }
    return fields


def served_from_json(fields: Any) -> Served:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check(fields, "served", _SERVED)
    return Served(
        source=cast(Source, _one_of(fields, "source", get_args(Source))),
        attempts=fields["attempts"],
        queued_run_s=fields["queued_run_s"],
        queued_s=fields["queued_s"],
        paced_s=fields["paced_s"],
        budget_s=fields["budget_s"],
        ttft_reasoning_s=fields.get("ttft_reasoning_s"),
        ttft_answer_s=fields.get("ttft_answer_s"),
        latency_s=fields["latency_s"],
        stored_s=fields["stored_s"],
        failures=tuple(failed_attempt_from_json(item) for item in fields["failures"]),
    )


def failed_attempt_to_json(failure: FailedAttempt) -> JsonObject:
    fields: JsonObject = {
        "number": failure.number,
        "kind": failure.kind,
        "status": failure.status,
        "message": failure.message,
        "elapsed_s": failure.elapsed_s,
        "backoff_s": failure.backoff_s,
        "queued_run_s": failure.queued_run_s,
        "queued_s": failure.queued_s,
        "paced_s": failure.paced_s,
        "budget_s": failure.budget_s,
        "stored_s": failure.stored_s,
        "usage": None if failure.usage is None else usage_to_json(failure.usage),
        "cost": failure.cost,
        "content": failure.content,
        "reasoning": failure.reasoning,
    }
    return fields


def failed_attempt_from_json(fields: Any) -> FailedAttempt:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check(fields, "failed attempt", _FAILED_ATTEMPT)
    usage = fields.get("usage")
    return FailedAttempt(
        number=fields["number"],
        kind=cast(FailureKind, _one_of(fields, "kind", get_args(FailureKind))),
        message=fields["message"],
        status=fields.get("status"),
        elapsed_s=fields["elapsed_s"],
        backoff_s=fields["backoff_s"],
        queued_run_s=fields["queued_run_s"],
        queued_s=fields["queued_s"],
        paced_s=fields["paced_s"],
        budget_s=fields["budget_s"],
        stored_s=fields["stored_s"],
        usage=None if usage is None else usage_from_json(usage),
        cost=fields.get("cost"),
        content=fields["content"],
        reasoning=fields["reasoning"],
    )


def request_from_canonical(text: str) -> Request:
    """The request whose canonical form this is. Raises ValueError for a text that is no request."""
    return request_from_json(json.loads(text))


def request_from_json(fields: Any) -> Request:
    """The request of these `request_fields`. Raises ValueError, naming the field, for anything else."""
    _check(fields, "request", _REQUEST)
    if unknown := fields.keys() - _REQUEST.keys():
        raise ValueError(f"request has unknown fields: {', '.join(sorted(unknown))}")
    get = fields.get
    stop = get("stop") or ()
    if not all(isinstance(item, str) for item in stop):
        raise ValueError("field 'stop' must hold texts only")
    response_format = _one_of(fields, "response_format", ("text", "json_object"))
    return Request(
        endpoint=fields["endpoint"],
        model=fields["model"],
        messages=tuple(_message(item) for item in fields["messages"]),
        max_tokens=get("max_tokens"),
        thinking=get("thinking"),
        effort=cast("Effort | None", _one_of(fields, "effort", get_args(Effort))),
        temperature=get("temperature"),
        top_p=get("top_p"),
        response_format=cast('Literal["text", "json_object"] | None', response_format),
        tools=tuple(_tool(item) for item in get("tools") or ()),
        stop=tuple(stop),
        sample=get("sample") or 0,
    )


def _message(fields: Any) -> Message:
    _check(fields, "message", _MESSAGE)
    return Message(
        role=cast(Role, _one_of(fields, "role", get_args(Role))),
        content=fields["content"],
        reasoning=fields.get("reasoning"),
        tool_calls=_tool_calls(fields),
        tool_call_id=fields.get("tool_call_id"),
    )


def _tool(fields: Any) -> Tool:
    _check(fields, "tool", _TOOL)
    return Tool(name=fields["name"], description=fields["description"], parameters=fields["parameters"])


def _tool_calls(fields: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = fields.get("tool_calls")
    return tuple(tool_call_from_json(item) for item in calls) if calls else ()


def _set_fields(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _check(fields: Any, what: str, types: Mapping[str, _Types]) -> None:
    """One pass over a table: this is on the way of every hit."""
    if type(fields) is not dict:
        raise ValueError(f"{what} must be a JSON object, not {type(fields).__name__}")
    for name, allowed in types.items():
        if type(fields.get(name)) not in allowed:
            wanted = " or ".join(sorted(kind.__name__ for kind in allowed if kind is not type(None)))
            found = type(fields[name]).__name__ if name in fields else "absent"
            raise ValueError(f"field {name!r} of {what} must be {wanted}, not {found}")


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value: str | None = fields.get(name)
    if value is not None and value not in allowed:
        raise ValueError(f"field {name!r} must be one of {', '.join(allowed)}, not {value[:40]!r}")
    return value
