"""Fields of foreign JSON, each of the type that it should have or refused by name."""

from __future__ import annotations

from typing import Any

from harness.endpoint.foreign_json import JsonObject, MalformedError


def text_of(fields: JsonObject, name: str) -> str:
    """A text that may be missing or null: then "". Raises MalformedError for any other type."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(f"{name!r} is no text but {type(value).__name__}")
    return value


def object_of(fields: JsonObject, name: str) -> dict[str, Any]:
    """An object that may be missing: then, or where it is something else, an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def choices_of(response: JsonObject) -> list[dict[str, Any]]:
    """The choices of a response or chunk, none where there are none.

    One alone may stand without a list. Raises MalformedError.
    """
    choices = response.get("choices")
    if not choices:
        return []
    if isinstance(choices, dict):
        return [choices]
    if not isinstance(choices, list) or not all(
        choice is None or isinstance(choice, dict) for choice in choices
    ):
        raise MalformedError("choices that are no list of objects")
    return [choice for choice in choices if choice is not None]
