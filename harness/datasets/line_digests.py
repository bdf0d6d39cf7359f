"""Eight bytes for each line of a topic file, to tell later how the file changed."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.records.jsonl_file import storage_errors, write_whole

_BYTES = 8


def write_digests(path: Path, digests: Iterable[int]) -> None:
    """Write the file anew, in one move. Raises StorageError."""
    with storage_errors(path):
        write_whole(path, (digest.to_bytes(_BYTES, "big") for digest in digests))


def read_digests(path: Path) -> Sequence[int] | None:
    """Return the digests that were written, or None where there are none or they are damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) % _BYTES:
        return None
    found = array("Q", data)
    if sys.byteorder == "little":
        found.byteswap()
    return found
