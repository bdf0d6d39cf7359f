"""Pairs of what belongs together in two runs of a topic: calls of a step and sub-questions, by what
they ask, not by number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from harness.diffs.words import similarity, words_of
from harness.domain.completion import Request
from harness.records.stored import StoredSpan

MOST_COMPARED = 900
"""Pairs of texts. Beyond, as for a fan-out of hundreds, what is not equal is paired by name."""

LEAST_ALIKE = 0.3
"""The least likeness of two texts of different names that are taken for one another."""

_SAME_NAME = 0.1

T = TypeVar("T")

Section: TypeAlias = Mapping[str, Any]
"""A part of an output, as the workflow made it."""

Places: TypeAlias = tuple[int | None, int | None]
"""A place in each of two sequences; None where there is no counterpart."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to find a counterpart for: by its text, and, where that does not tell, by its
    name.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Generic[T]):
    """Counterparts in two runs, as calls or sections; None where one of the runs has none."""

    a: T | None
    b: T | None

    @property
    def either(self) -> T:
        """That of A, or of B where A has none."""
        found = self.b if self.a is None else self.a
        if found is None:
            raise AssertionError("a pair has a side")
        return found


def align(old: Sequence[Item], new: Sequence[Item]) -> list[Places]:
    """Each item of both sides once, with its counterpart: in the order of the old side, new ones
    after those before.

    Equal texts are counterparts; then what is most alike, a common name counting a little; one
    alone on its side is the other's counterpart whatever it says.
    """
    found: dict[int, int] = {}
    left = set(range(len(new)))
    for same_name in (True, False):
        for place, item in enumerate(old):
            equals = (at for at in sorted(left) if _equal(item, new[at], same_name=same_name))
            if place not in found and (at := next(equals, None)) is not None:
                found[place] = at
                left.discard(at)
    rest = [place for place in range(len(old)) if place not in found]
    if len(old) == len(new) == 1:
        found[0] = 0
    elif len(rest) * len(left) <= MOST_COMPARED:
        found |= _likeliest(old, new, rest, left)
    else:
        by_name = {new[at].name: at for at in left}
        found |= {place: by_name[old[place].name] for place in rest if old[place].name in by_name}
    return _in_order(len(old), len(new), found)


def aligned_calls(old: Sequence[StoredSpan], new: Sequence[StoredSpan]) -> list[Pair[StoredSpan]]:
    """The calls of two runs of a topic, step by step in the order in which the steps were first
    wanted.
    """
    pairs: list[Pair[StoredSpan]] = []
    for step in dict.fromkeys(call.step for call in (*old, *new)):
        sides = [[call for call in calls if call.step == step] for calls in (old, new)]
        items = [_asked(calls) for calls in sides]
        pairs += [_pair(sides[0], sides[1], places) for places in align(*items)]
    return pairs


def aligned_sections(old: Sequence[Section], new: Sequence[Section]) -> list[Pair[Section]]:
    """The sections of two outputs, such as the sub-questions of `research`."""
    items = [
        [Item(str(number), label_of(section)) for number, section in enumerate(side)]
        for side in (old, new)
    ]
    return [_pair(old, new, places) for places in align(*items)]


def label_of(section: Section) -> str:
    """Say what a section is about: its `question`, else the first text in it, else all of it."""
    texts = [value for value in section.values() if isinstance(value, str)]
    question = section.get("question")
    if isinstance(question, str):
        return question
    return next(iter(texts), json.dumps(section, ensure_ascii=False))


def _equal(one: Item, other: Item, *, same_name: bool) -> bool:
    return one.text == other.text and (one.name == other.name or not same_name)


def _likeliest(
    old: Sequence[Item], new: Sequence[Item], rest: Sequence[int], left: set[int]
) -> dict[int, int]:
    """Counterparts among what has no equal, the likeliest first."""
    scored: list[tuple[float, int, int]] = []
    for place in rest:
        for at in left:
            likeness, same = (
                similarity(old[place].text, new[at].text),
                old[place].name == new[at].name,
            )
            if same or likeness >= LEAST_ALIKE:
                scored.append((likeness + _SAME_NAME * same, place, at))
    found: dict[int, int] = {}
    for _, place, at in sorted(scored, key=lambda one: (-one[0], one[1], one[2])):
        if place not in found and at in left:
            found[place] = at
            left.discard(at)
    return found


def _in_order(old: int, new: int, found: Mapping[int, int]) -> list[Places]:
    lone = sorted(set(range(new)) - set(found.values()))
    pairs: list[Places] = []
    for place in range(old):
        counterpart = found.get(place)
        while lone and counterpart is not None and lone[0] < counterpart:
            pairs.append((None, lone.pop(0)))
        pairs.append((place, counterpart))
    return pairs + [(None, at) for at in lone]


def _asked(calls: Sequence[StoredSpan]) -> list[Item]:
    """Return what each call of a step asks: its last message, without what all calls of the step
    begin and end with.

    Numbers are left out: they are as a rule those of the parts, which are matched by what is asked.
    """
    texts = [
        [word for word in words_of(_last_message(call.request)) if not word.strip().isdecimal()]
        for call in calls
    ]
    start = _common_start(texts)
    end = _common_start([words[start:][::-1] for words in texts])
    return [
        Item(call.id, "".join(words[start : len(words) - end]))
        for call, words in zip(calls, texts, strict=True)
    ]


def _common_start(texts: Sequence[list[str]]) -> int:
    """Return how many words all of several texts begin with: those that the first and the last in
    order do.
    """
    if len(texts) < 2:
        return 0
    first, last = min(texts), max(texts)
    return next((place for place, word in enumerate(first) if word != last[place]), len(first))


def _last_message(request: Request) -> str:
    if request.messages:
        return request.messages[-1].content
    return ""


def _pair(old: Sequence[T], new: Sequence[T], places: Places) -> Pair[T]:
    a, b = places
    return Pair(a=None if a is None else old[a], b=None if b is None else new[b])
