"""The rows of `results.jsonl` and `traces.jsonl`, as documented in docs/formats.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness.domain.completion import FailedAttempt, Json
from harness.domain.key import request_fields
from harness.domain.run import Failure, Span, TopicResult
from harness.records.answers import answers_to_json
from harness.records.codec import (
    JsonObject,
    earlier_to_json,
    logprobs_to_json,
    served_to_json,
    tool_call_to_json,
    usage_to_json,
)
from harness.timing.bounds import CallTimes, FailedTimes

ROW_VERSION = 1


def result_to_row(result: TopicResult, *, session: int) -> JsonObject:
    """One topic. `session` counts the times that the run was begun or resumed, from 1."""
    return {
        "version": ROW_VERSION,
        "run_id": result.run_id,
        "session": session,
        "topic_id": result.topic_id,
        "index": result.index,
        "workflow": result.workflow,
        "status": result.status,
        "topic": result.topic,
        "output": plain(result.output),
        "sections": [plain(section) for section in result.sections],
        "error": failure_to_json(result.error),
        "usage": usage_to_json(result.usage),
        "cost": dollars(result.cost),
        "saved": dollars(result.saved),
        "calls": result.calls,
        "hits": result.hits,
        "started_at": result.started_at.isoformat(timespec="milliseconds"),
        "elapsed_s": seconds(result.elapsed_s),
        "sequential_s": seconds(result.sequential_s),
        "metadata": dict(result.metadata),
        "answered_by": answers_to_json(result.answers),
    }


def span_to_row(span: Span, *, index: int, session: int) -> JsonObject:
    """One call. `index` is its topic's."""
    return {
        "version": ROW_VERSION,
        "run_id": span.run_id,
        "session": session,
        "topic_id": span.topic_id,
        "index": index,
        "id": span.id,
        "parent": span.parent,
        "step": span.step,
        **({} if span.endpoint is None else {"endpoint": span.endpoint}),
        "start_s": seconds(span.start_s),
        "end_s": seconds(span.end_s),
        "own_s": seconds(span.own_s),
        "key": span.key,
        "request": request_fields(span.request),
        **_answer_to_json(span),
        "usage": usage_to_json(span.usage),
        "cost": dollars(span.cost),
        "saved": dollars(span.saved),
        "served": _rounded(served_to_json(span.served)),
        "error": failure_to_json(span.error),
        "rejected": span.rejected,
    }


def _answer_to_json(span: Span) -> JsonObject:
    """The answer of a call, and who gave it."""
    return {
        "model": span.model,
        "fingerprint": span.fingerprint,
        **earlier_to_json(span.earlier),
        "trace_id": span.trace_id,
        "reasoning": span.reasoning,
        "content": span.content,
        "tool_calls": [tool_call_to_json(call) for call in span.tool_calls],
        **logprobs_to_json(span),
        "finish_reason": span.finish_reason,
    }


def _rounded(served: JsonObject) -> JsonObject:
    for name, value in served.items():
        if name.endswith("_s"):
            served[name] = seconds(value)
    return served


def call_times_of(span: Span, *, origin_s: float = 0.0) -> CallTimes:
    """Return the times of a call, from the moment it was wanted; they count from `origin_s` on."""
    served = span.served
    sent = served.source == "endpoint"
    return CallTimes(
        topic_id=span.topic_id,
        id=span.id,
        step=span.step,
        start_s=seconds(span.start_s - origin_s),
        end_s=seconds(span.end_s - origin_s),
        # A call that failed for good did no work: all of its attempts were in vain.
        service_s=served.latency_s if sent and span.error is None else 0.0,
        before=tuple(map(_in_vain, served.failures)) if sent else (),
        tokens=span.usage.total_tokens if sent else 0,
        sent=sent,
        **served.by_field(),
    )


def _in_vain(failure: FailedAttempt) -> FailedTimes:
    return FailedTimes(**{name: getattr(failure, name) for name in _IN_VAIN})


_IN_VAIN = tuple(field.name for field in fields(FailedTimes))


def seconds(value: Any) -> Any:
    """Rounded to microseconds: what a clock can tell, and the same text on every machine."""
    return round(value, 6) if isinstance(value, float) else value


def dollars(value: float | None) -> float | None:
    """Rounded to far below the price of a token, so that a sum does not tell in which order it was
    made.
    """
    return value if value is None else round(value, 12)


def plain(value: Json) -> Json:
    """A JSON value in dicts and lists: a workflow may return any mapping, and the encoder knows
    only these.
    """
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def failure_to_json(failure: Failure | None) -> JsonObject | None:
    """Return the failure of a topic or a call; `where` and `code` are there where they are
    known.
    """
    if failure is None:
        return None
    place = {"where": failure.where, "code": failure.code}
    return {
        "type": failure.type,
        "kind": failure.kind,
        "message": failure.message,
        "step": failure.step,
        "status": failure.status,
        **{name: value for name, value in place.items() if value is not None},
    }
