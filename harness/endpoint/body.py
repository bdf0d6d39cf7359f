"""The kind of body of a response, by its beginning: many servers name a wrong content type or
none.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["events", "whole"]

_NAMES = (b"data:", b"event:", b"id:", b"retry:", b"error:")
_ENOUGH = max(map(len, _NAMES))
_BOM = b"\xef\xbb\xbf"


def kind_of(
    head: bytes, content_type: str, *, asked_to_stream: bool, ended: bool = False
) -> Kind | None:
    """Events, or one JSON object, page or text.

    None where more of the body must come before it can be told.
    """
    start = head.removeprefix(_BOM).lstrip()
    if start.startswith((b":", *_NAMES)):
        return "events"
    if start.startswith((b"{", b"[", b"<")):
        return "whole"
    if (
        not ended
        and len(start) < _ENOUGH
        and any(name.startswith(start) for name in (_BOM, *_NAMES))
    ):
        return None
    if "event-stream" in content_type:
        return "events"
    if asked_to_stream and "json" not in content_type and "html" not in content_type:
        return "events"
    return "whole"
