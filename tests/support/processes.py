"""The command as a real process, and a server for it on a real socket, for system tests."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fork_server import Forked, forked

import harness
from harness.testing import FakeDeepSeek, serve

ROOT = Path(harness.__file__).parent.parent
PRICES = '[prices."deepseek-flash"]\ninput = 1.0\noutput = 2.0\n'
PATIENCE_S = 30.0


class Server:
    """A FakeDeepSeek on a socket, in a thread with a loop of its own."""

    def __init__(self, fake: FakeDeepSeek) -> None:
        self.fake = fake
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    @property
    def seen(self) -> int:
        """Requests so far."""
        return len(self.fake.log)

    def now_s(self) -> float:
        """The clock of `fake.log`."""
        return self._loop.time()

    def sent_since(self, at_s: float) -> int:
        return sum(logged.at_s > at_s for logged in list(self.fake.log))

    def _serve(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        async with serve(self.fake) as url:
            self.url = f"{url}/v1"
            self._ready.set()
            await self._end.wait()


# One that was executed, or forked from a server that has imported everything.
Process = subprocess.Popen[str] | Forked


def started(directory: Path, *arguments: str) -> Process:
    """`harness` with these arguments, in this directory, with nothing of our environment's
    settings.
    """
    return forked(directory, environment(), *arguments)


def executed(directory: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The same from the start of the interpreter on; for tests of the start, or with options of
    Popen.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=directory,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **{"stdin": subprocess.DEVNULL, "env": environment(), **options},
    )


def environment() -> dict[str, str]:
    """Our environment without its settings, with a key and the package."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HARNESS_", "OPENAI_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "HARNESS_API_KEY": "sk-test", "NO_COLOR": "1"}


def ended(process: Process) -> tuple[int, str]:
    """Its exit code, and what it said on both streams."""
    said, complained = process.communicate(timeout=PATIENCE_S)
    return process.wait(timeout=PATIENCE_S), said + complained


def done(directory: Path, *arguments: str) -> tuple[int, str]:
    """The command from its start to its end."""
    return ended(started(directory, *arguments))


def until(condition: Callable[[], bool], process: Process | None = None) -> None:
    """Wait for something that another process or thread brings about; `process` ending is also an
    end of it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and (process is None or process.poll() is None):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def write_topics(directory: Path, number: int) -> None:
    """`topics.jsonl`, and prices for the model, in a directory to work in."""
    rows = (
        {"id": f"topic-{index}", "topic": f"The history of invention number {index}"}
        for index in range(number)
    )
    (directory / "topics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "harness.toml").write_text(PRICES)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """All lines of a file of rows, each of them whole."""
    raw = path.read_bytes()
    assert raw == b"" or raw.endswith(b"\n")
    return [json.loads(line) for line in raw.splitlines()]


@contextmanager
def journal(path: Path) -> Iterator[sqlite3.Connection]:
    """The cache file, as any SQLite client reads it."""
    with closing(sqlite3.connect(path)) as database:
        yield database
