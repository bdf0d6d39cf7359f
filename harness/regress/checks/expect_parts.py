"""Expectations of how a topic was worked on: its status, its sub-questions, their citations, why a
model stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.regress.checks.expect_texts import range_words, within
from harness.regress.checks.expectation import Finding, Shortfall, View
from harness.regress.checks.texts import cited_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The topic ended in one of these ways."""

    allowed: tuple[str, ...] = ("ok",)

    @property
    def wanted(self) -> str:
        return f"status {' or '.join(self.allowed)}"

    def look(self, view: View) -> Finding:
        status, error = view.case.row.status, view.case.row.error
        if status in self.allowed:
            return None
        why = f": {error.message}" if error else ""
        return Shortfall(
            message=f"the topic is {status}{why}", expected=self.wanted, got=f"{status}{why}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishReason:
    """The model stopped for one of these reasons."""

    allowed: tuple[str, ...]

    @property
    def wanted(self) -> str:
        return f"finish reason {' or '.join(self.allowed)}"

    def look(self, view: View) -> Finding:
        reasons = {str(call.finish_reason) for call in view.calls} - set(self.allowed)
        if not reasons:
            return None
        got = ", ".join(sorted(reasons))
        return Shortfall(
            message=f"finish reason {got}, expected {self.wanted}", expected=self.wanted, got=got
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """So many sub-questions, which are the sections of the output. Where there are none, there is
    nothing to count.
    """

    at_least: int | None
    at_most: int | None

    @property
    def wanted(self) -> str:
        return f"{range_words(self.at_least, self.at_most)} sub-questions"

    def look(self, view: View) -> Finding:
        number = len(view.case.row.sections)
        if number == 0:
            message = "the output has no sub-questions (its sections) that could be counted"
            return Shortfall(
                message=message, expected=self.wanted, got="an output without sections"
            )
        if within(number, self.at_least, self.at_most):
            return None
        got = f"{number:,} sub-questions"
        return Shortfall(message=f"{got}, expected {self.wanted}", expected=self.wanted, got=got)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citations:
    """Each sub-question that was answered is cited in the output by its number, as in `[2]`."""

    @property
    def wanted(self) -> str:
        return "cites each sub-question"

    def look(self, view: View) -> Finding:
        sections = [each for each in view.case.row.sections if each.get("status") != "failed"]
        if not sections:
            message = "there are no sub-questions that could be cited"
            return Shortfall(
                message=message, expected=self.wanted, got="an output without answered sections"
            )
        cited = cited_numbers(view.text)
        numbers = {
            _number(section, place): section for place, section in enumerate(sections, start=1)
        }
        missing = [
            number for number, section in numbers.items() if not _is_cited(number, section, cited)
        ]
        if not missing:
            return None
        listed = ", ".join(map(str, missing))
        return Shortfall(
            message=f"sub-question {listed} of {len(sections)} is not cited",
            expected=f"citations of {', '.join(map(str, numbers))}",
            got=f"citations of {', '.join(map(str, sorted(cited))) or 'none'}",
        )


def _number(section: Mapping[str, Any], place: int) -> int:
    number = section.get("number")
    return number if isinstance(number, int) else place


def _is_cited(number: int, section: Mapping[str, Any], cited: frozenset[int]) -> bool:
    """The workflow's own word on its output; where it says nothing, the numbers in the text."""
    told = section.get("cited")
    return told if isinstance(told, bool) else number in cited
