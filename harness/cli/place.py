"""The path of the file that a command makes: looked at before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import InputError
from harness.exports.placing import refuse_unwritable


def check_place(target: Path, *, begins: bytes, what: str) -> None:
    """Raise InputError where a file cannot be put, or would replace anything but an earlier one of
    its kind.

    `begins` is how such a file begins, `what` its name for people.
    """
    if not target.absolute().parent.is_dir():
        raise InputError(f"{target.parent}: is no directory; choose another place with -o FILE")
    refuse_unwritable(target)
    if os.path.lexists(target) and not (target.is_file() and _begins(target, begins)):
        raise InputError(
            f"{target}: is there already and is no {what}; choose another place with -o FILE"
        )


def _begins(file: Path, expected: bytes) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(expected)) == expected
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
