"""Filters that choose topics of a dataset: `field=value`, `field!=value`, `field~text`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.domain.completion import Json
from harness.errors import SettingsError

Operator = Literal["=", "!=", "~"]

_EXPRESSION = re.compile(r"([^=!~]+)(!=|==?|~)(.*)", re.DOTALL)
_OPERATORS: Mapping[str, Operator] = {"=": "=", "==": "=", "!=": "!=", "~": "~"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition on a field of a topic.

    `=` compares exactly, numbers and booleans by their JSON text; `~` looks for a part of the text,
    letter case ignored. An array matches if one of its items does, and `!=` is the opposite of `=`.
    A topic without the field never matches, not even with `!=`: a mistyped name selects nothing
    instead of everything.
    """

    field: str
    operator: Operator
    value: str

    def matches(self, fields: Mapping[str, Json]) -> bool:
        """Return whether a topic with these fields is wanted."""
        if self.field not in fields:
            return False
        value = fields[self.field]
        if self.operator == "~":
            wanted = self.value.casefold()
            return any(wanted in text.casefold() for text in _texts(value))
        return (self.value in _texts(value)) == (self.operator == "=")

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"


def parse_filter(expression: str) -> Filter:
    """The filter that a person wrote; spaces around the field and the value do not count.

    Raises SettingsError, with an example, for anything else.
    """
    match = _EXPRESSION.fullmatch(expression)
    if match is None or not match[1].strip():
        raise SettingsError(
            f"--filter {expression!r} is not a condition; "
            "write field=value, field!=value or field~text, for example --filter language=zh"
        )
    return Filter(field=match[1].strip(), operator=_OPERATORS[match[2]], value=match[3].strip())


def matches_all(filters: Sequence[Filter], fields: Mapping[str, Json]) -> bool:
    """Return whether every filter matches."""
    return all(one.matches(fields) for one in filters)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int | float):
        return [repr(value)]
    if isinstance(value, Mapping):
        return []
    return [text for item in value if not isinstance(item, list) for text in _texts(item)]
