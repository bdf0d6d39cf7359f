"""A key that does not show."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from harness.errors import SettingsError

MASK = "***"
_SHORTEST_SECRET = (
    4  # shorter ones are dummies for local servers; masking them would only garble messages
)


class Secret:
    """A key that does not show: `str`, `repr` and format give `***`.

    Surrounding white space is not part of it. Raises SettingsError, without showing the value, if
    it is empty or holds what no HTTP header can carry.
    """

    __slots__ = ("_spellings", "_value")

    def __init__(self, value: str) -> None:
        stripped = value.strip()
        if not stripped:
            raise SettingsError("the API key is blank: unset it, or give the whole key")
        if not (stripped.isascii() and stripped.isprintable()):
            raise SettingsError(
                "the API key holds a character that no HTTP header can carry: copy it again"
            )
        self._value = stripped
        # "user:password" is also told by its password alone.
        told = (stripped, stripped.partition(":")[2])
        # Once and not for every text: each part of each answer is looked through for them.
        self._spellings = tuple(
            one for value in told if len(value) >= _SHORTEST_SECRET for one in _spelled(value)
        )

    def reveal(self) -> str:
        """The value itself, for the Authorization header and nothing else."""
        return self._value

    def redact(self, text: str) -> str:
        """Return `text` with every spelling of the secret masked.

        Spellings are plain, JSON-escaped, percent-encoded and base64.
        """
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def spellings(self) -> tuple[str, ...]:
        """Return the texts that `redact` masks, for a caller that sees a text in pieces."""
        return self._spellings

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not stored")


def _spelled(value: str) -> tuple[str, ...]:
    return (
        value,
        json.dumps(value)[1:-1],
        quote(value, safe=""),
        base64.b64encode(value.encode()).decode(),
    )
