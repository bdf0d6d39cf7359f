"""The questions to a terminal before it is written to, and what becomes of our words when it is
gone.
"""

from __future__ import annotations

import io
import os
import select
import sys
import termios
from contextlib import suppress
from typing import TextIO

LOCAL_FLAGS = 3
"""The index of the local flags in the list that `tcgetattr` returns."""
SHOW_CURSOR = "\x1b[?25h"


def prepare_streams() -> None:
    """Let no character crash the program: what the encoding of a stream cannot hold is written out
    as an escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_be_painted(stream: TextIO) -> bool:
    """Return whether this is a terminal that moves its cursor, and shows more than ASCII."""
    smart = os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")
    return stream.isatty() and smart and stream.encoding.lower().replace("-", "") == "utf8"


def in_foreground(descriptor: int) -> bool:
    """Return whether the terminal is ours to paint on: not where the shell has put us in the
    background.
    """
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not our controlling terminal, so no shell shares it with us
        return True


def someone_answers() -> bool:
    """Return whether a person can be asked: both ends are terminals, and reading would not stop us
    in the background.
    """
    return sys.stdin.isatty() and sys.stderr.isatty() and in_foreground(sys.stdin.fileno())


def can_be_written(descriptor: int) -> bool:
    """Return whether a background process may write: not where `stty tostop` would have it stopped
    for that.
    """
    try:
        return not termios.tcgetattr(descriptor)[LOCAL_FLAGS] & termios.TOSTOP
    except termios.error:
        return True


def takes_more(descriptor: int) -> bool:
    """Return whether a write would go through: not where the terminal was stopped with Ctrl-S."""
    return bool(select.select([], [descriptor], [], 0)[1])


def is_left(descriptor: int) -> bool:
    """Return whether nobody can read what is written here any more: the terminal was closed, or a
    pipe's reader has ended.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def let_go_of_what_is_left() -> None:
    """Send what is written from here on to nobody where nobody is left to read it.

    The work was done, and its exit code is to be its own: neither a write into a closed terminal
    nor the interpreter's last flush of what could not be written may change it.
    """
    for descriptor in (1, 2):
        with suppress(OSError):  # closed by whoever started us
            if is_left(descriptor):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def give_back_cursor(descriptor: int) -> None:
    """Show the cursor again, if this is a terminal that takes it; for a process that can close
    nothing any more.
    """
    with suppress(OSError):
        if os.isatty(descriptor) and takes_more(descriptor):
            os.write(descriptor, SHOW_CURSOR.encode())
