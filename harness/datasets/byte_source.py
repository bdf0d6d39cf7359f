"""The source of a dataset's bytes: a file, a gzip file, a pipe or standard input.

Everything is first copied, decompressed, to a temporary file without a name, which the system
removes with the process: so it can be read anywhere and again, and an editor that saves the
original during the night disturbs nothing. Only a large plain file is read in place.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast

from harness.errors import DatasetError, StorageError


class _Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)

BLOCK_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"

# Deflate reaches 1,032 : 1; lines of real topics stay far below 200 : 1.
MAX_EXPANSION = 200
EXPANSION_ALLOWANCE_BYTES = 64 * 1024**2

_GZIP_CONTAINER = 31  # zlib's `wbits`: a gzip header and checksum around the largest window

# Far more than the topics of a usual run; copied in a fraction of a second.
COPIED_UP_TO_BYTES = 64 * 1024**2

# Twenty million topics; an endless stream must end somewhere.
MAX_COPY_BYTES = 4 * 1024**3

_HEAD_BYTES = 4096
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
    b"%PDF-": "a PDF file",
    b"\x89PNG\r\n": "an image",
    b"\xff\xd8\xff": "an image",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x00\x00\xfe\xff": "UTF-32 text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a dataset, decompressed. `name` is what messages call it; `size` is in bytes.

    `stamp` tells whether a file that is read in place was changed since; a copy has none.
    """

    name: str
    size: int
    file: BinaryIO
    stamp: tuple[int, int] | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Raises DatasetError if the file is no longer as it was when it was opened."""
        try:
            data = os.pread(self.file.fileno(), length, offset)
        except OSError as error:
            raise DatasetError(f"{self.name}: cannot be read: {error.strerror}") from error
        if self.stamp is not None and self.stamp != _stamp_of(os.fstat(self.file.fileno())):
            raise DatasetError(f"{self.name}: the file was changed while it was in use; run again")
        return data

    def blocks(self) -> Iterator[bytes]:
        """All bytes in order, in pieces of bounded size."""
        for offset in range(0, self.size, BLOCK_BYTES):
            yield self.read(offset, min(BLOCK_BYTES, self.size - offset))

    def close(self) -> None:
        """Lets go of the file; a temporary copy is gone with it."""
        self.file.close()


def open_content(
    path: str,
    *,
    name: str,
    spool_dir: Path | None = None,
    stdin: BinaryIO | None = None,
    copied_up_to: int = COPIED_UP_TO_BYTES,
    copy_at_most: int = MAX_COPY_BYTES,
) -> Content:
    """The content of a file, or of standard input if the path is `-`.

    Copies go to `spool_dir` (None: the system's directory for temporary files) and hold up to
    `copy_at_most` bytes. Plain files of more than `copied_up_to` bytes are read in place. Raises
    DatasetError for what is no topic file as a whole, StorageError if the copy cannot be written.
    """
    if path == "-":
        return _copied(_blocks_of(stdin or sys.stdin.buffer, name), name, spool_dir, copy_at_most)
    with closing_on_error(_open(path, name)) as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size > copied_up_to:
            head = os.pread(file.fileno(), _HEAD_BYTES, 0)
            if not head.startswith(GZIP_MAGIC):
                _refuse_foreign(head, name)
                return Content(name=name, size=status.st_size, file=file, stamp=_stamp_of(status))
        copy = _copied(_blocks_of(file, name), name, spool_dir, copy_at_most)
        file.close()
        return copy


@contextmanager
def closing_on_error(thing: C) -> Iterator[C]:
    """Closes a thing that has no owner yet if the making of its owner fails."""
    try:
        yield thing
    except BaseException:
        # A full disk fails again at closing; the first error is the one that says why.
        with suppress(OSError):
            thing.close()
        raise


def _open(path: str, name: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise DatasetError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise DatasetError(f"{name}: is a directory; name a file in it") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{name}: cannot be opened: {getattr(error, 'strerror', None) or error}"
        ) from error


def _stamp_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _blocks_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        while block := stream.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise DatasetError(f"{name}: cannot be read: {error.strerror or error}") from error


def _copied(blocks: Iterator[bytes], name: str, spool_dir: Path | None, at_most: int) -> Content:
    first = next(blocks, b"")
    blocks = itertools.chain([first], blocks)
    plain = gunzipped(blocks, name) if first.startswith(GZIP_MAGIC) else blocks
    try:
        copy = cast(BinaryIO, tempfile.TemporaryFile(dir=spool_dir, prefix="harness-"))  # noqa: SIM115 - Content owns it
    except OSError as error:
        raise _no_room(name, error) from error
    with closing_on_error(copy):
        return Content(name=name, size=_write(plain, copy, name, at_most), file=copy)


def _write(blocks: Iterator[bytes], copy: BinaryIO, name: str, at_most: int) -> int:
    size = 0
    for block in blocks:
        if size == 0:
            _refuse_foreign(block[:_HEAD_BYTES], name)
        size += len(block)
        if size > at_most:
            raise DatasetError(
                f"{name}: holds more than {at_most:,} bytes; give a plain file, or split it"
            )
        try:
            copy.write(block)
            copy.flush()
        except OSError as error:
            raise _no_room(name, error) from error
    return size


def _no_room(name: str, error: OSError) -> StorageError:
    return StorageError(
        f"{name}: cannot be copied to a temporary file: {error.strerror or error}; "
        "point TMPDIR to a directory with room, or give a plain file"
    )


def _refuse_foreign(head: bytes, name: str) -> None:
    """Raises DatasetError for a beginning that shows a file of another kind."""
    found = next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), None)
    if found is None:
        # A stray NUL is one line's fault; one byte in twenty is a file of another kind.
        nuls = head.count(0)
        if nuls * 20 <= len(head):
            return
        one_sided = max(head[0::2].count(0), head[1::2].count(0)) == nuls
        if one_sided and nuls * 4 > len(head):
            found = "UTF-16 text"
        else:
            found = "binary data"
    if found.startswith("UTF"):
        advice = "save it as UTF-8"
    else:
        advice = "a topic file is UTF-8 text, one topic a line, plain or .gz"
    raise DatasetError(f"{name}:1: this is {found}; {advice}")


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
                if inflate.eof:
                    rest = inflate.unused_data.lstrip(b"\x00")
                else:
                    rest = inflate.unconsumed_tail
                given += len(piece)
                lines += piece.count(b"\n")
                if given > EXPANSION_ALLOWANCE_BYTES + MAX_EXPANSION * taken:
                    raise DatasetError(
                        f"{name}:{lines + 1}: the gzip data grows more than {MAX_EXPANSION}-fold: a"
                        " bomb?"
                    )
                yield piece
    except zlib.error as error:
        raise DatasetError(
            f"{name}:{lines + 1}: the gzip data is damaged at or after this line ({error}); fetch"
            " the file again"
        ) from error
    if not inflate.eof:
        raise DatasetError(
            f"{name}:{lines + 1}: the gzip data is cut off here; fetch the file again"
        )
