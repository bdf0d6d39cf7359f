"""The parts of a page that are held back until they are opened: JSON in blocks of gzip, as text.

A block holds a few topics: enough for the texts that they share to be stored once, few enough to be
unpacked at once.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import IO, Any

TOPICS_A_BLOCK = 16
_LEVEL = 6
_TYPE = "application/octet-stream"


def json_text(value: Any) -> str:
    """JSON that may stand in a script element: no `<`, nothing that ends a line of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which it cannot hold, becomes its escape in JSON."""
    return text.encode("utf-8", "backslashreplace")


class Blocks:
    """Collects the topics of one run and writes them to a file as they fill a block; `close` writes
    the rest.
    """

    def __init__(self, file: IO[bytes], run: int) -> None:
        self._file = file
        self._run = run
        self._number = 0
        self._held: list[str] = []

    def add(self, detail: Any) -> None:
        """The next topic. Raises ValueError for a number that JSON does not know."""
        self._held.append(json_text(detail))
        if len(self._held) == TOPICS_A_BLOCK:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if self._held:
            self._file.write(_element(f"block-{self._run}-{self._number}", self._held))
            self._number += 1
            self._held = []


def _element(name: str, details: list[str]) -> bytes:
    packed = gzip.compress(encoded(f"[{','.join(details)}]"), compresslevel=_LEVEL, mtime=0)
    return b'<script type="%s" id="%s">%s</script>\n' % (
        _TYPE.encode(),
        name.encode(),
        base64.b64encode(packed),
    )


def parts_of(file: IO[bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """A file from its beginning, in parts."""
    file.seek(0)
    while part := file.read(size):
        yield part
