"""The terminal under a live display: keeps the picture at its bottom, and everything else that is
written above it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from harness.cli.live.painter import ERASE, HIDE_CURSOR, frame, styled
from harness.cli.live.picture import Line
from harness.cli.terminal import SHOW_CURSOR, in_foreground, takes_more

FALLBACK = os.terminal_size((80, 24))


class Screen:
    """Open it with `with`. Meanwhile standard error, and standard output where it is a terminal,
    write through it.

    Threads may write too. Raises OSError where the terminal is gone.
    """

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._lock = threading.RLock()
        self._shown: list[str] | None = None
        self._size = FALLBACK

    @property
    def size(self) -> os.terminal_size:
        """As it is now; a terminal that does not know its own size is taken for one of 80 × 24."""
        columns, lines = os.get_terminal_size(self._stream.fileno())
        return os.terminal_size((columns or FALLBACK.columns, lines or FALLBACK.lines))

    def show(self, lines: Sequence[Line], *, size: os.terminal_size) -> None:
        """Have the picture look like this; nothing happens while nobody can see it."""
        if not in_foreground(self._stream.fileno()) or not takes_more(self._stream.fileno()):
            return
        with self._lock:
            after = [styled(line, color=self._color) for line in lines]
            before = self._shown if size == self._size else None
            first = HIDE_CURSOR if self._shown is None else ""
            self._write(first + frame(before, after))
            self._shown, self._size = after, size

    def above(self, text: str) -> None:
        """Write whole lines where they will stay; the picture moves down."""
        with self._lock:
            shown, self._shown = self._shown, None
            if shown is None:
                self._write(text)
                return
            self._write(ERASE + text)
            if in_foreground(self._stream.fileno()):
                self._write(frame(None, shown))
                self._shown = shown

    def clear(self) -> None:
        """Take the picture away, and give the cursor back."""
        with self._lock:
            if self._shown is not None:
                self._shown = None
                self._write(ERASE + SHOW_CURSOR)

    def suspend(self) -> None:
        """Ctrl-Z: leave a clean line for the shell, and stop; what is shown after that is painted
        anew.
        """
        self.clear()
        os.kill(os.getpid(), signal.SIGSTOP)

    def __enter__(self) -> Screen:
        self._streams = sys.stdout, sys.stderr
        sys.stderr = _Above(self._stream, self)
        if sys.stdout.isatty():
            sys.stdout = _Above(sys.stdout, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ours = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, _Above)]
        sys.stdout, sys.stderr = self._streams
        try:
            for stream in ours:
                stream.end()
        finally:
            self.clear()

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()


class _Above(io.TextIOBase):
    """Stands for a stream while there is a picture: its lines go above it, as soon as they are
    whole.
    """

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self._over = stream
        self._screen = screen
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._over.encoding

    def write(self, text: str) -> int:
        whole, line_feed, self._rest = (self._rest + text).rpartition("\n")
        if line_feed:
            self._screen.above(whole + line_feed)
        return len(text)

    def end(self) -> None:
        """Write what is left of a line that never ended."""
        if self._rest:
            self.write("\n")

    def isatty(self) -> bool:
        return self._over.isatty()

    def fileno(self) -> int:
        return self._over.fileno()
