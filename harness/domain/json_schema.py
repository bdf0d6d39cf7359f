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
    if not isinstance(schema, Mapping):
        if not isinstance(schema, bool):
            yield f"{place or 'it'} must be a schema, which is an object"
        return
    yield from _faults_of_type(schema.get("type"), _below(place, "type"))
    for name in _LISTS:
        if name in schema and not isinstance(schema[name], list | tuple):
            yield f"{_below(place, name)} must be a list"
    for inner_place, inner in _schemas_in(schema, place):
        yield from _faults(inner, inner_place)
    for name in _NAMED:
        if name in schema and not isinstance(schema[name], Mapping):
            yield f"{_below(place, name)} must be an object"
    for name in _LISTED:
        if name in schema and not isinstance(schema[name], list | tuple):
            yield f"{_below(place, name)} must be a list"


def _below(place: str, name: str) -> str:
    """Return the place of a keyword within the schema at a place; "" is the whole schema."""
    return f"{place}.{name}" if place else name


def _schemas_in(schema: Mapping[str, object], place: str) -> Iterator[tuple[str, object]]:
    """The schemas within a schema, each with its place."""
    for keyword in _NAMED:
        named = schema.get(keyword)
        if isinstance(named, Mapping):
            for name, inner in named.items():
                yield f"{_below(place, keyword)}.{name}", inner
    for keyword in _LISTED:
        listed = schema.get(keyword)
        if isinstance(listed, list | tuple):
            for at, inner in enumerate(listed):
                yield f"{_below(place, keyword)}[{at}]", inner
    for keyword in _NESTED:
        if keyword in schema and not isinstance(schema[keyword], list | tuple):
            yield _below(place, keyword), schema[keyword]


def _faults_of_type(type_: object, place: str) -> Iterator[str]:
    if type_ is None:
        return
    for one in type_ if isinstance(type_, list | tuple) else [type_]:
        if one not in TYPES:
            near = difflib.get_close_matches(str(one), TYPES, n=1)
            if near:
                hint = f"did you mean {near[0]!r}?"
            else:
                hint = f"JSON has {', '.join(TYPES)}"
            yield f"{place} is no type of JSON: {one!r}; {hint}"
