"""The command as a process of its own: pipes, encodings, signals, terminals, and what it costs to
start.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

PROJECT = Path(__file__).parent.parent.parent
HARNESS = (sys.executable, "-m", "harness")


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(PROJECT), **more}


def call(
    *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*HARNESS, *arguments],
        env=env or environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_help_imports_nothing_that_is_slow_to_import() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness", "--help"],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    ).stderr.decode()
    modules = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert not {name for name in modules if name.startswith("harness.domain.")}
    assert "harness.text.safe" in modules
    imported = {name.partition(".")[0] for name in modules}
    assert "click" in imported
    assert not imported & {
        "openai",
        "pydantic",
        "rich",
        "aiohttp",
        "httpx",
        "httpx2",
        "aiosqlite",
        "anyio",
    }


def test_version_and_usage_errors_have_their_exit_codes() -> None:
    assert call("--version").stdout.startswith(b"harness, version ")
    assert call("run").returncode == 2
    wrong = call("run", "nofile.jsonl", "--endpoint", "mock")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert wrong.stderr == b"error: nofile.jsonl: no such file\n"


@pytest.mark.parametrize(
    "encoding", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_an_encoding_that_cannot_hold_a_character_does_not_end_the_command(
    encoding: dict[str, str],
) -> None:
    Path("topics.jsonl").write_text(
        '{"id": "蓝", "topic": "天空为什么是蓝色的？"}\n', encoding="utf-8"
    )
    env = environment(**encoding)
    ran = call("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q", env=env)
    assert ran.returncode == 0, ran.stderr
    shown = call("show", "done", env=env)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(b"ok ")


def test_a_reader_that_leaves_ends_the_output_without_a_word() -> None:
    with subprocess.Popen(
        [*HARNESS, "config", "--json"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_an_answer_is_kept_although_its_reader_left() -> None:
    with subprocess.Popen(
        [*HARNESS, "ask", "Why?", "--endpoint", "mock"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 141
    assert b"entries   1 " in call("cache", "stats").stdout


def test_ctrl_c_ends_a_question_at_once() -> None:
    with subprocess.Popen(
        [*HARNESS, "ask", "Why?", "--endpoint", "mock", "--latency", "fixed:20"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"reasoning:\n"
        sent_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - sent_at < 3
        assert process.stderr.read() == b"interrupted before the answer was complete\n"


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = call("mock", "serve", "--port", str(port))
    assert answer.returncode == 2
    said = f"error: port {port} is in use: choose another with --port, or 0 for any free one\n"
    assert answer.stderr.decode() == said


def test_the_mock_serves_until_ctrl_c() -> None:
    with subprocess.Popen(
        [*HARNESS, "mock", "serve", "--port", "0"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"DeepSeek's mock listens on http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_on_a_terminal_the_progress_is_live_and_no_color_is_obeyed() -> None:
    arguments = [
        *HARNESS,
        "run",
        "topics.txt",
        "--endpoint",
        "mock",
        "--out",
        "done",
        "--latency",
        "fixed:0.3",
    ]
    Path("topics.txt").write_text("Why is the sky blue?\nHow is tea made?\n")
    seen = _on_a_terminal(arguments, environment(TERM="xterm", NO_COLOR="1"))
    assert "of 2 topics" in seen
    assert "in flight" in seen
    assert "topics    2: 2 ok" in seen
    assert not re.search("\x1b\\[3[0-7]m", seen)


def _on_a_terminal(arguments: list[str], env: Mapping[str, str]) -> str:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            arguments, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            output = b""
            while select.select([ours], [], [], 30)[0]:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the other end is closed: the process has ended
                    break
                output += piece
            assert process.wait(timeout=30) == 0, output.decode()
    finally:
        os.close(ours)
    return output.decode()
