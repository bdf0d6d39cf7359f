"""Sums over spans and topics: what a row says of its topic, and a run of all its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.domain.completion import Usage
from harness.domain.finish import doubt_of
from harness.domain.model_names import NO_ALIASES
from harness.domain.run import Failure, Output, Span, Status, Topic, TopicResult
from harness.domain.who_answered import answers_of


@dataclass(slots=True, kw_only=True)
class Totals:
    """Running sums of calls. `cost` is what the run paid, in USD; `unpriced` counts calls whose
    price is not known.

    Tokens are those of `Usage`, kept as plain sums. Sums over rows of topics are
    `records.run_standing.RowTotals`.
    """

    calls: int = 0
    hits: int = 0
    failures: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    untold: int = 0
    reasoning_untold: int = 0
    reasoning_estimated: int = 0
    cost: float = 0.0
    saved: float = 0.0
    unpriced: int = 0
    sequential_s: float = 0.0

    def add(self, span: Span) -> None:
        """Count one more call."""
        usage, served = span.usage, span.served
        self.calls += 1
        if span.error is not None:
            self.failures += 1
        elif served.source != "endpoint":
            self.hits += 1
        self.retries += max(0, served.attempts - 1)
        self.add_usage(usage)
        if span.cost is None:
            self.unpriced += 1
        else:
            self.cost += span.cost
        self.saved += span.saved
        self.sequential_s += span.own_s

    def add_usage(self, usage: Usage, sign: int = 1) -> None:
        """Count these tokens, or take them away with `sign` -1."""
        self.input_tokens += sign * usage.input_tokens
        self.output_tokens += sign * usage.output_tokens
        self.reasoning_tokens += sign * usage.reasoning_tokens
        self.cached_tokens += sign * usage.cached_tokens
        self.untold += sign * usage.untold
        self.reasoning_untold += sign * usage.reasoning_untold
        self.reasoning_estimated += sign * usage.reasoning_estimated

    @property
    def usage(self) -> Usage:
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            reasoning_tokens=self.reasoning_tokens,
            cached_tokens=self.cached_tokens,
            untold=self.untold,
            reasoning_untold=self.reasoning_untold,
            reasoning_estimated=self.reasoning_estimated,
        )


def totals_of(spans: Iterable[Span]) -> Totals:
    """The sum over calls."""
    totals = Totals()
    for span in spans:
        totals.add(span)
    return totals


def size_of_output(output: Output) -> int:
    """Characters of an output, roughly: those of its texts."""
    return sum(_length_of(part) for part in (output.value, *output.sections))


def _length_of(part: object) -> int:
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Mapping):
        return sum(len(text) for text in part.values() if isinstance(text, str))
    return 0


def unrecordable(output: Output) -> str | None:
    """Say why a workflow's output cannot be a row, or None if it can: it must be JSON, and its
    sections mappings.
    """
    if isinstance(output.value, str) and not output.sections:
        return None
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
    aliases: Mapping[str, str] = NO_ALIASES,
) -> TopicResult:
    """The row of a topic that ended. `aliases` are names of models, with what answers to them.

    It is failed where there is an error, and degraded where the output says so or one of its
    answers may not be whole.
    """
    calls = tuple(spans)
    totals = totals_of(calls)
    status: Status = "ok"
    if error is not None:
        status = "failed"
    else:
        doubts = _doubts(output, calls)
        if doubts:
            status = "degraded"
            error = Failure(type="Degraded", message="; ".join(doubts))
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
        answers=answers_of(calls, aliases),
    )


def _doubts(output: Output | None, calls: Iterable[Span]) -> list[str]:
    """Return what is missing of an output, or may be, each thing once."""
    if output is None or output.degraded is None:
        doubts = []
    else:
        doubts = [output.degraded]
    for call in calls:
        doubt = None if call.error is not None else doubt_of(call.finish_reason)
        if doubt is not None:
            doubts.append(f"{call.step}: {doubt}")
    return list(dict.fromkeys(doubts))
