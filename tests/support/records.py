"""Results and spans as a run leaves them, for tests of what is done with them."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from harness.domain.completion import FailedAttempt, Message, Request, Served, ToolCall, Usage
from harness.domain.run import Failure, Span, TopicResult
from harness.records.stored import StoredResult, StoredSpan

STARTED_AT = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
USAGE = Usage(input_tokens=10, output_tokens=20, reasoning_tokens=5, cached_tokens=4)


def values_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass as they are, nothing in them taken apart."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def a_result(index: int = 0, **fields: Any) -> TopicResult:
    return TopicResult(
        **{
            "run_id": "run",
            "topic_id": f"t{index}",
            "index": index,
            "workflow": "research",
            "status": "ok",
            "topic": "why?",
            "output": "because",
            "sections": (),
            "error": None,
            "usage": USAGE,
            "cost": 0.25,
            "saved": 0.0,
            "calls": 2,
            "hits": 1,
            "started_at": STARTED_AT,
            "elapsed_s": 3.5,
            "sequential_s": 4.25,
            "metadata": {},
            **fields,
        }
    )


def a_failed_result(index: int = 0, **fields: Any) -> TopicResult:
    failure = Failure(type="TopicFailed", message="no answer")
    return a_result(index, **{"status": "failed", "output": None, "error": failure, **fields})


def a_span(topic_id: str = "t0", span_id: str = "ask", **fields: Any) -> Span:
    return Span(
        **{
            "run_id": "run",
            "topic_id": topic_id,
            "id": span_id,
            "parent": None,
            "step": "ask",
            "start_s": 1.0,
            "end_s": 3.0,
            "key": "k" * 64,
            "request": Request(
                endpoint="mock", model="m", messages=(Message(role="user", content="why?"),)
            ),
            "content": "because",
            "reasoning": "well",
            "tool_calls": (),
            "finish_reason": "stop",
            "usage": USAGE,
            "cost": 0.125,
            "saved": 0.0,
            "served": Served(latency_s=2.0),
            "model": "m-1",
            "fingerprint": "fp",
            "trace_id": "trace",
            "error": None,
            **fields,
        }
    )


def a_hard_won_span() -> Span:
    """A call with everything in it: tools, a retry, all waits."""
    retry = FailedAttempt(
        number=1,
        kind="rate_limited",
        message="slow down",
        status=429,
        elapsed_s=0.5,
        backoff_s=0.25,
    )
    return a_span(
        tool_calls=(ToolCall(id="c1", name="look_up", arguments="{}"),),
        served=Served(
            attempts=2,
            failures=(retry,),
            queued_run_s=0.1,
            queued_s=0.2,
            paced_s=0.3,
            budget_s=0.4,
            outage_s=0.7,
            ttft_reasoning_s=0.5,
            ttft_answer_s=0.75,
            latency_s=2.0,
            stored_s=0.6,
        ),
    )


def a_stored_result(index: int = 0, *, session: int = 1, **fields: Any) -> StoredResult:
    return StoredResult(**values_of(a_result(index, **fields)), session=session)


def a_stored_span(*, index: int = 0, session: int = 1, **fields: Any) -> StoredSpan:
    span = a_span(**fields)
    return StoredSpan(**values_of(span), index=index, session=session, written_own_s=span.own_s)
