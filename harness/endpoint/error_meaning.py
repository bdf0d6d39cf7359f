"""The meaning of a server's words, by the table in `wordings`, and the period they speak of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

from harness.endpoint.wordings import LIMIT, LONG, SHORT, USAGE_LIMIT, WORDINGS, Meaning

Period = Literal["long", "short"]

_LONGEST = 8000  # what decides stands before


def _compiled(pattern: str) -> re.Pattern[str]:
    optional = pattern.replace(" ?", "\0")
    return re.compile(optional.replace(" ", "[ -]+").replace("\0", "[ -]?"))


_PATTERNS = {meaning: _compiled("|".join(wordings)) for meaning, wordings in WORDINGS.items()}
_LONG_PERIOD, _PERIODS = _compiled(LONG), _compiled(f"(?P<long>{LONG})|(?P<short>{SHORT})")
_LIMITED, _USAGE = _compiled(LIMIT), _compiled(USAGE_LIMIT)
_CAPITAL_INSIDE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# In this order; quotas stand between the empty account and the busy server.
_BEFORE_QUOTAS: tuple[Meaning, ...] = ("content_filter", "too_long", "unknown_model", "balance")
_AFTER_QUOTAS: tuple[Meaning, ...] = ("busy", "spent", "rate", "auth")


class Words:
    """The words of one error: its own codes, and its messages, which may echo a prompt.

    A wording in a message counts only if it does not stand in the request as well: `is_echo` looks
    there.
    """

    def __init__(
        self, codes: Iterable[str], says: Iterable[str], *, is_echo: Callable[[str], bool]
    ) -> None:
        self._codes = _plain("; ".join(codes)[:_LONGEST])
        self._says = _plain("; ".join(says)[:_LONGEST])
        self._is_echo = is_echo

    def meanings(self) -> Iterable[Meaning]:
        """All that is meant, by precedence."""
        yield from self._found(_BEFORE_QUOTAS)
        if self._names_a_quota():
            yield "quota"
        yield from self._found(_AFTER_QUOTAS)

    def period(self) -> Period | None:
        """Return the period of the limit in these words.

        It is that of a code that names a day, else the one named first.
        """
        if _LONG_PERIOD.search(self._codes):
            return "long"
        for text in (self._codes, self._says):
            found = _PERIODS.search(text)
            if found is not None:
                if found.lastgroup == "long":
                    return "long"
                return "short"
        return None

    def _names_a_quota(self) -> bool:
        period = self.period()
        if self._has(_USAGE):
            return period != "short"
        return period == "long" and self._has(_LIMITED) and self._has(_LONG_PERIOD)

    def _found(self, meanings: Iterable[Meaning]) -> Iterable[Meaning]:
        return (meaning for meaning in meanings if self._has(_PATTERNS[meaning]))

    def _has(self, pattern: re.Pattern[str]) -> bool:
        if pattern.search(self._codes):
            return True
        return any(not self._is_echo(found.group()) for found in pattern.finditer(self._says))


def _plain(text: str) -> str:
    return " ".join(_CAPITAL_INSIDE.sub(" ", text).lower().replace("_", " ").split())
