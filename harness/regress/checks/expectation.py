"""The form of an expectation: it looks at an output or at one call, and says what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from harness.domain.completion import Json
from harness.domain.pricing import Pricing
from harness.records.stored import StoredSpan
from harness.regress.case import Case
from harness.regress.checks.golden import Accepted
from harness.regress.checks.judge_calls import own_calls
from harness.regress.checks.texts import text_of, text_of_call


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The subject of a look: one call, or without one the output of the topic.

    `accepted` is what the golden file has of this draw. `unrecorded` are the calls whose requests
    the cassette does not know, by their ids.
    """

    case: Case
    call: StoredSpan | None = None
    accepted: Accepted = Accepted()
    pricing: Pricing = Pricing()
    unrecorded: frozenset[str] = frozenset()

    @property
    def value(self) -> Json:
        """The output, or the call's answer."""
        if self.call is not None:
            return text_of_call(self.call)
        return self.case.row.output

    @property
    def text(self) -> str:
        return text_of(self.value)

    @property
    def calls(self) -> tuple[StoredSpan, ...]:
        """That call, or all calls of the topic without the judges'."""
        if self.call is not None:
            return (self.call,)
        return own_calls(self.case)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The reason why an expectation does not hold.

    `message` is whole without the rest. `compared` says that `expected` and `got` are whole texts,
    whose difference is worth showing word by word.
    """

    message: str
    expected: str
    got: str
    compared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The reason why nobody can say whether an expectation holds."""

    why: str


Finding: TypeAlias = "Shortfall | Unknown | None"
"""None: the expectation holds."""


class Expectation(Protocol):
    """One expectation of a check. Looking is pure and raises nothing."""

    @property
    def wanted(self) -> str:
        """Say what is expected, in a few words."""
        ...

    def look(self, view: View) -> Finding:
        """Return what is missing, if anything is."""
        ...
