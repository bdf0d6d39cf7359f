"""Our values as JSON, and back: the one stored form.

Fields are written in a fixed order, and those that say nothing (None, empty) are left out, so a text stays short and
two texts of equal values are equal. Reading checks every type: what comes from a file may have been edited.

A stored completion keeps of `served` what describes the call that was paid for (attempts, times to first token,
latency). Where this answer came from, and what it waited for, belongs to each use of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast, get_args

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

T = TypeVar("T")

JsonObject = dict[str, Json]

_REQUIRED: Any = object()
_REQUEST_FIELDS = frozenset(field.name for field in dataclasses.fields(Request) if field.init)


def to_text(value: Json) -> str:
    """One line of JSON, characters as they are. Raises ValueError for NaN and infinity.

    Half a surrogate pair, which no file can hold, is written as its JSON escape.
    """
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def storable(text: str) -> str:
    """A JSON text that UTF-8 can hold: half a surrogate pair becomes the JSON escape that means the same."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def kept(completion: Completion) -> Completion:
    """The completion as a cache keeps it and `completion_from_json` gives it back."""
    served = completion.served
    return dataclasses.replace(
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
    _check_object(fields, "completion")
    served = _typed(fields, "served", dict)
    return Completion(
        model=_typed(fields, "model", str),
        content=_typed(fields, "content", str),
        finish_reason=_typed(fields, "finish_reason", str),
        usage=usage_from_json(_typed(fields, "usage", dict)),
        fingerprint=_typed(fields, "fingerprint", str, None),
        reasoning=_typed(fields, "reasoning", str, ""),
        tool_calls=_tool_calls(fields),
        trace_id=_typed(fields, "trace_id", str, None),
        cost=_number(fields, "cost", None),
        owner=_typed(fields, "owner", str, ""),
        served=Served(
            attempts=_typed(served, "attempts", int),
            ttft_reasoning_s=_number(served, "ttft_reasoning_s", None),
            ttft_answer_s=_number(served, "ttft_answer_s", None),
            latency_s=_number(served, "latency_s"),
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
    _check_object(fields, "usage")
    return Usage(
        input_tokens=_typed(fields, "input_tokens", int),
        output_tokens=_typed(fields, "output_tokens", int),
        reasoning_tokens=_typed(fields, "reasoning_tokens", int),
        cached_tokens=_typed(fields, "cached_tokens", int),
    )


def tool_call_to_json(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def tool_call_from_json(fields: Any) -> ToolCall:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check_object(fields, "tool call")
    return ToolCall(
        id=_typed(fields, "id", str), name=_typed(fields, "name", str), arguments=_typed(fields, "arguments", str)
    )


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
    _check_object(fields, "served")
    return Served(
        source=cast(Source, _one_of(fields, "source", get_args(Source))),
        attempts=_typed(fields, "attempts", int),
        queued_run_s=_number(fields, "queued_run_s"),
        queued_s=_number(fields, "queued_s"),
        paced_s=_number(fields, "paced_s"),
        budget_s=_number(fields, "budget_s"),
        ttft_reasoning_s=_number(fields, "ttft_reasoning_s", None),
        ttft_answer_s=_number(fields, "ttft_answer_s", None),
        latency_s=_number(fields, "latency_s"),
        stored_s=_number(fields, "stored_s"),
        failures=tuple(failed_attempt_from_json(item) for item in _typed(fields, "failures", list)),
    )


def failed_attempt_to_json(failure: FailedAttempt) -> JsonObject:
    fields: JsonObject = {
        "number": failure.number,
        "kind": failure.kind,
        "status": failure.status,
        "message": failure.message,
        "elapsed_s": failure.elapsed_s,
        "backoff_s": failure.backoff_s,
        "usage": None if failure.usage is None else usage_to_json(failure.usage),
        "cost": failure.cost,
        "content": failure.content,
        "reasoning": failure.reasoning,
    }
    return fields


def failed_attempt_from_json(fields: Any) -> FailedAttempt:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    _check_object(fields, "failed attempt")
    usage = _typed(fields, "usage", dict, None)
    return FailedAttempt(
        number=_typed(fields, "number", int),
        kind=cast(FailureKind, _one_of(fields, "kind", get_args(FailureKind))),
        message=_typed(fields, "message", str),
        status=_typed(fields, "status", int, None),
        elapsed_s=_number(fields, "elapsed_s"),
        backoff_s=_number(fields, "backoff_s"),
        usage=None if usage is None else usage_from_json(usage),
        cost=_number(fields, "cost", None),
        content=_typed(fields, "content", str, ""),
        reasoning=_typed(fields, "reasoning", str, ""),
    )


def request_from_canonical(text: str) -> Request:
    """The request whose canonical form this is. Raises ValueError for a text that is no request."""
    return request_from_json(json.loads(text))


def request_from_json(fields: Any) -> Request:
    """The request of these `request_fields`. Raises ValueError, naming the field, for anything else."""
    _check_object(fields, "request")
    if unknown := fields.keys() - _REQUEST_FIELDS:
        raise ValueError(f"request has unknown fields: {', '.join(sorted(unknown))}")
    stop = _typed(fields, "stop", list, [])
    if not all(isinstance(item, str) for item in stop):
        raise ValueError("field 'stop' must hold texts only")
    response_format = _one_of(fields, "response_format", ("text", "json_object"), None)
    return Request(
        endpoint=_typed(fields, "endpoint", str),
        model=_typed(fields, "model", str),
        messages=tuple(_message(item) for item in _typed(fields, "messages", list)),
        max_tokens=_typed(fields, "max_tokens", int, None),
        thinking=_typed(fields, "thinking", bool, None),
        effort=cast("Effort | None", _one_of(fields, "effort", get_args(Effort), None)),
        temperature=_number(fields, "temperature", None),
        top_p=_number(fields, "top_p", None),
        response_format=cast('Literal["text", "json_object"] | None', response_format),
        tools=tuple(_tool(item) for item in _typed(fields, "tools", list, [])),
        stop=tuple(stop),
        sample=_typed(fields, "sample", int, 0),
    )


def _message(fields: Any) -> Message:
    _check_object(fields, "message")
    return Message(
        role=cast(Role, _one_of(fields, "role", get_args(Role))),
        content=_typed(fields, "content", str),
        reasoning=_typed(fields, "reasoning", str, None),
        tool_calls=_tool_calls(fields),
        tool_call_id=_typed(fields, "tool_call_id", str, None),
    )


def _tool(fields: Any) -> Tool:
    _check_object(fields, "tool")
    return Tool(
        name=_typed(fields, "name", str),
        description=_typed(fields, "description", str),
        parameters=_typed(fields, "parameters", dict),
    )


def _tool_calls(fields: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    return tuple(tool_call_from_json(item) for item in _typed(fields, "tool_calls", list, ()))


def _set_fields(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _check_object(value: Any, what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a JSON object, not {type(value).__name__}")  # noqa: TRY004 - bad data


def _typed(fields: Mapping[str, Any], name: str, kind: type[T], default: Any = _REQUIRED) -> Any:
    """The field, exactly of this type (a bool is no int); a field that is absent or null is its default."""
    value = fields.get(name)
    if type(value) is kind:
        return value
    if value is None and default is not _REQUIRED:
        return default
    raise ValueError(f"field {name!r} must be {kind.__name__}, not {_shown(fields, name)}")


def _number(fields: Mapping[str, Any], name: str, default: Any = _REQUIRED) -> Any:
    value = fields.get(name)
    return float(value) if type(value) is int else _typed(fields, name, float, default)


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: Any = _REQUIRED) -> Any:
    value = _typed(fields, name, str, default)
    if value is not default and value not in allowed:
        raise ValueError(f"field {name!r} must be one of {', '.join(allowed)}, not {value[:40]!r}")
    return value


def _shown(fields: Mapping[str, Any], name: str) -> str:
    return type(fields[name]).__name__ if name in fields else "absent"
