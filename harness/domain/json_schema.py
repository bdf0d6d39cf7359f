"""Faults of a JSON schema itself, found before a server is asked for JSON of that form.

Only what no server can take is looked for: what a keyword means is the server's business, and each
knows others.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords that hold an object with a schema under each name."""
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords that hold a list of schemas."""
_NESTED = ("items", "additionalProperties", "not", "contains")
"""Keywords that hold a schema."""
_LISTS = ("required", "enum")


def fault_in(schema: object) -> str | None:
    """Return the first fault of a schema and where it is, or None if none can be seen here."""
    return next(_faults(schema, ""), None)


def _faults(schema: object, place: str) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield f"{place or 'it'} must be a schema, which is an object"
        return
    yield from _faults_of_type(schema.get("type"), f"{place}.type".lstrip("."))
    for name in _LISTS:
        if name in schema and not isinstance(schema[name], list | tuple):
            yield f"{place}.{name} must be a list".lstrip(".")
    for name, inner in _schemas_in(schema, place):
        yield from _faults(inner, name)
    for name in _NAMED:
        if name in schema and not isinstance(schema[name], Mapping):
            yield f"{place}.{name} must be an object".lstrip(".")
    for name in _LISTED:
        if name in schema and not isinstance(schema[name], list | tuple):
            yield f"{place}.{name} must be a list".lstrip(".")


def _schemas_in(schema: Mapping[str, object], place: str) -> Iterator[tuple[str, object]]:
    """The schemas within a schema, each with its place."""
    for keyword in _NAMED:
        named = schema.get(keyword)
        if isinstance(named, Mapping):
            yield from ((f"{place}.{keyword}.{name}".lstrip("."), inner) for name, inner in named.items())
    for keyword in _LISTED:
        listed = schema.get(keyword)
        if isinstance(listed, list | tuple):
            yield from ((f"{place}.{keyword}[{at}]".lstrip("."), inner) for at, inner in enumerate(listed))
    for keyword in _NESTED:
        if keyword in schema and not isinstance(schema[keyword], list | tuple):
            yield f"{place}.{keyword}".lstrip("."), schema[keyword]


def _faults_of_type(type_: object, place: str) -> Iterator[str]:
    for one in type_ if isinstance(type_, list | tuple) else [type_]:
        if one not in TYPES and type_ is not None:
            near = difflib.get_close_matches(str(one), TYPES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; JSON has {', '.join(TYPES)}"
            yield f"{place} is no type of JSON: {one!r}{hint}"
