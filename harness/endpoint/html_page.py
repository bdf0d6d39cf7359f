"""A page of HTML, which is what a proxy sends for a server that it does not reach."""

from __future__ import annotations

import re

_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|center|h1)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LOOKED_AT_BYTES = 20_000


def is_page(data: bytes) -> bool:
    """Return whether these bytes begin a page of HTML."""
    return _PAGE.match(data[:_LOOKED_AT_BYTES]) is not None


def title_of(page: bytes) -> str:
    """Return the title of the page, or its beginning where it has none, on one line."""
    text = page[:_LOOKED_AT_BYTES].decode(errors="replace")
    title = _TITLE.search(text)
    return " ".join((title.group(1) if title else text).split())
