"""Additions of a user to a request, beyond the settings: fields of its body, and headers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from harness.domain.completion import Json

OWN_FIELDS = {
    "model": "the setting model",
    "messages": "the prompt",
    "stream": "the setting stream",
    "stream_options": "the endpoint's field stream_options",
    "tools": "the argument tools",
    "max_tokens": "the option max_tokens",
    "max_completion_tokens": "the option max_tokens",
    "n": "the argument sample, or --samples",
}
"""Fields that are said in another way: the key, the budget and the reader of answers count on it.
"""

_OWN_HEADERS = (
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\$))")


def check_extra_body(extra: Mapping[str, Json]) -> None:
    """Raise ValueError for what cannot be added to the body of a request."""
    if not extra:
        return
    for name in extra:
        if not name:
            raise ValueError("extra_body: the name of a field must not be blank")
        if name in OWN_FIELDS:
            raise ValueError(f"extra_body: {name!r} is said by {OWN_FIELDS[name]}")
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"extra_body: must be what JSON can say: {error}") from None


def merged(base: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """Both sets of fields; where both have one, `over` rules, but objects are put together."""
    found = dict(base)
    for name, value in over.items():
        before = found.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            found[name] = {**before, **value}
        else:
            found[name] = value
    return found


def check_header(name: str, template: str) -> None:
    """Raise ValueError for a header that cannot be sent or holds a secret in the open.

    The message never shows the value.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"extra_headers: {name[:60]!r} is no name of a header")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"extra_headers: {name} is set by the request itself")
    if not template.strip() or not template.isascii() or not template.isprintable():
        raise ValueError(
            f"extra_headers: the value of {name} must be printable ASCII text and not blank"
        )
    if _SECRET_NAME.search(name) and not variables_in(template):
        raise ValueError(
            f"extra_headers: {name} looks like a secret: put its value into a variable, and write"
            " $NAME here"
        )


def variables_in(template: str) -> tuple[str, ...]:
    """The variables that a header's value names, as `$NAME` or `${NAME}`; `$$` is a dollar sign."""
    names = (found[1] or found[2] for found in _VARIABLE.finditer(template))
    return tuple(dict.fromkeys(name for name in names if name))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The value with its variables filled in.

    Raises KeyError with the name of one that has no value.
    """
    return _VARIABLE.sub(lambda found: "$" if found[3] else values[found[1] or found[2]], template)
