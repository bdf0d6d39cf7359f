"""Sums over spans and topics: what a row says of its topic, and a run of all its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.domain.completion import Usage
from harness.domain.run import Failure, Output, Span, Status, Topic, TopicResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums of calls. `cost` is what the run paid, in USD; `unpriced` counts paid calls whose price is not known."""

    calls: int = 0
    hits: int = 0
    failures: int = 0
    retries: int = 0
    usage: Usage = Usage()
    cost: float = 0.0
    saved: float = 0.0
    unpriced: int = 0
    sequential_s: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            calls=self.calls + other.calls,
            hits=self.hits + other.hits,
            failures=self.failures + other.failures,
            retries=self.retries + other.retries,
            usage=self.usage + other.usage,
            cost=self.cost + other.cost,
            saved=self.saved + other.saved,
            unpriced=self.unpriced + other.unpriced,
            sequential_s=self.sequential_s + other.sequential_s,
        )


def totals_of_span(span: Span) -> Totals:
    """One call as a sum."""
    return Totals(
        calls=1,
        hits=int(span.error is None and span.served.source != "endpoint"),
        failures=int(span.error is not None),
        retries=max(0, span.served.attempts - 1),
        usage=span.usage,
        cost=span.cost or 0.0,
        saved=span.saved,
        unpriced=int(span.cost is None),
        sequential_s=span.own_s,
    )


def totals_of(spans: Iterable[Span]) -> Totals:
    """The sum over calls."""
    return sum((totals_of_span(span) for span in spans), Totals())


def unrecordable(output: Output) -> str | None:
    """Why a workflow's output cannot be a row, or None if it can: it must be JSON, and its sections mappings."""
    if not all(isinstance(section, Mapping) for section in output.sections):
        return "the workflow's output has sections that are not mappings"
    try:
        json.dumps([output.value, *output.sections], default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"the workflow's output is not JSON: {error}"
    return None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def topic_result(
    *,
    run_id: str,
    workflow: str,
    topic: Topic,
    spans: Iterable[Span],
    output: Output | None,
    error: Failure | None,
    started_at: datetime,
    elapsed_s: float,
) -> TopicResult:
    """The row of a topic that ended: failed where there is an error, degraded where the output says so."""
    totals = totals_of(spans)
    status: Status = "ok"
    if error is not None:
        status = "failed"
    elif output is not None and output.degraded is not None:
        status = "degraded"
        error = Failure(type="Degraded", message=output.degraded)
    return TopicResult(
        run_id=run_id,
        topic_id=topic.id,
        index=topic.index,
        workflow=workflow,
        status=status,
        topic=topic.text,
        output=output.value if output is not None else None,
        sections=output.sections if output is not None else (),
        error=error,
        usage=totals.usage,
        cost=None if totals.unpriced else totals.cost,
        saved=totals.saved,
        calls=totals.calls,
        hits=totals.hits,
        started_at=started_at,
        elapsed_s=elapsed_s,
        sequential_s=totals.sequential_s,
        metadata=topic.metadata,
    )
