"""Lines out of bytes: numbered, located, and bounded in length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_LINE_BYTES = 1024 * 1024


class Line(NamedTuple):
    """One line of a dataset, counted from 1, and where it stands.

    `data` is None if it is longer than MAX_LINE_BYTES. A named tuple and not a dataclass: a million
    are made a run.
    """

    number: int
    offset: int
    data: bytes | None


def split_lines(blocks: Iterable[bytes]) -> Iterator[Line]:
    r"""The lines of a stream, without their line breaks.

    Only a line feed ends a line: U+2028, U+0085 and a lone carriage return may stand inside a
    topic. Nothing after the last line feed is no line. A line that is too long is passed over
    without being held.
    """
    number, offset = 1, 0
    begun: list[bytes] = []
    held = 0
    for block in blocks:
        *ended, rest = block.split(b"\n")
        for piece in ended:
            length = held + len(piece)
            data = b"".join((*begun, piece)) if begun else piece
            yield Line(number, offset, data if length <= MAX_LINE_BYTES else None)
            number += 1
            offset += length + 1
            held = 0
            begun.clear()
        held += len(rest)
        if rest and held <= MAX_LINE_BYTES:
            begun.append(rest)
    if held:
        yield Line(number, offset, b"".join(begun) if held <= MAX_LINE_BYTES else None)
