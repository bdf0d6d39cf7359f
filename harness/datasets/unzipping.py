"""Gzip data unpacked piece by piece, with an eye on bombs."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from harness.errors import DatasetError

BLOCK_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"

# Deflate reaches 1,032 : 1; lines of real topics stay far below 200 : 1.
MAX_EXPANSION = 200
EXPANSION_ALLOWANCE_BYTES = 64 * 1024**2

_GZIP_CONTAINER = 31  # zlib's `wbits`: a gzip header and checksum around the largest window


def gunzipped(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """All members of a gzip stream, in pieces of at most BLOCK_BYTES.

    Raises DatasetError, with the line that was reached, for damaged or cut-off data and for bombs.
    """
    taken = given = lines = 0
    inflate = zlib.decompressobj(_GZIP_CONTAINER)
    try:
        for block in blocks:
            taken += len(block)
            rest = block.lstrip(b"\x00") if inflate.eof else block  # members may be padded
            while rest:
                if inflate.eof:
                    inflate = zlib.decompressobj(_GZIP_CONTAINER)
                piece = inflate.decompress(rest, BLOCK_BYTES)
                rest = inflate.unused_data.lstrip(b"\x00") if inflate.eof else inflate.unconsumed_tail
                given += len(piece)
                lines += piece.count(b"\n")
                if given > EXPANSION_ALLOWANCE_BYTES + MAX_EXPANSION * taken:
                    raise DatasetError(
                        f"{name}:{lines + 1}: the gzip data grows more than {MAX_EXPANSION}-fold: a bomb?"
                    )
                yield piece
    except zlib.error as error:
        raise DatasetError(
            f"{name}:{lines + 1}: the gzip data is damaged at or after this line ({error}); fetch the file again"
        ) from error
    if not inflate.eof:
        raise DatasetError(f"{name}:{lines + 1}: the gzip data is cut off here; fetch the file again")
