"""A suite's report as one JSON value, as docs/schemas/check.schema.json describes it."""

from __future__ import annotations

from typing import Any

from harness.diffs.words import diff_words
from harness.domain.key import request_fields
from harness.domain.who_answered import doubt_lines
from harness.records.answers import answers_to_json
from harness.records.codec import usage_to_json
from harness.records.stored import StoredSpan
from harness.regress.checks.checks import Draw, Failing
from harness.regress.checks.misses import MissGroup
from harness.regress.suites.report import CheckVerdict, SuiteReport, TopicVerdict

VERSION = 1


def in_json(report: SuiteReport) -> dict[str, Any]:
    """Everything there is to tell; of a failure the whole texts."""
    suite = report.suite
    return {
        "version": VERSION,
        "suite": suite.name,
        "file": str(suite.path),
        "exit_code": report.exit_code,
        "headline": report.headline,
        "topics": report.topics,
        "samples": suite.samples,
        "checked": report.checked,
        "misses": [_miss(group) for group in report.misses],
        "misses_fail": report.misses_fail,
        "stale": report.stale,
        "gone": list(report.gone),
        "answered_by": answers_to_json(report.answers),
        "answerers": doubt_lines(report.answers),
        "checks": [_check(one, suite.samples) for one in report.checks],
    }


def _miss(group: MissGroup) -> dict[str, Any]:
    example = group.example
    return {
        "step": group.step,
        "reason": group.reason,
        "calls": group.calls,
        "topics": group.topics,
        "example": {
            "topic_id": example.topic_id,
            "sample": example.sample,
            "call": example.span_id,
            "text": example.text,
        },
    }


def _check(one: CheckVerdict, samples: int) -> dict[str, Any]:
    return {
        "name": one.check.name,
        "line": one.check.line,
        "step": one.check.step,
        "implied": one.check.implied,
        "expectations": [each.wanted for each in one.check.expectations],
        "wanted_pass_rate": one.check.pass_rate,
        "state": one.state,
        "passed": len(one.of_state("passed")),
        "failed": len(one.of_state("failed")),
        "not_checked": len(one.of_state("not checked")),
        "pass_rate": _rounded(one.pass_rate),
        "pass_at": {str(k): _rounded(one.pass_at(k)) for k in sorted({1, samples})},
        "spreads": {
            name: {"mean": _rounded(spread.mean), "variance": _rounded(spread.variance)}
            for name, spread in one.spreads.items()
        },
        "topics": [_topic(topic) for topic in one.topics],
    }


def _topic(topic: TopicVerdict) -> dict[str, Any]:
    return {
        "topic_id": topic.topic_id,
        "state": topic.state,
        "draws": [_draw(draw) for draw in topic.draws],
    }


def _draw(draw: Draw) -> dict[str, Any]:
    failing = [_failing(each) for each in draw.failing]
    return {"sample": draw.sample, "state": draw.state, "why": draw.why, "failing": failing}


def _failing(failing: Failing) -> dict[str, Any]:
    shortfall = failing.shortfall
    return {
        "expectation": failing.expectation,
        "checked": failing.checked,
        "message": shortfall.message,
        "expected": shortfall.expected,
        "got": shortfall.got,
        "diff": diff_words(shortfall.expected, shortfall.got).plain()
        if shortfall.compared
        else None,
        "call": _call(failing.call) if failing.call is not None else None,
    }


def _call(call: StoredSpan) -> dict[str, Any]:
    """Enough to understand what was asked and said."""
    return {
        "id": call.id,
        "step": call.step,
        "key": call.key,
        "model": call.model,
        "finish_reason": call.finish_reason,
        "usage": usage_to_json(call.usage),
        "reasoning": call.reasoning,
        "content": call.content,
        "messages": request_fields(call.request)["messages"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 12)
