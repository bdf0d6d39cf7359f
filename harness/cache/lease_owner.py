"""The owner of leases, and whether it still lives: a file beside the cache for each holder, locked
as long as that lives.

The system gives the lock back when its holder ends, however that happens: `kill -9`, a crash, a
power cut. A heartbeat would have to be told from a slow disk, a busy machine, a suspended laptop
and a clock that jumps; a lock needs no clock, and a process that is merely stopped still holds it.
It is a lock of `flock`, which belongs to the opened file and not to the process, so several caches
of one process are told apart; Linux and macOS know it alike. A process that was forked off keeps
its parent's lock until it ends or runs another program.

Everything here blocks for microseconds, and runs on the database's thread.
"""

from __future__ import annotations

import fcntl
import glob
import os
import re
import secrets
from pathlib import Path

from harness.errors import StorageError

# A number for whoever looks at the directory, and chance, so that no name comes twice.
_NAME = re.compile(r"[0-9]{1,20}-[0-9a-f]{16}")


class LeaseOwner:
    """One holder of leases in the cache at `cache`. It leaves no trace before `enter`, and none
    after `leave`.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.name = ""
        self._descriptor: int | None = None

    def enter(self) -> bool:
        """Become known as alive under `name`, and clear away the files of the dead; False if that
        is done already.

        Raises StorageError where no file can be made.
        """
        if self._descriptor is not None:
            return False
        try:
            while self._descriptor is None:
                self._try_to_enter()
            _clear_away_the_dead(self.cache)
        except OSError as error:
            raise StorageError(
                f"{self.cache}: no file can be made beside the cache ({error.strerror}); check the"
                " disk and the permissions of the directory, and run again"
            ) from error
        return True

    def leave(self) -> None:
        """Be known as alive no more."""
        if self._descriptor is not None:
            _file_of(self.cache, self.name).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def sees_alive(self, name: str) -> bool:
        """Return whether the owner of this name lives; an unknown one counts as alive."""
        # Whatever a file from elsewhere says, only files of holders are opened.
        if not _NAME.fullmatch(name):
            return False
        try:
            descriptor = os.open(_file_of(self.cache, name), os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _try_to_enter(self) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(_file_of(self.cache, name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Until it is locked, another process may take the file for one of the dead and clear it
        # away.
        if _locked(descriptor, fcntl.LOCK_EX) and os.fstat(descriptor).st_nlink:
            self.name, self._descriptor = name, descriptor
        else:
            os.close(descriptor)


def _clear_away_the_dead(cache: Path) -> None:
    for file in cache.parent.glob(f"{glob.escape(cache.name)}-owner-*"):
        if not _NAME.fullmatch(file.name.removeprefix(f"{cache.name}-owner-")):
            continue
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue  # gone by now, or another user's: not ours to clear away
        try:
            if _locked(descriptor, fcntl.LOCK_EX):
                file.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    """Lock the opened file, if nobody is in the way."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _file_of(cache: Path, name: str) -> Path:
    return cache.with_name(f"{cache.name}-owner-{name}")
