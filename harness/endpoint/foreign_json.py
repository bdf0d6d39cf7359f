"""Reading JSON that others wrote: bytes to an object, or an error that says what they are
instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from harness.endpoint.html_page import is_page, title_of

JsonObject: TypeAlias = Mapping[
    str, Any
]  # the dynamic edge: foreign JSON, taken apart here and nowhere else


class MalformedError(ValueError):
    """Bytes that are not what the protocol says. The message says what they are instead."""


class PageError(MalformedError):
    """A page of HTML where JSON was due: a proxy speaks for a server that it does not reach."""


def json_object(data: bytes) -> JsonObject:
    """The JSON object that these bytes are. Raises MalformedError."""
    try:
        value = json.loads(data)
    except RecursionError:
        raise MalformedError("JSON nested too deeply") from None
    except ValueError:
        raise _no_json(data) from None
    if not isinstance(value, dict):
        raise MalformedError(f"JSON, but no object: {excerpt(data)}")
    return value


def _no_json(data: bytes) -> MalformedError:
    if is_page(data):
        return PageError(f"a page of HTML: {excerpt(title_of(data).encode())}")
    return MalformedError(f"not JSON: {excerpt(data)}" if data.strip() else "an empty body")


def whole_characters(text: str) -> str:
    """Return `text` with halves of characters joined or replaced, so that it has a UTF-8 form.

    A stream may cut a character that is escaped as two surrogates between two chunks.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def excerpt(data: bytes, limit: int = 120) -> str:
    """The beginning of a body on one line, for a message."""
    text = " ".join(data[: 4 * limit].decode(errors="replace").split())
    return repr(text if len(text) <= limit else text[:limit] + "…")
