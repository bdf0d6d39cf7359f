"""A file of JSON lines: appended to whole, read back whole, repaired after a crash, replaced in one
move.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import ResultsError, StorageError

NEW_SUFFIX = ".new"
"""The end of a file's name while it is being written to replace another."""

_BLOCK_BYTES = 64 * 1024


class AppendedFile:
    """A file that lines are appended to; nobody but its owner can read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Make the file if there is none. Raises OSError."""
        self._opened()

    def append(self, lines: Sequence[str]) -> int:
        """Add whole lines, or nothing; returns the size before, in bytes.

        Raises OSError, also if the file was deleted or replaced meanwhile.
        """
        file = self._opened()
        data = memoryview(b"".join(line.encode("utf-8") + b"\n" for line in lines))
        start = os.fstat(file.fileno()).st_size
        try:
            while data:
                data = data[file.write(data) or 0 :]
        except OSError:
            self.cut(start)
            raise
        return start

    def cut(self, size: int) -> None:
        """Take back what was added since the file had this size. Raises OSError."""
        if self._file is not None:
            os.ftruncate(self._file.fileno(), size)

    def close(self) -> None:
        """Sync to the disk and let go. Raises OSError."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file.fileno())
            finally:
                file.close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
            return self._file
        here = os.fstat(self._file.fileno())
        there = self.path.stat() if self.path.exists() else None
        if there is None or (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev):
            raise FileNotFoundError(
                2, "was deleted or replaced while the run was writing it", str(self.path)
            )
        return self._file


def texts_of(path: Path, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Whole lines as they stand, each with the byte at which it begins; of no line is asked what it
    says.

    A last line without its end is left out, a missing file is empty. Raises ResultsError where it
    cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from texts_in(file, start=start)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error


def texts_in(file: BinaryIO, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The same of a file that is open."""
    file.seek(start)
    for raw in file:
        if not raw.endswith(b"\n"):
            return
        yield start, raw
        start += len(raw)


def line_number(path: Path, at: int) -> int:
    """Return the number, from 1, of the line that begins at a byte."""
    with path.open("rb") as file:
        return file.read(at).count(b"\n") + 1


def last_texts_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines as they stand, from the last to the first, each with the byte at which it
    begins.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        at, rest = file.seek(0, os.SEEK_END), b""
        while at > 0 or rest:
            start = rest.rfind(b"\n", 0, len(rest) - 1) + 1
            if start == 0 and at > 0:
                size = min(_BLOCK_BYTES, at)
                at -= size
                file.seek(at)
                rest = file.read(size) + rest
                continue
            raw, rest = rest[start:], rest[:start]
            yield at + start, raw


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last line end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        at = file.seek(0, os.SEEK_END)
        while at > 0:
            start = max(0, at - _BLOCK_BYTES)
            file.seek(start)
            end = file.read(at - start).rfind(b"\n")
            if end >= 0:
                file.truncate(start + end + 1)
                return
            at = start
        file.truncate(0)


def count_lines(path: Path) -> int:
    """Line ends in a file; 0 for a missing one."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


def write_whole(
    path: Path, parts: Iterable[bytes], *, mode: int = 0o600, synced: bool = True
) -> None:
    """Write a file beside its place and move it in: a reader sees the old one or the new one.
    Raises OSError.

    `mode` is who may read and write it, less what the process's umask takes away. A device or a
    pipe is written to: a file that was moved into its place would end it for everybody. What is not
    `synced` may be lost with the power.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            device.writelines(parts)
        return
    beside = path.with_name(path.name + NEW_SUFFIX)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.writelines(parts)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        # A disk that is full is not helped by half a file that nobody reads.
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Translate what the operating system says about a file into StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{error.filename or path}: cannot be written: {error.strerror or error}; "
            "what was written before stays readable, and the run can be resumed"
        ) from error


def pretty(value: Mapping[str, Any]) -> list[bytes]:
    """JSON for people, as the parts of a file."""
    return [
        json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"
    ]
