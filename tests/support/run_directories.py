"""Run directories of a few made-up topics, for tests of what reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from records import a_failed_result, a_result, a_span

from harness.domain.completion import Message, Request
from harness.domain.key import cache_key
from harness.domain.run import Span
from harness.records.results_dir import ResultsDir


@dataclass(frozen=True, kw_only=True)
class Made:
    """A topic as it shall stand in a run: fields of its row, and its calls."""

    id: str
    calls: Sequence[Span] = ()
    failed: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


def asking(text: str, *, system: str | None = None, **fields: Any) -> Request:
    turns = [Message(role="system", content=system)] if system else []
    return Request(
        **{
            "endpoint": "mock",
            "model": "m",
            "messages": (*turns, Message(role="user", content=text)),
            **fields,
        }
    )


def said(
    span_id: str, asked: str | Request, content: str, *, at_s: float = 1.0, **fields: Any
) -> Span:
    """A call that took a second from `at_s` on."""
    request = asking(asked) if isinstance(asked, str) else asked
    known = {
        "step": span_id.rpartition("/")[2].partition("#")[0],
        "start_s": at_s,
        "end_s": at_s + 1,
    }
    return a_span(
        span_id=span_id,
        request=request,
        key=cache_key(request),
        content=content,
        **{**known, **fields},
    )


def make_run(path: Path, topics: Sequence[Made], **manifest: Any) -> Path:
    """Write a run with these topics, in their order; `manifest` are fields of `run.json`."""
    described = {
        "version": 1,
        "run_id": path.name,
        "status": "complete",
        "created_at": "2026-11-21T12:00:00.000+00:00",
        "dataset": {"topics": len(topics)},
        "identity": {"model": "m", "endpoint": "mock", "workflow": "research", "prompts": "a" * 64},
        "settings": {"prompts": None, "cache": "cache.db", "cache_mode": "read_write", "ttl": None},
        "session_log": [{"wall_s": 2.0}, {"wall_s": 3.0}],
        **manifest,
    }
    results = ResultsDir.create_or_continue(path, lambda known: described)
    results.begin()
    try:
        for index, topic in enumerate(topics):
            make = a_failed_result if topic.failed else a_result
            row = make(
                index,
                **{"topic_id": topic.id, "calls": len(topic.calls), "hits": 0, **topic.fields},
            )
            asyncio.run(
                results.write(row, [_of(span, topic.id, path.name) for span in topic.calls])
            )
    finally:
        results.close()
    return path


def _of(span: Span, topic_id: str, run_id: str) -> Span:
    return replace(span, topic_id=topic_id, run_id=run_id)
