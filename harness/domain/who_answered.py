"""The models that answered, by their own word: counted, and reported where they are in doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from harness.domain.completion import Answerer
from harness.domain.model_names import NO_ALIASES, same_model
from harness.domain.run import Answered, Span
from harness.text.amounts import counted
from harness.text.safe import one_line

NAMED = 4
"""Of many that answered, so many are named."""
_LONGEST_NAME = 120


AnswererCounts: TypeAlias = Counter[Answered]
"""The number of answers by who gave them. An answer that named two models counts for both."""


def answered(
    endpoint: str, asked: str, told: Iterable[Answerer], aliases: Mapping[str, str] = NO_ALIASES
) -> Iterator[Answered]:
    """One answer, by all that it names itself to come from."""
    for by in told:
        if by.model or by.fingerprint:
            yield Answered(endpoint, asked, by, not same_model(asked, by.model, aliases))


def answers_of(spans: Iterable[Span], aliases: Mapping[str, str] = NO_ALIASES) -> AnswererCounts:
    """Count the models that answered these calls; a call that failed has no answer."""
    found: AnswererCounts = Counter()
    for span in spans:
        if span.error is None:
            found.update(
                answered(span.request.endpoint, span.request.model, span.answerers, aliases)
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of those that answered, as it is told apart from the others.

    `who` are all that it stands for.
    """

    label: str
    who: tuple[Answered, ...]

    def answers(self, found: AnswererCounts) -> int:
        return sum(found[one] for one in self.who)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A doubt about the model that answered: not, or not always, the one that was asked for.

    The most frequent of the `variants` comes first. `other`: a model of another name answered. Else
    it is known by the same name, and changed behind it.
    """

    asked: str
    other: bool
    variants: tuple[Variant, ...]


def doubts(found: AnswererCounts) -> list[Doubt]:
    """At most one for each model that was asked for at an endpoint."""
    groups: dict[tuple[str, str], list[Answered]] = {}
    for one in sorted(found):
        if found[one] > 0:
            groups.setdefault((one.endpoint, one.asked), []).append(one)
    told: list[Doubt] = []
    for (_, asked), group in groups.items():
        other = any(one.other for one in group)
        if other or _has_changed(group):
            variants = sorted(_variants(group), key=lambda variant: -variant.answers(found))
            told.append(Doubt(asked=asked, other=other, variants=tuple(variants)))
    return told


def doubt_lines(found: AnswererCounts) -> list[str]:
    """Each doubt in one line, with all values and how many answers each gave."""
    return [_words(doubt, found) for doubt in doubts(found)]


def difference_lines(a: AnswererCounts, b: AnswererCounts) -> list[str]:
    """The doubts about two runs taken together, each in one line, with the numbers of both."""
    lines = []
    for doubt in doubts(a + b):
        parts = []
        for variant in doubt.variants:
            in_a, in_b = variant.answers(a), variant.answers(b)
            parts.append(f"{variant.label} gave {in_a:,} answers in A, {in_b:,} in B")
        lines.append(f"{_beginning(doubt)}: {'; '.join(_shortened(parts))}")
    return lines


def why_unpriced(found: AnswererCounts) -> str:
    """Return why the cost of these answers is not known, if there is no price for them."""
    if any(one.other for one in found):
        return "no price is known for the model that answered"
    return "no price is known for the model"


def _words(doubt: Doubt, found: AnswererCounts) -> str:
    first, *others = doubt.variants
    parts = [f"{first.label} gave {counted(first.answers(found), 'answer')}"]
    parts += [f"{other.label} {other.answers(found):,}" for other in others]
    return f"{_beginning(doubt)}: {', '.join(_shortened(parts))}"


def _beginning(doubt: Doubt) -> str:
    asked = one_line(doubt.asked, _LONGEST_NAME)
    if doubt.other:
        return f"{asked} was asked for, and another model answered"
    return f"what answers to {asked} was not the same throughout"


def _shortened(parts: list[str]) -> list[str]:
    left = len(parts) - NAMED
    if left <= 0:
        return parts
    return [*parts[:NAMED], f"and {left:,} more"]


def _has_changed(group: list[Answered]) -> bool:
    """Return whether two of them contradict each other, by their names or their builds."""
    return len(_builds(group)) > 1 or _contradict(group)


def _variants(group: list[Answered]) -> Iterator[Variant]:
    """Tell those who answered apart, by name, or by fingerprint where names do not tell them
    apart.
    """
    by_name: dict[str, list[Answered]] = {}
    for one in group:
        by_name.setdefault(one.by.model, []).append(one)
    is_one_model = not _contradict(group) and not any(one.other for one in group)
    for name, ones in by_name.items():
        shown = one_line(name, _LONGEST_NAME) or "no name"
        if len(_builds(group if is_one_model else ones)) < 2:
            yield Variant(label=shown, who=tuple(ones))
            continue
        for one in ones:
            label = _build_words(one)
            if len(by_name) > 1:
                label = f"{shown} ({label})"
            yield Variant(label=label, who=(one,))


def _build_words(one: Answered) -> str:
    if not one.by.fingerprint:
        return "no fingerprint"
    return f"fingerprint {one_line(one.by.fingerprint, _LONGEST_NAME)}"


def _builds(group: list[Answered]) -> set[str]:
    return {one.by.fingerprint for one in group if one.by.fingerprint}


def _contradict(group: list[Answered]) -> bool:
    """Return whether two of the names are two models.

    The one that was asked for may be the alias of another.
    """
    names: set[str] = set()
    for one in group:
        if one.by.model and (one.other or one.by.model != one.asked):
            names.add(one.by.model)
    return any(not same_model(one, other) for one, other in combinations(sorted(names), 2))
