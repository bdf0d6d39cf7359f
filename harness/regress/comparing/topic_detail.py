"""One topic in two runs, whole: what came out, its sub-questions, and each call: what it was asked
and what it said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from harness.diffs.request_change import RequestChange, compare_requests
from harness.diffs.words import WordDiff, diff_words
from harness.records.stored import StoredSpan
from harness.regress.case import Case, answers_before
from harness.regress.comparing.aligning import Pair, Section, aligned_sections, label_of
from harness.regress.comparing.topic_difference import (
    NO_CHECKS,
    CallDifference,
    Checks,
    TopicDifference,
    answer_of,
    compare_cases,
    output_text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """Two calls side by side. `request` is None where both asked the same, the diffs where the
    texts are equal.

    Of a call without a counterpart there are no diffs.
    """

    call: CallDifference
    request: RequestChange | None
    answer: WordDiff | None
    reasoning: WordDiff | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDetail:
    """Two sections of the outputs side by side, by their places from 1. `changes` are the fields
    that differ.

    A text that is the answer of a call is not among them: it is shown there.
    """

    place_a: int | None
    place_b: int | None
    label: str
    changes: tuple[tuple[str, WordDiff], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDetail:
    """`output` is None where the outputs are equal, or are the answers of the calls named by
    `output_of`.
    """

    a: Case
    b: Case
    difference: TopicDifference
    output: WordDiff | None
    output_of: str | None
    sections: tuple[SectionDetail, ...]
    calls: tuple[CallDetail, ...]


def detail_of(a: Case, b: Case, checks: Checks = NO_CHECKS) -> TopicDetail:
    """Everything about a topic."""
    difference, calls = compare_cases(a, b, checks)
    texts = output_text(a.row), output_text(b.row)
    written = [call for call in calls if _answers(call.pair) == texts]
    said = {call.content for case in (a, b) for call in case.calls}
    return TopicDetail(
        a=a,
        b=b,
        difference=difference,
        output=None if texts[0] == texts[1] or written else diff_words(*texts),
        output_of=written[-1].pair.either.id if written else None,
        sections=tuple(
            _section(pair, a, b, said) for pair in aligned_sections(a.row.sections, b.row.sections)
        ),
        calls=tuple(_call(call, a, b) for call in calls),
    )


def _answers(pair: Pair[StoredSpan]) -> tuple[str, str] | None:
    if pair.a is None or pair.b is None:
        return None
    return (answer_of(pair.a), answer_of(pair.b))


def _call(call: CallDifference, a: Case, b: Case) -> CallDetail:
    old, new = call.pair.a, call.pair.b
    if old is None or new is None:
        return CallDetail(call=call, request=None, answer=None, reasoning=None)
    return CallDetail(
        call=call,
        request=_request(old, new, a, b) if call.request_changed else None,
        answer=diff_words(answer_of(old), answer_of(new)) if call.answer_changed else None,
        reasoning=diff_words(old.reasoning, new.reasoning) if call.reasoning_changed else None,
    )


def _request(old: StoredSpan, new: StoredSpan, a: Case, b: Case) -> RequestChange:
    """In what B was asked otherwise than A, and whether that is its own change or that of an answer
    before it.
    """
    return compare_requests(
        old.request,
        new.request,
        recorded_answers=list(answers_before(old, a.calls).items()),
        answers=list(answers_before(new, b.calls).items()),
        renumbered=old.id != new.id,
    )


def _section(pair: Pair[Section], a: Case, b: Case, said: set[str]) -> SectionDetail:
    """`said` are the answers of all calls of both."""
    places = _place(pair.a, a), _place(pair.b, b)
    changes: list[tuple[str, WordDiff]] = []
    if pair.a is not None and pair.b is not None:
        for name in dict.fromkeys((*pair.a, *pair.b)):
            values = pair.a.get(name), pair.b.get(name)
            texts = _text(values[0]), _text(values[1])
            # The number of a section is its place, and is shown as that.
            if values[0] != values[1] and values != places and not said.issuperset(texts):
                changes.append((str(name), diff_words(*texts)))
    return SectionDetail(
        place_a=places[0], place_b=places[1], label=label_of(pair.either), changes=tuple(changes)
    )


def _place(section: Section | None, case: Case) -> int | None:
    places = (place for place, one in enumerate(case.row.sections, start=1) if one is section)
    return next(places, None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
