"""Requests out of JSON; `domain/key.py` has the way there."""

from __future__ import annotations

import json
from typing import Any

from harness.domain.completion import Request
from harness.domain.image import Image
from harness.records.typed import TypedReader


def request_from_canonical(text: str) -> Request:
    """Return the request whose canonical form this is. Raises ValueError for a text that is no
    request.
    """
    return request_from_json(json.loads(text))


def request_from_json(fields: Any) -> Request:
    """Return the request of these `request_fields`.

    Raises ValueError, naming the field, for anything else, and for a field that requests do not
    have: it would be a part of the answer's key that is not kept.
    """
    return _REQUESTS.of_value(fields)


# The bytes of an image are kept nowhere.
_REQUESTS = TypedReader(Request, unread={Image: ("data",)}, closed=True)
