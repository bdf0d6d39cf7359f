"""The attributes of a call: the endpoint, the request, and the outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from harness.domain.base_url import DEFAULT_PORTS
from harness.domain.completion import Message, Request, Served, ToolCall, Usage
from harness.domain.profiles import PROFILES
from harness.domain.run import Span
from harness.domain.waits import BACKOFF, WAITS
from harness.telemetry import names
from harness.telemetry.values import Attribute


def asked_of(request: Request) -> dict[str, Attribute]:
    """Return the attributes of the endpoint that was asked, which spans and metrics have in common.

    The mock is nowhere, so it has no address.
    """
    profile = PROFILES.get(request.endpoint)
    found: dict[str, Attribute] = {
        names.OPERATION: names.CHAT,
        # A server that speaks OpenAI's protocol is told in OpenAI's terms, as the conventions want
        # it.
        names.PROVIDER: profile.name if profile else "openai",
        names.REQUEST_MODEL: request.model,
    }
    address = urlsplit(profile.base_url if profile else request.endpoint)
    if request.endpoint != "mock" and address.hostname:
        found[names.SERVER_ADDRESS] = address.hostname
        found[names.SERVER_PORT] = address.port or DEFAULT_PORTS.get(address.scheme, 0)
    return found


def call_attributes(span: Span, *, content: bool) -> dict[str, Attribute]:
    """Return the attributes of a call. Tokens only where they were paid for: a hit would be counted
    twice.
    """
    request, served = span.request, span.served
    found: dict[str, Attribute] = {
        **asked_of(request),
        names.RUN_ID: span.run_id,
        names.TOPIC_ID: span.topic_id,
        names.CALL_ID: span.id,
        names.CALL_KEY: span.key,
        names.STEP: span.step,
        names.SOURCE: served.source,
        names.ATTEMPTS: served.attempts,
    }
    optional: dict[str, Attribute | None] = {
        names.MAX_TOKENS: request.max_tokens,
        names.TEMPERATURE: request.temperature,
        names.TOP_P: request.top_p,
        names.STOP_SEQUENCES: request.stop or None,
        names.OUTPUT_TYPE: _output_type(request),
        names.THINKING: request.thinking,
        names.EFFORT: request.effort,
        names.RESPONSE_MODEL: span.model,
        names.RESPONSE_ID: span.trace_id,
        names.FINISH_REASONS: (span.finish_reason,) if span.finish_reason else None,
        names.FINGERPRINT: span.fingerprint,
        names.REJECTED: span.rejected is not None or None,
        names.COST: span.cost,
        names.SAVED: span.saved or None,
        **_times(span),
    }
    found.update({name: value for name, value in optional.items() if value is not None})
    if (paid := paid_usage(span)) is not None:
        found.update(
            {
                names.INPUT_TOKENS: paid.input_tokens,
                names.OUTPUT_TOKENS: paid.output_tokens,
                names.CACHE_READ_TOKENS: paid.cached_tokens,
                names.REASONING_TOKENS: paid.reasoning_tokens,
            }
        )
    if span.error is not None:
        found[names.ERROR_TYPE] = span.error.kind or span.error.type
    if content:
        found[names.INPUT_MESSAGES] = _json([_message(message) for message in request.messages])
        found[names.OUTPUT_MESSAGES] = _json([_output(span)])
        if span.error is not None:
            found[names.ERROR_MESSAGE] = span.error.message
    return found


def _output_type(request: Request) -> str | None:
    if request.response_format in (None, "text"):
        return request.response_format
    return "json"


def paid_usage(span: Span) -> Usage | None:
    """Return the tokens that this call was billed for, failed attempts included; None where nothing
    was sent.
    """
    wasted = [failure.usage for failure in span.served.failures if failure.usage is not None]
    if span.error is not None:
        # Its usage is the sum of the attempts already.
        return span.usage if span.served.attempts else None
    if span.served.source == "endpoint":
        return sum(wasted, span.usage)
    if not wasted:
        return None
    return sum(wasted, Usage())


def first_chunk_s(span: Span) -> float | None:
    """Return the seconds from sending to the first piece of anything; None where nothing was sent
    or streamed.
    """
    if span.served.source == "endpoint":
        return span.served.ttft_s
    return None


def _times(span: Span) -> dict[str, Attribute | None]:
    """Return the times of a call; None for what it does not have."""
    served, first = span.served, first_chunk_s(span)
    found: dict[str, Attribute | None] = {}
    if first is not None:
        found[names.STREAM] = True
        found[names.TIME_TO_FIRST_CHUNK] = first
        found[names.TIME_TO_FIRST_ANSWER] = served.ttft_answer_s
    if served.source == "endpoint" and span.error is None:
        found[names.LATENCY] = served.latency_s
    return {**found, **_waits(served)}


def _waits(served: Served) -> dict[str, Attribute | None]:
    """Seconds waited; those of kinds that have one name are added up, and none is told where there
    was no wait.
    """
    found: dict[str, float] = {}
    for wait in (*WAITS, BACKOFF):
        name = names.wait(wait)
        found[name] = found.get(name, 0.0) + getattr(served, wait.field)
    return {name: seconds or None for name, seconds in found.items()}


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        part = {
            "type": "tool_call_response",
            "id": message.tool_call_id,
            "response": message.content,
        }
        return {"role": "tool", "parts": [part]}
    return {
        "role": message.role,
        "parts": _parts(message.reasoning, message.content, message.tool_calls),
    }


def _output(span: Span) -> dict[str, Any]:
    return {"role": "assistant", "parts": _parts(span.reasoning, span.content, span.tool_calls)}


def _parts(reasoning: str | None, content: str, calls: Iterable[ToolCall]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if reasoning:
        parts.append({"type": "reasoning", "content": reasoning})
    if content:
        parts.append({"type": "text", "content": content})
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in calls
    ]
    return parts


def _json(value: Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
