"""The fields of JSON objects, checked: what comes from a file may have been edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FieldTypes = frozenset[type]
TEXT, COUNT, NUMBER = frozenset({str}), frozenset({int}), frozenset({float, int})
LIST, FLAG, NULL = frozenset({list}), frozenset({bool}), frozenset({type(None)})


def check_fields(fields: Any, what: str, types: Mapping[str, FieldTypes]) -> None:
    """Raise ValueError, naming the field, unless each is of its types.

    A field that may be null may be absent; a bool is no int.
    """
    # One pass over a table: this is on the way of every hit.
    if type(fields) is not dict:
        raise ValueError(f"{what} must be a JSON object, not {type(fields).__name__}")
    for name, allowed in types.items():
        if type(fields.get(name)) not in allowed:
            wanted = " or ".join(
                sorted(kind.__name__ for kind in allowed if kind is not type(None))
            )
            found = type(fields[name]).__name__ if name in fields else "absent"
            raise ValueError(f"field {name!r} of {what} must be {wanted}, not {found}")
