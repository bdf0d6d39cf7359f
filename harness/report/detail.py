"""A topic as the page shows it when it is opened: its output, its parts, and every call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.domain.completion import FailedAttempt, Request, Served
from harness.domain.key import request_fields
from harness.domain.remedies import remedy_of
from harness.domain.run import Failure
from harness.domain.waits import IN_ORDER
from harness.records.codec import usage_to_json
from harness.records.rows import failure_to_json
from harness.records.run import StoredTopic
from harness.records.stored import StoredSpan
from harness.report.markdown import Node, tree_of
from harness.text.safe import terminal_safe

# As the page draws them: the provider's first.
_WAITS = sorted(IN_ORDER, key=lambda wait: not wait.is_away)


def detail_of(topic: StoredTopic) -> dict[str, Any]:
    """Texts are safe to show as texts; Markdown is a tree of nodes."""
    row = topic.result
    return {
        "id": row.topic_id,
        "index": row.index,
        "session": row.session,
        "topic": terminal_safe(row.topic),
        "status": row.status,
        "error": _error(row.error),
        "output": _shown(row.output),
        "sections": [_section(section) for section in row.sections],
        "usage": usage_to_json(row.usage),
        "cost": row.cost,
        "saved": row.saved,
        "hits": row.hits,
        "told": row.calls,
        "started_at": row.started_at.isoformat(timespec="milliseconds"),
        "elapsed_s": row.elapsed_s,
        "sequential_s": row.sequential_s,
        "metadata": {terminal_safe(name): _plain(value) for name, value in row.metadata.items()},
        "calls": [
            _call(call) for call in sorted(topic.calls, key=lambda one: (one.start_s, one.id))
        ],
    }


def _call(call: StoredSpan) -> dict[str, Any]:
    return {
        "id": call.id,
        "step": call.step,
        "start_s": call.start_s,
        "end_s": call.end_s,
        "own_s": call.written_own_s,
        "model": call.model or call.request.model,
        "fingerprint": call.fingerprint,
        "trace_id": call.trace_id,
        "key": call.key,
        **_texts(call),
        "finish_reason": call.finish_reason,
        "usage": usage_to_json(call.usage),
        "cost": call.cost,
        "saved": call.saved,
        **_served(call.served),
        "error": _error(call.error),
        "rejected": terminal_safe(call.rejected) if call.rejected else None,
    }


def _texts(call: StoredSpan) -> dict[str, Any]:
    """The request and the answer of a call."""
    request = call.request
    return {
        "asked": _asked(request),
        "messages": [
            {"role": one.role, "content": terminal_safe(one.content)} for one in request.messages
        ],
        "reasoning": terminal_safe(call.reasoning),
        "content": terminal_safe(call.content),
        "tool_calls": [
            {"name": terminal_safe(one.name), "arguments": terminal_safe(one.arguments)}
            for one in call.tool_calls
        ],
    }


def _served(served: Served) -> dict[str, Any]:
    """The way to the answer: attempts, times and waits."""
    return {
        "source": served.source,
        "attempts": served.attempts,
        "latency_s": served.latency_s,
        "ttft_reasoning_s": served.ttft_reasoning_s,
        "ttft_answer_s": served.ttft_answer_s,
        "waits": list(_waits(served)),
        "failures": [_failure(failure) for failure in served.failures],
    }


def _waits(served: Served) -> Iterator[dict[str, Any]]:
    """Each wait that there was, with its words and the colour of its bar."""
    for wait in _WAITS:
        seconds = getattr(served, wait.field)
        if seconds:
            yield {"words": wait.words, "colour": wait.colour, "seconds": seconds}


def _asked(request: Request) -> dict[str, Any]:
    """Return the parameters of a request besides its messages and tools."""
    fields = request_fields(request)
    return {name: value for name, value in fields.items() if name not in ("messages", "tools")}


def _failure(failure: FailedAttempt) -> dict[str, Any]:
    told = {
        "number": failure.number,
        "kind": failure.kind,
        "status": failure.status,
        "message": terminal_safe(failure.message),
        "elapsed_s": failure.elapsed_s,
        "backoff_s": failure.backoff_s,
        "cost": failure.cost,
    }
    texts = {"content": failure.content, "reasoning": failure.reasoning}
    return told | {name: terminal_safe(text) for name, text in texts.items() if text}


def _error(error: Failure | None) -> dict[str, Any] | None:
    told = failure_to_json(error)
    if error is None or told is None:
        return None
    texts = {"message": error.message, "where": error.where, "code": error.code}
    safe = {name: terminal_safe(text) for name, text in texts.items() if text is not None}
    return {**told, **safe, "remedy": remedy_of(type=error.type, kind=error.kind)}


def _section(section: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an output. `research` names its fields so; of other workflows every field is shown
    as it is.
    """
    if isinstance(section.get("question"), str) and "status" in section:
        error = section.get("error")
        return {
            "question": terminal_safe(section["question"]),
            "status": section["status"],
            "answer": _shown(section.get("answer")),
            "error": None if error is None else _plain(error),
            "cited": section.get("cited"),
        }
    return {"fields": {terminal_safe(name): _plain(value) for name, value in section.items()}}


def _shown(value: Any) -> list[Node] | None:
    """A text as Markdown; anything else as JSON."""
    if value is None:
        return None
    return tree_of(terminal_safe(value)) if isinstance(value, str) else [["pre", _plain(value)]]


def _plain(value: Any) -> str:
    return terminal_safe(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    )
