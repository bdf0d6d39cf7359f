"""A cassette as a file, plain or gzipped: read and checked as a whole, written whole or not at
all.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from harness.cache.cassette import NoCassette, Recording, line_of, recording_of_line
from harness.errors import CacheError
from harness.records.jsonl_file import storage_errors, write_whole

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes. The longest answer a provider gives is a few MB; a longer line is not a cassette's."""

_SHOWN_ERRORS = 20
_GZIP = b"\x1f\x8b"


def read_cassette(path: Path) -> tuple[Recording, ...]:
    """All its recordings, in the order of the file. Raises CacheError that lists `file:line:
    reason`.
    """
    errors: list[str] = []
    with opened(path) as file:
        found = tuple(recordings(file, str(path), errors))
    refuse(errors, f"{path}: not a sound cassette")
    return found


def write_cassette(path: Path, found: Iterable[Recording]) -> bool:
    """Write these, sorted; gzipped where the name ends in `.gz`. Whether anything changed. Raises
    StorageError.
    """
    text = "".join(f"{line_of(one)}\n" for one in sorted(found, key=lambda one: one.place)).encode()
    data = gzip.compress(text, mtime=0) if path.suffix == ".gz" else text
    with storage_errors(path):
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [data], mode=0o666)  # it is kept in a repository, for others too
    return True


def prepare_place(path: Path) -> None:
    """Make the directory of a cassette. Raises CacheError where none could be written, before
    anything is paid for.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"{path}: no cassette can be written there: {error.strerror or error}"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise CacheError(
            f"{path}: no cassette can be written there: nothing may be written into {path.parent}"
        )


def recordings(file: BinaryIO, name: str, errors: list[str]) -> Iterator[Recording]:
    """The sound lines of a cassette, one at a time; what is wrong with others goes to `errors` as
    `name:line: reason`.

    A key that stands twice is wrong, whether the answers are equal or not: nobody could say which
    of them rules. A file that is something else is one error, not one for each of its lines.
    """
    seen: dict[str, tuple[int, str]] = {}
    number = 0
    try:
        for number, line in lines(file):
            try:
                found = recording_of_line(line)
            except NoCassette as error:
                errors.append(f"{name}:{number}: {error}")
                return
            except ValueError as error:
                errors.append(f"{name}:{number}: {error}")
                continue
            if found.key in seen:
                first, answer = seen[found.key]
                other = "" if answer == found.digest else " with another answer"
                errors.append(
                    f"{name}:{number}: the key stands already in line {first}{other}; remove one of"
                    " them"
                )
                continue
            seen[found.key] = number, found.digest
            yield found
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        errors.append(
            f"{name}:{number + 1}: the gzipped data is torn: {error}; restore the file, or record"
            " it again"
        )


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that say something, with their numbers from 1. One that is too long is cut, and so
    no JSON.

    A byte order mark, which some editors put before the first line, says nothing.
    """
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n"):
            while rest := file.readline(LONGEST_LINE):
                if rest.endswith(b"\n"):
                    break
        if number == 1:
            said = line.removeprefix(codecs.BOM_UTF8).strip()
        else:
            said = line.strip()
        if said:
            yield number, said


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's text, as bytes, decompressed where it is gzipped. Raises CacheError if it cannot
    be read.
    """
    try:
        with path.open("rb") as file:
            yield unzipped(file)
    except OSError as error:
        raise CacheError(
            f"{path}: the cassette cannot be read ({error.strerror or error})"
        ) from error


def unzipped(file: BinaryIO) -> BinaryIO:
    """A stream that can be peeked into, decompressed where it begins as gzip does."""
    if isinstance(file, io.BufferedReader | io.BytesIO):
        buffered = file
    else:
        buffered = io.BufferedReader(cast(io.RawIOBase, file))
    if isinstance(buffered, io.BytesIO):
        head = buffered.getvalue()[:2]
    else:
        head = buffered.peek(2)[:2]
    return cast(BinaryIO, gzip.GzipFile(fileobj=buffered) if head == _GZIP else buffered)


def refuse(errors: Sequence[str], said: str) -> None:
    """Raise CacheError that lists the first of these errors, if there are any."""
    if not errors:
        return
    listed = [
        f"{said}, because of {len(errors)} bad line{'s' * (len(errors) > 1)}",
        *errors[:_SHOWN_ERRORS],
    ]
    if len(errors) > _SHOWN_ERRORS:
        listed.append(f"… and {len(errors) - _SHOWN_ERRORS} more")
    raise CacheError("\n".join(listed))
