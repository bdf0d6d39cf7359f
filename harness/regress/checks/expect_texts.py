"""Expectations of a text: what it holds, what it matches, how long it is, and what the reasoning
holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from harness.domain.completion import Json
from harness.regress.checks.bounded import MOST_CPU_S, TooSlow, bounded
from harness.regress.checks.expectation import Finding, Shortfall, Unknown, View
from harness.regress.checks.texts import count_words, text_of
from harness.settings.toml_tables import shown


def quoted(texts: tuple[str, ...]) -> str:
    """Texts one after another, each in quotes, and cut where it is long."""
    return ", ".join(map(shown, texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """All of these texts are in it, or, `absent`, none of them is. Upper and lower case differ."""

    texts: tuple[str, ...]
    absent: bool = False

    @property
    def wanted(self) -> str:
        return f"{'does not contain' if self.absent else 'contains'} {quoted(self.texts)}"

    def look(self, view: View) -> Finding:
        return _held(self, view.text, "the text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """The same of the reasoning: of that call, or, for an output, of all the topic's calls
    together.

    Of a model that did not reason nobody can say what its reasoning does not contain.
    """

    texts: tuple[str, ...]
    absent: bool = False

    @property
    def wanted(self) -> str:
        return f"reasoning {'does not contain' if self.absent else 'contains'} {quoted(self.texts)}"

    def look(self, view: View) -> Finding:
        reasoning = "\n\n".join(call.reasoning for call in view.calls if call.reasoning)
        if self.absent and not reasoning:
            return Unknown(why="there is no reasoning to look at")
        return _held(self, reasoning, "the reasoning")


def _held(expectation: Contains | Reasoning, text: str, what: str) -> Finding:
    wrong = tuple(part for part in expectation.texts if (part in text) is expectation.absent)
    if not wrong:
        return None
    said = f"{what} {'contains' if expectation.absent else 'does not contain'} {quoted(wrong)}"
    return Shortfall(message=said, expected=expectation.wanted, got=_around(text, wrong[0]))


def _around(text: str, part: str, margin: int = 80) -> str:
    """The text where the part stands in it, else all of it."""
    at = text.find(part)
    if at < 0:
        return text
    return text[max(0, at - margin) : at + len(part) + margin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """All of these patterns are found somewhere in it, or, `absent`, none of them is."""

    patterns: tuple[re.Pattern[str], ...]
    absent: bool = False
    most_cpu_s: float = MOST_CPU_S

    @property
    def wanted(self) -> str:
        sources = quoted(tuple(pattern.pattern for pattern in self.patterns))
        return f"{'does not match' if self.absent else 'matches'} {sources}"

    def look(self, view: View) -> Finding:
        text = view.text
        for pattern in self.patterns:
            source = shown(pattern.pattern)
            try:
                found = bounded(partial(pattern.search, text), most_cpu_s=self.most_cpu_s)
            except TooSlow:
                message = (
                    f"{source} took more than {self.most_cpu_s:g} s of CPU on this text; it"
                    " backtracks too much"
                )
                return Shortfall(message=message, expected=self.wanted, got=text)
            if (found is None) is not self.absent:
                got = text if found is None else found[0]
                message = f"the text {'matches' if self.absent else 'does not match'} {source}"
                return Shortfall(message=message, expected=self.wanted, got=got)
        return None


_UNITS: dict[Literal["chars", "words"], tuple[str, Callable[[str], int]]] = {
    "chars": ("characters", len),
    "words": ("words", count_words),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """So many characters, or words, at least and at most."""

    unit: Literal["chars", "words"]
    at_least: int | None
    at_most: int | None

    @property
    def wanted(self) -> str:
        return f"{range_words(self.at_least, self.at_most)} {_UNITS[self.unit][0]}"

    def look(self, view: View) -> Finding:
        name, count = _UNITS[self.unit]
        number = count(view.text)
        if within(number, self.at_least, self.at_most):
            return None
        got = f"{number:,} {name}"
        return Shortfall(message=f"{got}, expected {self.wanted}", expected=self.wanted, got=got)


def within(number: float, at_least: float | None, at_most: float | None) -> bool:
    """Return whether a number keeps its bounds; None bounds nothing."""
    return (at_least is None or number >= at_least) and (at_most is None or number <= at_most)


def range_words(at_least: int | None, at_most: int | None) -> str:
    """`3 to 5`, `at least 3`, `at most 5`."""
    if at_least is None:
        return f"at most {at_most:,}"
    if at_most is None:
        return f"at least {at_least:,}"
    if at_least == at_most:
        return f"{at_least:,}"
    return f"{at_least:,} to {at_most:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualsGolden:
    """It is what was accepted: the output as a value, or the answer of the call with the same
    id.
    """

    @property
    def wanted(self) -> str:
        return "equals golden"

    def look(self, view: View) -> Finding:
        accepted, call = view.accepted, view.call
        if call is None and accepted.has_output:
            golden = accepted.output
        elif call is not None and call.id in accepted.calls:
            golden = accepted.calls[call.id]
        else:
            message = "nothing was accepted for this yet; look at it, then run with --accept"
            return Shortfall(message=message, expected="an accepted answer", got=view.text)
        if _canonical(golden) == _canonical(view.value):
            return None
        what = "the output" if call is None else "the answer"
        return Shortfall(
            message=f"{what} is not the accepted one",
            expected=text_of(golden),
            got=view.text,
            compared=True,
        )


def _canonical(value: Json) -> str:
    """Equal for equal values: Python alone takes 1 and true for the same."""
    return json.dumps(value, sort_keys=True)
