"""A reply as a script: what is sent, after how long, and how it ends.

Values without I/O, played by each face.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

End = Literal[
    "clean",  # the body is terminated as HTTP wants it
    "reset",  # the connection is torn down
    "hang",  # nothing more comes, and nobody hangs up
]


class Piece(NamedTuple):
    """Bytes of the body, sent `delay_s` seconds after the piece before.

    The first one counts from the request.
    """

    delay_s: float
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The server's reply to one request.

    `status` None: no header is ever sent, only the end happens. Headers go out at once, as
    DeepSeek's do: a queued request is kept alive in its body. `pieces` may be endless, and is read
    once.
    """

    status: int | None
    headers: tuple[tuple[str, str], ...] = ()
    pieces: Iterable[Piece] = ()
    end: End = "clean"


def coalesced(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same bytes at the same instants, with those of one instant joined as a socket would."""
    delay_s, held = 0.0, list[bytes]()
    for piece in pieces:
        if piece.delay_s > 0 and held:
            yield Piece(delay_s, b"".join(held))
            delay_s, held = 0.0, []
        delay_s += piece.delay_s
        held.append(piece.data)
    if held:
        yield Piece(delay_s, b"".join(held))


def splintered(pieces: Iterable[Piece], sizes: Iterator[int]) -> Iterator[Piece]:
    """Yield the same bytes at the same instants, cut anywhere, inside characters and lines too."""
    for piece in pieces:
        delay_s, start = piece.delay_s, 0
        while start < len(piece.data):
            end = start + next(sizes)
            yield Piece(delay_s, piece.data[start:end])
            delay_s, start = 0.0, end
