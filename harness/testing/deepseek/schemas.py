"""A value that fits a JSON schema: arguments of tool calls, and objects in JSON mode."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from harness.testing.deepseek.chat_request import JsonObject
from harness.testing.deepseek.draws import Draws

# Below this, and when so many values were made, only what is required is given: a schema may refer
# to itself.
_DEEPEST = 8
_MOST_VALUES = 500
# Below this nothing is given: what is required refers to itself, and no value could fit.
_BOTTOM = 24
_MOST_CHARACTERS = 10_000

_FORMATS = {
    "date": "2026-11-16",
    "date-time": "2026-11-16T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "6f1c2a5e-0b7d-4c3e-9a48-2d1e7b90c5f3",
}


def instance_of(schema: JsonObject, draws: Draws, subject: str) -> Any:
    """Return a plausible value.

    Strings are about the subject, numbers within their bounds, all properties present. It fits what
    common keywords say: types, properties and what of them is required, enums, constants, local
    references, alternatives, bounds of numbers, lengths and lists, formats. What a schema says
    beyond that (patterns, conditions, negations) is not looked at, and what makes no sense is
    passed over. Deeper than eight levels stands only what is required.
    """
    return _Instance(schema, draws, subject).of(schema, 0)


class _Instance:
    def __init__(self, root: JsonObject, draws: Draws, subject: str) -> None:
        self._root = root
        self._draws = draws
        self._subject = subject
        self._left = _MOST_VALUES

    def of(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if schema is True:
            schema = {}
        if not isinstance(schema, dict) or depth > _BOTTOM or self._left < -_MOST_VALUES:
            return None
        if "$ref" in schema:
            return self.of(_both(self._referenced(schema["$ref"]), schema, "$ref"), depth + 1)
        if "const" in schema:
            return schema["const"]
        if choices := _list(schema, "enum"):
            return self._draws.one(choices)
        if parts := _list(schema, "allOf"):
            whole = _both(None, schema, "allOf")
            for part in parts:
                whole = _both(self._resolved(part), whole)
            return self.of(whole, depth + 1)
        for name in ("anyOf", "oneOf"):
            if alternatives := _list(schema, name):
                return self.of(
                    _both(self._alternative(alternatives, depth), schema, name), depth + 1
                )
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kinds = _list(schema, "type") or [schema.get("type", _implied_type(schema))]
        match kinds[0]:
            case "object":
                properties = list(self._properties(schema, depth))
                return {name: self.of(part, depth + 1) for name, part in properties}
            case "array":
                return self._array(schema, depth)
            case "integer" | "number" as kind:
                return _number(schema, self._draws, whole=kind == "integer")
            case "boolean":
                return self._draws.below(2) == 1
            case "null":
                return None
            case _:
                return _text(schema, self._subject)

    def _properties(self, schema: dict[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
        named = schema.get("properties")
        if not isinstance(named, dict):
            named = {}
        required = [name for name in _list(schema, "required") if isinstance(name, str)]
        for name, part in named.items():
            if part is not False and (name in required or not self._ends(depth)):
                yield name, part
        beside = schema.get("additionalProperties")
        if not isinstance(beside, dict):
            beside = {}
        for name in dict.fromkeys(required):
            if name not in named:
                yield name, beside

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        items = schema.get("items", {"type": "string"})
        first = _list(schema, "prefixItems")
        if not first and isinstance(items, list):
            first = items
        if not isinstance(items, dict | bool) or items is True:
            items = {"type": "string"}
        made: list[Any] = []
        for place in range(self._length(schema, len(first), items, depth)):
            value = self.of(first[place] if place < len(first) else items, depth + 1)
            if schema.get("uniqueItems") is True:
                value = self._another(value, made, items, depth)
            made.append(value)
        return made

    def _length(self, schema: dict[str, Any], first: int, items: Any, depth: int) -> int:
        """Return how many items are made: what is asked for, else two, or none far down."""
        least = min(max(_whole(schema, "minItems", 0), 0), _MOST_VALUES)
        count = max(least, first)
        if not count and not self._ends(depth):
            count = 1 if "minItems" in schema else 2
        most = max(_whole(schema, "maxItems", count), 0)
        if items is False:
            most = min(most, first)
        return min(count, most)

    def _another(self, value: Any, made: list[Any], items: Any, depth: int) -> Any:
        """A value that is not among those made; the one that was drawn, where none is found."""
        seen = {json.dumps(other, sort_keys=True, default=str) for other in made}
        for _ in range(50):
            if json.dumps(value, sort_keys=True, default=str) not in seen:
                break
            if value == self._subject and isinstance(value, str):
                return f"{value} {len(made) + 1}"
            value = self.of(items, depth + 1)
        return value

    def _alternative(self, alternatives: list[Any], depth: int) -> Any:
        """The first one; far down the first that ends there: no object, no list, no reference."""
        if not self._ends(depth):
            return alternatives[0]
        ends = (part for part in alternatives if isinstance(part, dict) and _is_plain(part))
        return next(ends, alternatives[0])

    def _ends(self, depth: int) -> bool:
        return depth > _DEEPEST or self._left < 0

    def _resolved(self, schema: Any) -> Any:
        """A schema with what it refers to in its place, once."""
        if isinstance(schema, dict) and "$ref" in schema:
            return _both(self._referenced(schema["$ref"]), schema, "$ref")
        return schema

    def _referenced(self, pointer: Any) -> Any:
        """Return what a local reference (`#/$defs/Name`, or `#` for the whole) points to, or
        None.
        """
        value: Any = self._root
        for part in filter(None, str(pointer).removeprefix("#").split("/")):
            value = value.get(part) if isinstance(value, dict) else None
        return value


def _both(one: Any, other: dict[str, Any], without: str = "") -> Any:
    """Two schemas that must both be fitted, as one.

    The second one without a keyword that has been dealt with.
    """
    rest = {name: value for name, value in other.items() if name != without}
    if not isinstance(one, dict):
        return rest or one
    both = {**one, **rest}
    for name in ("properties", "$defs"):
        if isinstance(one.get(name), dict) and isinstance(rest.get(name), dict):
            both[name] = {**one[name], **rest[name]}
    if required := [*_list(one, "required"), *_list(rest, "required")]:
        both["required"] = required
    if alternatives := [*_list(one, "allOf"), *_list(rest, "allOf")]:
        both["allOf"] = alternatives
    return both


def _implied_type(schema: dict[str, Any]) -> str:
    if schema.get("properties") or schema.get("required"):
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _is_plain(schema: dict[str, Any]) -> bool:
    if "const" in schema or "enum" in schema:
        return True
    return schema.get("type") in ("null", "string", "boolean", "integer", "number")


def _number(schema: dict[str, Any], draws: Draws, *, whole: bool) -> int | float:
    """Return a whole number within the bounds, or their middle where only a fraction fits."""
    above, below = _amount(schema, "exclusiveMinimum"), _amount(schema, "exclusiveMaximum")
    low, high = _bounds(_amount(schema, "minimum"), above, _amount(schema, "maximum"), below)
    step = abs(_amount(schema, "multipleOf") or 1)
    least, most = math.ceil(low / step), math.floor(high / step)
    least += least * step == above
    most -= most * step == below
    if least > most and not whole and "multipleOf" not in schema:
        return (low + high) / 2
    drawn = draws.between(least, max(least, most)) * step
    return int(drawn) if whole else float(drawn)


def _bounds(
    minimum: float | None, above: float | None, maximum: float | None, below: float | None
) -> tuple[float, float]:
    """Return the bounds that are given; a missing one lies 99 from the other, or they are 1 and
    100.
    """
    lows = [low for low in (minimum, above) if low is not None]
    highs = [high for high in (maximum, below) if high is not None]
    if lows and highs:
        return max(lows), min(highs)
    if lows:
        return max(lows), max(lows) + 99
    if highs:
        high = min(highs)
        return (1.0 if high >= 1 else high - 99), high
    return 1.0, 100.0


def _text(schema: dict[str, Any], subject: str) -> str:
    if (text := _FORMATS.get(str(schema.get("format")))) is not None:
        return text
    text = subject
    least = min(_whole(schema, "minLength", 0), _MOST_CHARACTERS)
    while len(text) < least:
        text += f" {subject}"
    most = _whole(schema, "maxLength", len(text))
    return text[: max(most, 0)]


def _list(schema: dict[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _amount(schema: dict[str, Any], name: str) -> float | None:
    value = schema.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e9 else None


def _whole(schema: dict[str, Any], name: str, default: int) -> int:
    value = _amount(schema, name)
    return default if value is None else int(value)
