"""The command on a real terminal that can be read, typed at and closed, for system tests."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import PATIENCE_S, ROOT

# The terminal becomes the process's own, so that closing it sends SIGHUP.
ON_A_TERMINAL = (
    "import os, sys; os.login_tty(os.dup(0)); os.execv(sys.executable, [sys.executable,"
    " *sys.argv[1:]])"
)


class Terminal:
    """Our end of a terminal with a process on it."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.shown = ""
        self._descriptor: int | None = descriptor

    def until_it_shows(self, text: str) -> None:
        while text not in self.shown:
            assert self._read(), f"ended without {text!r}: {self.shown}"

    def type(self, text: str) -> None:
        assert self._descriptor is not None
        os.write(self._descriptor, text.encode())

    def ended(self) -> int:
        """Its exit code; all that it wrote is in `shown`."""
        while self._read():
            pass
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> bool:
        """Whether there was more to read; not so when the process has ended."""
        assert self._descriptor is not None
        assert select.select([self._descriptor], [], [], PATIENCE_S)[0], (
            f"nothing came after {self.shown!r}"
        )
        try:
            piece = os.read(self._descriptor, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


@contextmanager
def on_a_terminal(directory: Path, *arguments: str, **options: Any) -> Iterator[Terminal]:
    """`harness` with these arguments, in this directory, with nothing of our environment's
    settings.
    """
    ours, theirs = pty.openpty()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    keys = {
        "HARNESS_API_KEY": "sk-test",
        "DEEPSEEK_API_KEY": "sk-test",
        "OPENAI_API_KEY": "sk-test",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, "-m", "harness", *arguments],
        cwd=directory,
        env={
            **kept,
            **keys,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        },
        **{"stdin": theirs, "stdout": theirs, "stderr": theirs, **options},
    )
    os.close(theirs)
    terminal = Terminal(ours, process)
    try:
        yield terminal
    finally:
        terminal.close()
        process.kill()
        process.wait()
