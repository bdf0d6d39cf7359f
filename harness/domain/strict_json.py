"""JSON as the standard defines it: what Python's reader lets pass and others choke on is refused.

Refused are NaN and infinities (also by overflow: `1e999`), a key that appears twice in an object,
unpaired surrogates, numbers of thousands of digits, and nesting deeper than `MAX_DEPTH`. The depth
is checked before the recursive reader starts, so no input reaches the interpreter's own limit. The
cost is linear in the text.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from harness.domain.completion import Json

MAX_DEPTH = 100

# A string, closed or not, or one bracket. Nothing in it can match in two ways, so it never
# backtracks.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]+")


class NotJson(ValueError):  # noqa: N818 - says what the text is
    """The text is no JSON. The message says why, and where if a place can be named."""


def loads(text: str, *, raw_controls: bool = False) -> Json:
    """The value that is the whole text.

    `raw_controls` lets line breaks and tabs stand unescaped in strings. Raises NotJson.
    """
    value, end = loads_prefix(text, _skip_space(text, 0), raw_controls=raw_controls)
    end = _skip_space(text, end)
    if end < len(text):
        raise NotJson(f"extra text after the value at {_place(text, end)}")
    return value


def loads_prefix(text: str, start: int, *, raw_controls: bool = False) -> tuple[Json, int]:
    """The value that begins exactly at `start`, and the index behind it. Raises NotJson."""
    refuse_deep(text, start)
    decoder = _LENIENT if raw_controls else _STRICT
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJson(f"{_reason(error.msg)} at {_place(text, error.pos)}") from error
    except NotJson:
        raise
    except ValueError as error:  # the interpreter's guard against integers of thousands of digits
        raise NotJson("a number has too many digits") from error
    # Only an escape can smuggle half a surrogate pair into decoded text, and only the whole value
    # shows it.
    if "\\u" in text:
        _refuse_unpaired_surrogates(value)
    return value, end


def refuse_deep(text: str, start: int = 0) -> None:
    """Raises NotJson if brackets nest deeper than MAX_DEPTH after `start`."""
    if text.count("[", start) + text.count("{", start) <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text, start):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
        elif mark in "]}":
            depth -= 1
            if depth == 0:
                return


def kind_of(value: Json) -> str:
    """Return the kind of this value in words: "a string", "an object" …"""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "an array"


def _skip_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise NotJson(f"the number {number[:20]} is out of range")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise NotJson(f"the key {json.dumps(name[:60])} appears twice in one object")
    return fields


def _refuse_unpaired_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotJson("a string holds half of a surrogate pair, which is no character") from error


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    if "\n" not in text:
        return f"column {column}"
    return f"line {line} column {column}"


def _reason(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" starting at").removesuffix(" at")


def _decoder(*, strict: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        strict=strict,
        parse_float=_finite,
        parse_constant=_refuse_constant,
        object_pairs_hook=_unique_keys,
    )


_STRICT = _decoder(strict=True)
_LENIENT = _decoder(strict=False)
