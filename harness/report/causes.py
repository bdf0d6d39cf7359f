"""Failures grouped by cause for the page: a thousand equal lines are one line and a number.

The groups are those of `domain.causes`, split by step and by what their messages have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.domain.causes import group_of
from harness.domain.remedies import remedy_of
from harness.domain.run import Failure
from harness.text.safe import one_line, terminal_safe

_QUOTED = re.compile(r"'[^']{3,}'|\"[^\"]{3,}\"|“[^”]{3,}”")
_IDENTIFIER = re.compile(r"\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{2,})*\b")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LONGEST = 160
LONGEST_EXAMPLE = 4_000


@dataclass(slots=True, kw_only=True)
class Cause:
    """Failures that differ in names and numbers only. `example` is the message of the first.

    `where` and `code` are the line of the workflow's code that all of them came from, `remedy` is
    what helps.
    """

    kind: str
    step: str | None
    status: int | None
    example: str
    where: str | None = None
    code: str | None = None
    remedy: str = ""
    count: int = 0


@dataclass(slots=True)
class Causes:
    """The causes met so far, in the order in which they were."""

    found: list[Cause] = field(default_factory=list)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def add(self, error: Failure, *, count: int = 1) -> int:
        """Count a failure; returns the number of its cause, from 0."""
        where, code = error.where, error.code
        # What one line of code raised is one cause, whatever its messages say.
        alike = (group_of(error), error.step, None if where else pattern_of(error.message))
        number = self._numbers.setdefault(alike, len(self.found))
        if number == len(self.found):
            self.found.append(
                Cause(
                    kind=error.kind or error.type,
                    step=error.step,
                    status=error.status,
                    example=one_line(error.message, LONGEST_EXAMPLE),
                    where=None if where is None else terminal_safe(where),
                    code=None if code is None else terminal_safe(code),
                    remedy=remedy_of(type=error.type, kind=error.kind),
                )
            )
        self.found[number].count += count
        return number


def pattern_of(message: str) -> str:
    """Return the part that messages of one cause have in common: no quotations, no identifiers, no
    numbers.
    """
    # Cut first: only its beginning tells what a message is about, and it may quote a whole answer.
    text = one_line(message, 4 * _LONGEST)
    for what, mark in ((_QUOTED, "“…”"), (_IDENTIFIER, "#"), (_NUMBER, "#")):
        text = what.sub(mark, text)
    return text[:_LONGEST]
