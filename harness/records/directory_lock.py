"""One process at a time in a directory: a lock that the system frees with the process, however that
ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import BinaryIO

LOCK_FILE = "run.lock"

# Whoever looks whether a run is under way holds a shared lock for an instant: that is no reason to
# refuse.
_ATTEMPTS = 5
_PAUSE_S = 0.02


class DirectoryLock:
    """A directory that belongs to this process until `release` or `undo`. Made by `take`."""

    def __init__(self, path: Path, file: BinaryIO, made: tuple[Path, ...]) -> None:
        self._path = path
        self._file = file
        self._made = made

    @classmethod
    def take(cls, path: Path) -> DirectoryLock:
        """Make the directory where there is none, and take it.

        Raises BlockingIOError if another process has it, any other OSError if it cannot be made.
        May take a tenth of a second: call it in a thread.
        """
        made = _make(path)
        try:
            return cls(path, _locked(path / LOCK_FILE), made)
        except BaseException:
            _unmake(made)
            raise

    def check(self) -> None:
        """Raise FileNotFoundError if the directory, or the lock in it, was deleted or replaced
        meanwhile.
        """
        if not _is_at(self._file, self._path / LOCK_FILE):
            raise FileNotFoundError(
                2, "was deleted or replaced while the run was writing it", str(self._path)
            )

    def release(self) -> None:
        """Let others in."""
        self._file.close()

    def undo(self) -> None:
        """Let go, and leave nothing of what `take` made; a directory that holds anything else by
        now stays.
        """
        try:
            if self._made and [entry.name for entry in self._path.iterdir()] == [LOCK_FILE]:
                (self._path / LOCK_FILE).unlink()
                _unmake(self._made)
        finally:
            self.release()


def is_locked(path: Path) -> bool:
    """Return whether a process holds the directory now."""
    try:
        with (path / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _make(path: Path) -> tuple[Path, ...]:
    """Make a directory that only its owner can enter, and such parents; what was not there, the
    deepest first.
    """
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    # One by one: together, the parents would get the mode that the umask leaves.
    for directory in (*reversed(missing), path):
        directory.mkdir(exist_ok=True, mode=0o700)
    return tuple(missing)


def _unmake(made: tuple[Path, ...]) -> None:
    for directory in made:
        if any(directory.iterdir()):
            return
        directory.rmdir()


def _locked(path: Path) -> BinaryIO:
    attempt = 1
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            if attempt == _ATTEMPTS:
                raise
            attempt += 1
            time.sleep(_PAUSE_S)
        except BaseException:
            file.close()
            raise
        else:
            # Another process may have removed the file between our opening and our locking it.
            if _is_at(file, path):
                return file
            file.close()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return os.path.samestat(os.fstat(file.fileno()), there)
