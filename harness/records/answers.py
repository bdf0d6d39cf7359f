"""Answers by who gave them, as JSON: in rows of topics, and in the sums over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harness.domain.completion import Answerer, Json
from harness.domain.run import Answered, Span, TopicResult
from harness.domain.who_answered import AnswererCounts, answered
from harness.records.json_fields import COUNT, FLAG, NULL, TEXT, check_fields

FIELD = "answered_by"
_ANSWERED = {
    "endpoint": TEXT,
    "asked": TEXT,
    "model": TEXT,
    "fingerprint": TEXT | NULL,
    "answers": COUNT,
    "other": FLAG | NULL,
}


def answers_to_json(answers: Mapping[Answered, int]) -> list[Json]:
    """The most frequent first; `other` is there where it is one."""
    return [_answered_to_json(one, number) for one, number in most_frequent_first(answers)]


def most_frequent_first(answers: Mapping[Answered, int]) -> list[tuple[Answered, int]]:
    """Return who answered and how often, without those that a sum has lost again."""
    listed = sorted(answers.items(), key=lambda item: (-item[1], item[0]))
    return [(one, number) for one, number in listed if number > 0]


def _answered_to_json(one: Answered, number: int) -> Json:
    fields: dict[str, Json] = {
        "endpoint": one.endpoint,
        "asked": one.asked,
        "model": one.by.model,
        "fingerprint": one.by.fingerprint or None,
        "answers": number,
    }
    if one.other:
        fields["other"] = True
    return fields


def answers_in(fields: Mapping[str, Any]) -> AnswererCounts:
    """Return the answers that a row or a sum tells of; none in those of versions before."""
    return answers_from_json(fields.get(FIELD, ()))


def answers_from_json(items: Any) -> AnswererCounts:
    """The same from the list. Raises ValueError, naming the field, where one is missing or is not
    of its type.
    """
    if not isinstance(items, list | tuple):
        raise ValueError(f"{FIELD!r} must be a list")  # noqa: TRY004 - what is wrong is a value of JSON
    found: AnswererCounts = Counter()
    for one in items:
        check_fields(one, FIELD, _ANSWERED)
        by = Answerer(one["model"], one["fingerprint"] or "")
        found[Answered(one["endpoint"], one["asked"], by, one.get("other") or False)] += one[
            "answers"
        ]
    return found


def answers_of_topic(result: TopicResult, calls: Iterable[Span]) -> AnswererCounts:
    """Return who answered a topic; where its row is of a version that did not say so, what its
    calls say.
    """
    if result.answers:
        return Counter(result.answers)
    found: AnswererCounts = Counter()
    for call in calls:
        if call.error is None:
            found.update(answered(call.request.endpoint, call.request.model, call.answerers))
    return found
