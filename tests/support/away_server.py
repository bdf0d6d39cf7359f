"""A server that goes away in the middle of a run, in a process of its own; and what it saw of that.

`python tests/support/away_server.py PORT KIND AFTER SECONDS LOG` serves chat completions until the
request of number AFTER has come, is away for so many seconds in the way of KIND, and serves again;
earlier if the file `back` is put beside LOG. Each request is a line of LOG: when it came (on the
clock that all processes share), and whether it was served.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["503", "502 HTML", "500", "refused", "reset", "429", "hang", "loading", "400"]

ANSWER_S = 0.3
BACK = "back"
HTML = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
REFUSALS: dict[Kind, tuple[int, str, str]] = {
    "503": (
        503,
        "application/json",
        '{"error": {"message": "Service Unavailable", "type": "server_error"}}',
    ),
    "502 HTML": (502, "text/html", HTML),
    "500": (
        500,
        "application/json",
        '{"error": {"message": "Internal Server Error", "type": "server_error"}}',
    ),
    "429": (
        429,
        "application/json",
        '{"error": {"message": "Too many requests", "type": "rate_limit_error"}}',
    ),
    "loading": (
        503,
        "application/json",
        '{"error": {"message": "Loading model", "type": "unavailable_error"}}',
    ),
    # Words that no table knows: only their repetition tells that it is not the topics.
    "400": (
        400,
        "application/json",
        '{"error": {"message": "I will not do that", "type": "invalid_request_error"}}',
    ),
}


@dataclass(frozen=True)
class Seen:
    """What the server saw: times of requests that it served, and of those that came while it was
    away.
    """

    served: list[float]
    away: list[float]

    @classmethod
    def read(cls, log: Path) -> Seen:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return cls(
            served=[line["at"] for line in lines if line["served"]],
            away=[line["at"] for line in lines if not line["served"]],
        )


class AwayServer:
    """The server as a child process. A `refused` one kills itself, and is started again after its
    time.
    """

    def __init__(self, directory: Path, kind: Kind, *, after: int, seconds: float) -> None:
        self.log = directory / "requests.jsonl"
        self.log.touch()
        self._kind = kind
        self._after = after
        self._seconds = seconds
        self._child = self._started(0, kind, after)

    @functools.cached_property
    def url(self) -> str:
        """Where it serves, once it does."""
        return f"http://127.0.0.1:{self._port}/v1"

    @functools.cached_property
    def _port(self) -> int:
        assert self._child.stdout is not None
        return int(self._child.stdout.readline())

    def come_back_now(self) -> None:
        """End the time away, whatever is left of it."""
        (self.log.parent / BACK).touch()

    def come_back(self) -> None:
        """Wait until the server has been away for its time; start it again if it is dead."""
        if self._kind != "refused":
            return
        self._child.wait(timeout=60)
        self.end()
        time.sleep(self._seconds)
        self._child = self._started(self._port, "503", sys.maxsize)

    def seen(self) -> Seen:
        return Seen.read(self.log)

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _started(self, port: int, kind: Kind, after: int) -> subprocess.Popen[str]:
        arguments = [str(port), kind, str(after), str(self._seconds), str(self.log)]
        return subprocess.Popen(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
        )


@contextlib.contextmanager
def away_server(directory: Path, kind: Kind, *, after: int, seconds: float) -> Iterator[AwayServer]:
    """Run one, and end it."""
    server = AwayServer(directory, kind, after=after, seconds=seconds)
    try:
        yield server
    finally:
        server.end()


class _Server:
    """The child's half."""

    def __init__(self, kind: Kind, after: int, seconds: float, log: Path) -> None:
        self._kind = kind
        self._after = after
        self._seconds = seconds
        self._log = log
        self._requests = 0
        self._away_until: float | None = None

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=512)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (
                        int(line[15:])
                        for line in head.splitlines()
                        if line[:15].lower() == "content-length:"
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                if not await self._respond(
                    writer, streamed=b'"stream":true' in body.replace(b" ", b"")
                ):
                    break
        writer.close()

    async def _respond(self, writer: asyncio.StreamWriter, *, streamed: bool) -> bool:
        """Answer one request as the time demands; False: the connection is of no use any more."""
        away = self._is_away()
        with self._log.open("a") as log:
            log.write(json.dumps({"at": time.monotonic(), "served": not away}) + "\n")
        if away:
            return await self._fail(writer)
        await asyncio.sleep(ANSWER_S)
        writer.write(
            _stream()
            if streamed
            else _response(200, "application/json", json.dumps(_completion("answer")))
        )
        await writer.drain()
        return True

    def _is_away(self) -> bool:
        self._requests += 1
        if self._requests == self._after:
            self._away_until = time.monotonic() + self._seconds
        if self._away_until is None or (self._log.parent / BACK).exists():
            return False
        return time.monotonic() < self._away_until

    async def _fail(self, writer: asyncio.StreamWriter) -> bool:
        if self._kind == "refused":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._kind == "hang":
            await asyncio.sleep(3600)
        if self._kind == "reset":
            # Closing with a linger time of zero sends RST in place of FIN.
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.transport.abort()
            return False
        writer.write(_response(*REFUSALS[self._kind]))
        await writer.drain()
        return True


def _completion(content: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1790099775,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
    }


def _stream() -> bytes:
    def event(delta: dict[str, object], finish_reason: str | None, usage: object) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        fields = {
            **_completion(""),
            "object": "chat.completion.chunk",
            "choices": [choice],
            "usage": usage,
        }
        return f"data: {json.dumps(fields)}\n\n"

    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    text = event({"role": "assistant", "content": "an answer"}, None, None) + event(
        {}, "stop", usage
    )
    return _response(200, "text/event-stream", text + "data: [DONE]\n\n")


def _response(status: int, content_type: str, body: str) -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length:"
        f" {len(body.encode())}\r\n\r\n"
    )
    return head.encode() + body.encode()


def main() -> None:
    port, kind, after, seconds, log = sys.argv[1:]
    known = next(known for known in get_args(Kind) if known == kind)
    asyncio.run(_Server(known, int(after), float(seconds), Path(log)).serve(int(port)))


if __name__ == "__main__":
    main()
