"""A value as one line of JSON."""

from __future__ import annotations

import json

from harness.domain.completion import Json

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def to_text(value: Json) -> str:
    """One line of JSON, characters as they are. Raises ValueError for NaN and infinity.

    Half a surrogate pair, which no file can hold, is written as its JSON escape.
    """
    return storable(_encode(value))


def storable(text: str) -> str:
    """A JSON text that UTF-8 can hold: half a surrogate pair becomes the JSON escape that means the
    same.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
