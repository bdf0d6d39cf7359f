"""Comparisons for machines: all numbers, and every changed topic; of one topic, every word that
changed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.diffs.misses import change_to_json
from harness.diffs.words import WordDiff
from harness.domain.who_answered import difference_lines
from harness.records.answers import answers_to_json
from harness.regress.comparing.run_comparison import Comparison, Head
from harness.regress.comparing.topic_detail import CallDetail, TopicDetail
from harness.regress.comparing.topic_difference import Amounts, TopicDifference, answer_of


def comparison_to_json(found: Comparison) -> dict[str, Any]:
    """A whole comparison."""
    return {
        "same": found.same,
        "a": asdict(found.a),
        "b": asdict(found.b),
        "topics": {
            "common": found.common,
            "unchanged": found.unchanged,
            "requests_only": found.requests_only,
            "changed": len(found.changed),
            "worse": sum(topic.status == "worse" for topic in found.changed),
            "better": sum(topic.status == "better" for topic in found.changed),
            "only_a": list(found.only_a),
            "only_b": list(found.only_b),
        },
        "settings": [asdict(one) for one in found.settings],
        "answered_by": {
            "a": answers_to_json(found.answers_a),
            "b": answers_to_json(found.answers_b),
        },
        "answerers": difference_lines(found.answers_a, found.answers_b),
        "checks": [asdict(one) for one in found.checks],
        "amounts": {"a": asdict(found.amounts_a), "b": asdict(found.amounts_b)},
        "topic_s": {"a": found.topic_s[0], "b": found.topic_s[1]},
        "steps": [asdict(step) for step in found.steps],
        "changed": [_topic(topic) for topic in found.changed],
    }


def detail_to_json(found: TopicDetail, a: Head, b: Head) -> dict[str, Any]:
    """Everything about one topic."""
    return {
        "a": asdict(a),
        "b": asdict(b),
        **_topic(found.difference),
        "output": _diff(found.output),
        "output_of": found.output_of,
        "sections": [
            {
                "a": section.place_a,
                "b": section.place_b,
                "label": section.label,
                "changes": {name: diff.as_json() for name, diff in section.changes},
            }
            for section in found.sections
        ],
        "calls": [_call(call) for call in found.calls],
    }


def _topic(topic: TopicDifference) -> dict[str, Any]:
    return {
        **asdict(topic),
        "checks": {name: {"a": a, "b": b} for name, a, b in topic.checks},
        "same": topic.same,
        "status": topic.status,
        "likeness": round(topic.likeness, 3),
        "lost": list(topic.lost),
        "gained": list(topic.gained),
    }


def _call(found: CallDetail) -> dict[str, Any]:
    pair = found.call.pair
    return {
        "step": found.call.step,
        "a": None if pair.a is None else {"id": pair.a.id, **asdict(Amounts.of_call(pair.a))},
        "b": None if pair.b is None else {"id": pair.b.id, **asdict(Amounts.of_call(pair.b))},
        "request": None if found.request is None else change_to_json(found.request),
        "reasoning": _diff(found.reasoning),
        "answer": _diff(found.answer),
        "only": answer_of(pair.either) if found.call.lone else None,
    }


def _diff(diff: WordDiff | None) -> dict[str, Any] | None:
    return None if diff is None else diff.as_json()
