"""A server of a few lines on a real socket, which says the same to every request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.domain.endpoint import base_url_endpoint
from harness.domain.policy import Timeouts
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat
from harness.machine.wall_clock import SystemClock

Reply = Callable[[int], Awaitable[list[bytes]]]


@dataclass
class Speaker:
    """Answers each request, counted from 1, with the pieces that `reply` gives, each sent alone;
    then hangs up.
    """

    reply: Reply
    asked: int = 0
    base_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            await reader.readexactly(length)
            self.asked += 1
            for piece in await self.reply(self.asked):
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()


def response(body: bytes, *, status: int = 200, headers: Mapping[str, str]) -> bytes:
    """A response of HTTP/1.1 whose body ends with the connection."""
    lines = [
        f"HTTP/1.1 {status} X",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def speaking(reply: Reply) -> AsyncIterator[tuple[Speaker, OpenAIChat]]:
    """A server that answers so, and a client of it over the default transport."""
    speaker = Speaker(reply)
    server = await asyncio.start_server(speaker.serve, "127.0.0.1", 0)
    speaker.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    timeouts = Timeouts()
    endpoint = base_url_endpoint(speaker.base_url, api_key=None)
    client = build_http_client(timeouts, base_url=speaker.base_url)
    async with server, client:
        yield (
            speaker,
            OpenAIChat(endpoint, timeouts=timeouts, http_client=client, wall_clock=SystemClock()),
        )
