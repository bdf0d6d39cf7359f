"""A run on a terminal that is really there: what a person sees while it runs, when it is resized,
and afterwards.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

from harness.cli.live.painter import END
from harness.cli.live.screen import Screen

pytestmark = pytest.mark.system

PROJECT = Path(__file__).parent.parent.parent
# The terminal becomes the process's own, so that it is told of a new size.
ON_A_TERMINAL = (
    "import os, sys; os.login_tty(os.dup(0)); os.execv(sys.executable, [sys.executable,"
    " *sys.argv[1:]])"
)
RUN = (
    "run",
    "topics.jsonl",
    "--endpoint",
    "mock",
    "--out",
    "done",
    "--latency",
    "fixed:0.25",
    "--in-flight",
    "2",
)


# A process group of its own that is not the terminal's, as `timeout` makes one in a script, and a
# shell with `&`.
IN_THE_BACKGROUND = (
    "import os, subprocess, sys; os.login_tty(os.dup(0)); "
    "sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], process_group=0).returncode)"
)


class Terminal:
    """A terminal with a process on it. `frames` are the screens after each frame that it
    painted.
    """

    def __init__(
        self, descriptor: int, process: subprocess.Popen[bytes], columns: int, lines: int
    ) -> None:
        self.written = ""
        self.process = process
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)

    def frames(self) -> Iterator[list[str]]:
        """Until the process has ended."""
        rest = ""
        while piece := self._read():
            self.written += piece
            *frames, rest = (rest + piece).split(END)
            for frame in frames:
                self._stream.feed(frame + END)
                yield self.shown()
        self._stream.feed(rest)

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def shows_cursor(self) -> bool:
        return not self._screen.cursor.hidden

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        _set_size(self._descriptor, columns, lines)

    def _read(self) -> str:
        if not select.select([self._descriptor], [], [], 30)[0]:
            raise AssertionError(f"nothing came for 30 s after {self.written!r}")
        try:
            return self._decoder.decode(os.read(self._descriptor, 65536)) or self._read()
        except OSError:  # the other end is closed: the process has ended
            return ""


@contextmanager
def a_terminal(
    *arguments: str, columns: int, lines: int, launched: str = ON_A_TERMINAL, **env: str
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    _set_size(theirs, columns, lines)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", launched, "-m", "harness", *arguments],
        env={
            **kept,
            "PYTHONPATH": str(PROJECT),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            **env,
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        with process:
            yield Terminal(ours, process, columns, lines)
    finally:
        os.close(ours)


def _set_size(descriptor: int, columns: int, lines: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def test_a_run_is_watched_through_a_resize_and_leaves_its_summary_alone_on_a_clean_screen() -> None:
    Path("topics.jsonl").write_text(
        '{"id": "天空为什么是蓝色的", "topic": "天空为什么是蓝色的？"}\n{"id": "tea", "topic": "How'
        ' is tea made?"}\n',
        encoding="utf-8",
    )
    small: list[list[str]] = []
    large: list[list[str]] = []
    with a_terminal(*RUN, columns=40, lines=10) as terminal:
        for shown in terminal.frames():
            (large if large or len(small) > 3 else small).append(shown)
            if len(small) == 4 and not large:
                terminal.resize(100, 30)
                large.append([])
        assert terminal.process.wait(timeout=30) == 0
    assert all(len(shown) <= 9 for shown in small)
    assert small[-1][0].endswith("0 of 2 topics, 2 open")
    assert any(line.startswith("oldest ") and "天空" in line for line in small[-1])
    assert any("in flight 2 of 2: 2 research" in shown for shown in large)
    assert all(shown[0].startswith("━") for shown in large[2:]), "one picture, at its place"
    assert terminal.shown()[0].startswith("topics    2: 2 ok"), "nothing of the picture is left"
    assert terminal.shown()[-1] == "look      harness show done"
    assert terminal.shows_cursor
    assert "\x1b[2J" not in terminal.written
    assert "\x1b[2m" in terminal.written


def test_a_dumb_terminal_gets_plain_words() -> None:
    Path("topics.jsonl").write_text('{"topic": "How is tea made?"}\n')
    with a_terminal(*RUN, "--latency", "none", columns=80, lines=24, TERM="dumb") as terminal:
        assert list(terminal.frames()) == []
        assert terminal.process.wait(timeout=30) == 0
    assert "\x1b" not in terminal.written
    assert "topics    1: 1 ok" in terminal.written


def test_a_run_in_the_background_of_a_terminal_tells_plain_lines_and_paints_nothing() -> None:
    Path("topics.jsonl").write_text('{"topic": "How is tea made?"}\n')
    # Three calls one after another: past the first line, which comes after ten seconds.
    slow = ("--latency", "fixed:4")
    with a_terminal(*RUN, *slow, columns=60, lines=24, launched=IN_THE_BACKGROUND) as terminal:
        assert list(terminal.frames()) == []
        assert terminal.process.wait(timeout=30) == 0
    assert "\x1b" not in terminal.written
    assert terminal.written.startswith("0 of 1 topic, 1 open; ")
    assert "\ntopics    1: 1 ok" in terminal.written.replace("\r", "")


def test_nobody_is_asked_in_the_background_where_an_answer_could_not_be_typed() -> None:
    Path("topics.jsonl").write_text('{"topic": "How is tea made?"}\n')
    live = ("run", "topics.jsonl", "--endpoint", "deepseek", "--out", "out")
    with a_terminal(
        *live, columns=80, lines=24, launched=IN_THE_BACKGROUND, DEEPSEEK_API_KEY="sk-test"
    ) as terminal:
        assert list(terminal.frames()) == []
        assert terminal.process.wait(timeout=30) == 2
    assert "no terminal on which to ask" in terminal.written.replace("\r\n", " ")
    assert not Path("out").exists()


def test_a_summary_hangs_together_on_a_narrow_terminal() -> None:
    Path("topics.jsonl").write_text('{"topic": "How is tea made?"}\n')
    failing = ("--faults", "400=1", "--latency", "none", "--quiet")
    with a_terminal(*RUN, *failing, columns=50, lines=40) as terminal:
        assert list(terminal.frames()) == []
        assert terminal.process.wait(timeout=30) == 1
    lines = terminal.written.replace("\r", "").splitlines()
    first = next(
        number
        for number, line in enumerate(lines)
        if line.startswith("failed    1 × bad request 400 – ")
    )
    last = next(number for number, line in enumerate(lines) if line.startswith("calls "))
    assert all(len(line) <= 50 for line in lines)
    assert all(line.startswith(" " * 10) for line in lines[first + 1 : last])
    assert "→ it will be refused again" in "\n".join(lines[first:last])


def test_what_is_written_while_the_picture_is_there_stays_above_it() -> None:
    ours, theirs = pty.openpty()
    _set_size(theirs, 20, 6)
    screen = pyte.Screen(20, 6)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream, Screen(stream, color=False) as shown:
        shown.show([(("one", ""),), (("two", ""),)], size=shown.size)
        print("a warning\nand half", end="", file=sys.stderr)
        shown.show([(("ONE", ""),), (("two", ""),)], size=shown.size)
        assert _shows(screen, ours, ["a warning", "ONE", "two", ""])
        print(" whole", file=sys.stderr)
    assert _shows(screen, ours, ["a warning", "and half whole", ""])
    os.close(ours)
    assert not screen.cursor.hidden


def _shows(screen: pyte.Screen, terminal: int, lines: list[str]) -> bool:
    """Whether the screen comes to begin with these lines: what is written to a terminal arrives in
    parts.
    """
    stream = pyte.ByteStream(screen)
    while [line.rstrip() for line in screen.display[: len(lines)]] != lines:
        if not select.select([terminal], [], [], 10)[0]:
            return False
        stream.feed(os.read(terminal, 65536))
    return True


def test_a_terminal_that_does_not_know_its_size_is_taken_for_a_common_one() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        assert Screen(stream, color=False).size == (80, 24)
    os.close(ours)
