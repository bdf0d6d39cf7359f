"""A topic as the page shows it when it is opened: its output, its parts, and every call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.domain.remedies import remedy_of
from harness.domain.sanitize import terminal_safe
from harness.domain.waits import IN_ORDER
from harness.report.markdown import Node, tree_of
from harness.report.records import Record, Row

_TIMES = ("start_s", "end_s", "own_s")
_SERVED = ("latency_s", "ttft_reasoning_s", "ttft_answer_s")
# As the page draws them: the provider's first.
_WAITS = sorted(IN_ORDER, key=lambda wait: wait.colour != "outage")


def detail_of(record: Record) -> dict[str, Any]:
    """Texts are safe to show as texts; Markdown is a tree of nodes. Raises KeyError or TypeError for a damaged row."""
    row = record.row
    return {
        "id": row["topic_id"],
        "index": row["index"],
        "session": row["session"],
        "topic": terminal_safe(row["topic"]),
        "status": row["status"],
        "error": _error(row["error"]),
        "output": _shown(row["output"]),
        "sections": [_section(section) for section in row["sections"]],
        "usage": row["usage"],
        "cost": row["cost"],
        "saved": row["saved"],
        "hits": row["hits"],
        "told": row["calls"],
        "started_at": row["started_at"],
        "elapsed_s": row["elapsed_s"],
        "sequential_s": row["sequential_s"],
        "metadata": {terminal_safe(name): _plain(value) for name, value in row["metadata"].items()},
        "calls": [_call(call) for call in sorted(record.calls, key=lambda one: (one["start_s"], one["id"]))],
    }


def _call(call: Row) -> dict[str, Any]:
    served, request = call["served"], call["request"]
    return {
        "id": call["id"],
        "step": call["step"],
        **{name: call[name] for name in _TIMES},
        "model": call["model"] or request.get("model"),
        "fingerprint": call["fingerprint"],
        "trace_id": call["trace_id"],
        "key": call["key"],
        "asked": {name: value for name, value in request.items() if name not in ("messages", "tools")},
        "messages": [_message(message) for message in request["messages"]],
        "reasoning": terminal_safe(call["reasoning"]),
        "content": terminal_safe(call["content"]),
        "tool_calls": [
            {"name": terminal_safe(one["name"]), "arguments": terminal_safe(one["arguments"])}
            for one in call["tool_calls"]
        ],
        "finish_reason": call["finish_reason"],
        "usage": call["usage"],
        "cost": call["cost"],
        "saved": call["saved"],
        "source": served["source"],
        "attempts": served["attempts"],
        **{name: served.get(name) for name in _SERVED},
        "waits": list(_waits(served)),
        "failures": [
            {**failure, "message": terminal_safe(failure["message"])} for failure in map(_failure, served["failures"])
        ],
        "error": _error(call["error"]),
        "rejected": terminal_safe(call["rejected"]) if call.get("rejected") else None,
    }


def _waits(served: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each wait that there was, with its words and the colour of its bar."""
    for wait in _WAITS:
        if served.get(wait.field):
            yield {"words": wait.words, "colour": wait.colour, "seconds": served[wait.field]}


def _failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    names = ("number", "kind", "status", "message", "elapsed_s", "backoff_s", "cost")
    texts = {name: terminal_safe(failure[name]) for name in ("content", "reasoning") if failure.get(name)}
    return {**{name: failure[name] for name in names}, **texts}


def _message(message: Mapping[str, Any]) -> dict[str, str]:
    return {"role": message["role"], "content": terminal_safe(message.get("content", ""))}


def _error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if error is None:
        return None
    texts = {name: terminal_safe(error[name]) for name in ("message", "where", "code") if error.get(name) is not None}
    return {**error, **texts, "remedy": remedy_of(type=error["type"], kind=error["kind"])}


def _section(section: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an output. `research` names its fields so; of other workflows every field is shown as it is."""
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
    return terminal_safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
