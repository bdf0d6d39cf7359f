"""A value that fits a JSON schema: arguments of tool calls, and objects in JSON mode."""

from __future__ import annotations

from typing import Any

from harness.testing.chat_request import JsonObject
from harness.testing.draws import Draws

_DEEPEST = 8


def instance_of(schema: JsonObject, draws: Draws, subject: str) -> Any:
    """A plausible value: strings are about the subject, numbers within their bounds, required properties present.

    What a schema says beyond the common keywords (types, properties, items, enums, references, alternatives, simple
    bounds) is not looked at.
    """
    return _Instance(schema, draws, subject).of(schema, 0)


class _Instance:
    def __init__(self, root: JsonObject, draws: Draws, subject: str) -> None:
        self._root = root
        self._draws = draws
        self._subject = subject

    def of(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return None
        if "$ref" in schema:
            return self.of(self._referenced(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._draws.one(schema["enum"])
        for name in ("anyOf", "oneOf", "allOf"):
            if schema.get(name):
                return self.of(schema[name][0], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        if kind == "object":
            return {name: self.of(part, depth + 1) for name, part in (schema.get("properties") or {}).items()}
        if kind == "array":
            count = max(1, int(schema.get("minItems", 2)))
            return [self.of(schema.get("items") or {"type": "string"}, depth + 1) for _ in range(min(count, 20))]
        if kind in ("integer", "number"):
            low = int(schema.get("minimum", 1))
            number = self._draws.between(low, max(low, int(schema.get("maximum", low + 99))))
            return number if kind == "integer" else float(number)
        if kind == "boolean":
            return self._draws.below(2) == 1
        return None if kind == "null" else self._subject

    def _referenced(self, pointer: Any) -> Any:
        """What a local reference (`#/$defs/Name`) points to, or nothing."""
        value: Any = self._root
        for part in str(pointer).removeprefix("#/").split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        return value
