"""Who answered, as JSON: in rows of topics, and in the sums over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.adapters.codec import answerers_from_json
from harness.domain.answerers import Answers, answered
from harness.domain.completion import Answerer, Json
from harness.domain.run import Answered

_FIELD = "answered_by"


def answers_to_json(answers: Mapping[Answered, int]) -> list[Json]:
    """The most frequent first; `other` is there where it is one."""
    listed = sorted(answers.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "endpoint": one.endpoint,
            "asked": one.asked,
            "model": one.by.model,
            "fingerprint": one.by.fingerprint or None,
            "answers": number,
            **({"other": True} if one.other else {}),
        }
        for one, number in listed
        if number > 0
    ]


def answers_in(fields: Mapping[str, Any]) -> Answers:
    """What a row or a sum says of it; nothing in those of versions before."""
    found: Answers = Counter()
    for one in fields.get(_FIELD, ()):
        by = Answerer(one["model"], one["fingerprint"] or "")
        found[Answered(one["endpoint"], one["asked"], by, one.get("other", False))] += one["answers"]
    return found


def answers_of_topic(row: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Answers:
    """The same for a topic; of rows of versions before, what its calls say."""
    return answers_in(row) if _FIELD in row else answers_in_calls(calls)


def answers_in_calls(calls: Iterable[Mapping[str, Any]]) -> Answers:
    found: Answers = Counter()
    for call in calls:
        if call["error"] is None:
            by = Answerer(call.get("model") or "", call.get("fingerprint") or "")
            request = call["request"]
            found.update(answered(request["endpoint"], request["model"], (*answerers_from_json(call), by)))
    return found
