"""An export appears whole or not at all: it is made in a directory of its own beside its place, and
then moved in.

What stands in its place is replaced only on demand, and a directory only if it says that it is an
export of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from harness.errors import ResultsError
from harness.exports.source import RunFacts
from harness.records.directory_lock import LOCK_FILE
from harness.records.jsonl_file import pretty, storage_errors
from harness.records.manifest import RUN_FILE
from harness.records.results_dir import KEPT_INPUTS, RESULTS_FILE, TRACES_FILE

ABOUT_FILE = "export.json"
"""In every directory that is an export: what it holds, and the sign that it may be replaced by
another one.
"""

ABOUT_VERSION = 1
_OF_A_RUN = (RUN_FILE, RESULTS_FILE, TRACES_FILE, LOCK_FILE, *KEPT_INPUTS)


def refuse_unless_free(target: Path, *, directory: bool, force: bool) -> None:
    """Raise ResultsError where an export cannot be put, or may not be without `force`."""
    if target.name in _OF_A_RUN and (target.parent / RUN_FILE).exists():
        raise ResultsError(f"{target}: that is a part of a run; choose another place with -o OUT")
    if not target.parent.is_dir():
        raise ResultsError(
            f"{target}: there is no directory {target.parent}; make it, or choose another with"
            " -o OUT"
        )
    refuse_unwritable(target)
    if not os.path.lexists(target):
        return
    if target.is_dir() != directory:
        found, wanted = ("a file", "a directory") if directory else ("a directory", "a file")
        raise ResultsError(
            f"{target}: is {found}, and this format makes {wanted}; choose another with -o OUT"
        )
    if not directory and not target.is_file():
        raise ResultsError(
            f"{target}: is no plain file, and is not replaced; choose another with -o OUT"
        )
    if not force:
        raise ResultsError(
            f"{target}: is there already; --force replaces it, -o OUT writes elsewhere"
        )
    if directory and not _is_ours(target):
        raise ResultsError(
            f"{target}: holds no {ABOUT_FILE}, so it is no export and is not replaced; choose"
            " another"
        )


def refuse_unwritable(target: Path) -> None:
    """Raise ResultsError where nothing can be made beside `target`."""
    try:
        with tempfile.TemporaryFile(dir=target.absolute().parent):
            return
    except OSError as error:
        why = error.strerror or error
        raise ResultsError(
            f"{target}: cannot be written ({why}); choose another place with -o"
        ) from error


@contextmanager
def placed(target: Path, *, directory: bool) -> Iterator[Path]:
    """A path to write to; on leaving, what was written there is moved to `target`. After an error
    nothing is left.

    Only its owner can read what is placed. Raises StorageError if the disk fails.
    """
    with storage_errors(target):
        scratch = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        )
    try:
        made = scratch / target.name
        if directory:
            made.mkdir(mode=0o700)
        with storage_errors(target):
            yield made
            if directory:
                _move_directory(made, target, scratch / "replaced")
            else:
                made.chmod(0o600)
                _sync(made)
                made.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_about(into: Path, export_format: str, facts: RunFacts) -> None:
    """Say in a directory what it is. Raises OSError."""
    said = {"version": ABOUT_VERSION, "format": export_format, **asdict(facts)}
    (into / ABOUT_FILE).write_bytes(b"".join(pretty(said)))


def _is_ours(target: Path) -> bool:
    try:
        said = json.loads((target / ABOUT_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and "format" in said and "run_id" in said


def _move_directory(made: Path, target: Path, aside: Path) -> None:
    """A directory cannot be moved over another one, so the old one steps aside first, and back if
    that fails.
    """
    for directory, _, files in os.walk(made):
        for name in files:
            _sync(Path(directory, name))
    try:
        if target.exists():
            target.rename(aside)
        made.rename(target)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
