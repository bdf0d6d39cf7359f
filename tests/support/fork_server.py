"""Processes of `harness` that are forked from one that has imported everything already.

A start costs nearly a second of CPU, most of it imports, and the tests start
hundreds. Each process is real in all that tests ask about: a pid, an environment, a working
directory, pipes, signals and a death of its own. What a start itself does is tested where the
command is executed: tests/cli/test_processes.py and tests/security/test_canary.py.

`python tests/support/fork_server.py DESCRIPTOR` is the server. It reads one request at a time from
a socket of packets: arguments, environment and directory as JSON, with the descriptors of standard
input, output, error, and of a pipe that takes the exit status.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# All that a command may need, so that a child imports nothing that is slow.
PRELOADED = (
    "harness.cli.run",
    "harness.cli.resume",
    "harness.cli.status",
    "harness.cli.report",
    "harness.cli.cache",
    "harness.cli.show",
    "harness.runs.batch",
    "harness.endpoint.chat_client",
    "harness.cli.live.progress",
)
REQUEST_BYTES = 200_000


class Forked:
    """A process of the server, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, pid: int, stdout: IO[str], stderr: IO[str], status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self.stderr = stderr
        self._status = status

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait(timeout=30)

    def poll(self) -> int | None:
        """Return its exit code, None while it lives; the negative number of a signal that killed
        it.
        """
        self._look(0.0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises TimeoutExpired."""
        if not self._look(timeout):
            raise subprocess.TimeoutExpired("harness", timeout)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read all that it says until it has ended. Raises TimeoutExpired."""
        deadline = time.monotonic() + timeout
        said: dict[IO[str], str] = {}
        readers = [
            threading.Thread(target=_read, args=(stream, said), daemon=True)
            for stream in (self.stdout, self.stderr)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        self.wait(max(0.0, deadline - time.monotonic()))
        return said[self.stdout], said[self.stderr]

    def send_signal(self, number: int) -> None:
        """Send it a signal; one that has ended gets none."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float) -> bool:
        """Return whether it has ended, after so many seconds at the latest."""
        if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode is not None


def _read(stream: IO[str], said: dict[IO[str], str]) -> None:
    with stream:
        said[stream] = stream.read()


def forked(directory: Path, environ: Mapping[str, str], *arguments: str) -> Forked:
    """`harness` with these arguments in a process of its own; nothing comes from its standard
    input.
    """
    asked = json.dumps([arguments, dict(environ), str(directory)]).encode()
    with open(os.devnull) as nothing:
        (out, theirs_out), (err, theirs_err), (status, theirs_status) = (
            os.pipe() for _ in range(3)
        )
        given = [nothing.fileno(), theirs_out, theirs_err, theirs_status]
        server = _server()
        socket.send_fds(server, [asked], given)
        for descriptor in given[1:]:
            os.close(descriptor)
    pid = int(server.recv(32))
    return Forked(pid, open(out, encoding="utf-8"), open(err, encoding="utf-8"), status)


@functools.cache
def _server() -> socket.socket:
    """The server of this process of the tests, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        env=environ,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        child.wait(timeout=30)

    atexit.register(end)
    return ours


@dataclass(frozen=True)
class _Asked:
    """A request: what to run, and the four descriptors that came with it."""

    arguments: list[str]
    environ: dict[str, str]
    directory: str
    streams: list[int]
    status: int

    @classmethod
    def received(cls, channel: socket.socket) -> _Asked | None:
        """Return the next one, None when the tests have ended."""
        packet, descriptors, _, _ = socket.recv_fds(channel, REQUEST_BYTES, 4)
        if not packet:
            return None
        *streams, status = descriptors
        arguments, environ, directory = json.loads(packet)
        return cls(arguments, environ, directory, streams, status)


class _Server:
    """The server's half."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._statuses: dict[int, int] = {}  # of the living: where the exit status goes, by pid

    def serve(self) -> _Asked | None:
        """Fork for each request until the tests have ended: None. A child returns its request."""
        told, teller = os.pipe()
        for descriptor in (told, teller):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(teller, warn_on_full_buffer=False)
        # Ctrl-C in the terminal of the tests is theirs.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([self._channel.fileno(), told], [], [])
            if told in ready:
                os.read(told, 4096)
                self._tell_who_ended()
            if self._channel.fileno() in ready:
                asked = _Asked.received(self._channel)
                if asked is None or self._is_child(asked):
                    return asked

    def _is_child(self, asked: _Asked) -> bool:
        """Fork, and return whether this is the child."""
        pid = os.fork()
        if pid == 0:
            return True
        self._statuses[pid] = asked.status
        for descriptor in asked.streams:
            os.close(descriptor)
        self._channel.send(str(pid).encode())
        return False

    def _tell_who_ended(self) -> None:
        while self._statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            descriptor = self._statuses.pop(pid)
            os.write(descriptor, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(descriptor)


def _become(asked: _Asked) -> None:
    """Make a forked child what `python -m harness` would be at its first line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for wanted, descriptor in enumerate(asked.streams):
        os.dup2(descriptor, wanted)
    os.closerange(3, 1 + max(map(int, os.listdir("/dev/fd"))))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked.environ)
    os.chdir(asked.directory)
    sys.path[0] = asked.directory
    sys.argv = ["harness", *asked.arguments]


def main() -> None:
    for module in PRELOADED:
        importlib.import_module(module)
    # What is there now is never garbage, and a child that does not touch it shares its memory.
    gc.freeze()
    asked = _Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if asked is not None:
        _become(asked)
        importlib.import_module("harness.cli.main").main()


if __name__ == "__main__":
    main()
