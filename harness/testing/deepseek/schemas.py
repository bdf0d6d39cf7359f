"""A value that fits a JSON schema: arguments of tool calls, and objects in JSON mode."""

from __future__ import annotations

from typing import Any

from harness.testing.deepseek.chat_request import JsonObject
from harness.testing.deepseek.draws import Draws

_DEEPEST = 8
# A schema that refers to itself in many places would otherwise grow by their number at each level.
_MOST_VALUES = 500


def instance_of(schema: JsonObject, draws: Draws, subject: str) -> Any:
    """A plausible value: strings are about the subject, numbers within their bounds, all properties present.

    What a schema says beyond the common keywords (types, properties, items, enums, local references, alternatives,
    simple bounds) is not looked at, and what makes no sense is passed over. Deeper than eight levels stands null.
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
        if not isinstance(schema, dict) or depth > _DEEPEST or self._left < 0:
            return None
        if "$ref" in schema:
            return self.of(self._referenced(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if choices := _list(schema, "enum"):
            return self._draws.one(choices)
        for name in ("anyOf", "oneOf", "allOf"):
            if alternatives := _list(schema, name):
                return self.of(alternatives[0], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        properties = schema.get("properties")
        kinds = _list(schema, "type") or [schema.get("type", "object" if properties else "string")]
        match kinds[0]:
            case "object":
                named = properties.items() if isinstance(properties, dict) else ()
                return {name: self.of(part, depth + 1) for name, part in named}
            case "array":
                count = min(max(_whole(schema, "minItems", 2), 1), 20)
                return [self.of(schema.get("items", {"type": "string"}), depth + 1) for _ in range(count)]
            case "integer" | "number" as kind:
                low = _whole(schema, "minimum", 1)
                number = self._draws.between(low, max(low, _whole(schema, "maximum", low + 99)))
                return number if kind == "integer" else float(number)
            case "boolean":
                return self._draws.below(2) == 1
            case "null":
                return None
            case _:
                return self._subject

    def _referenced(self, pointer: Any) -> Any:
        """What a local reference (`#/$defs/Name`, or `#` for the whole) points to, or nothing."""
        value: Any = self._root
        for part in filter(None, str(pointer).removeprefix("#").split("/")):
            value = value.get(part) if isinstance(value, dict) else None
        return value


def _list(schema: dict[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _whole(schema: dict[str, Any], name: str, default: int) -> int:
    value = schema.get(name)
    return int(value) if isinstance(value, int | float) and abs(value) < 1e9 else default
