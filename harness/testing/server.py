"""The fake on a real socket of this machine: for clients that cannot be given a transport."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.testing.deepseek.fake import Exchange, FakeDeepSeek

if TYPE_CHECKING:
    from aiohttp import web

HOST = "127.0.0.1"
_OUR_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
# The largest prompt that DeepSeek takes is about five megabytes.
_MAX_BODY_BYTES = 64 * 1024 * 1024


@asynccontextmanager
async def serve(
    fake: FakeDeepSeek, port: int = 0, *, left: Callable[[str], None] = lambda path: None
) -> AsyncIterator[str]:
    """Listen on 127.0.0.1 (port 0: any free one) and yield the base URL.

    It is right with and without `/v1`. Raises OSError if the port is taken. Requests that name
    another host are refused with 403, so that a web page cannot reach the server through a name of
    its own. `left` is told the path of each request whose client hung up before its answer was
    whole. A fake without a clock of its own tells this machine's time: a client elsewhere has no
    other by which it could read a date.
    """
    from aiohttp import web  # noqa: PLC0415 - a second of start-up that only a server needs

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(fake, request, left)

    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", handle)
    # A handler ends when its client hangs up: the slot must be free for the next.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, backlog=4096)
        await site.start()
        bound: int = runner.addresses[0][1]
        yield f"http://{HOST}:{bound}"
    finally:
        await runner.cleanup()


async def serve_forever(
    fake: FakeDeepSeek,
    port: int,
    ready: Callable[[str], None] = lambda url: None,
    left: Callable[[str], None] = lambda path: None,
) -> None:
    """Serve until cancelled.

    `ready` is told the base URL once the server listens; `left`: see `serve`.
    """
    async with serve(fake, port, left=left) as url:
        ready(url)
        await asyncio.get_running_loop().create_future()


async def _handle(
    fake: FakeDeepSeek, request: web.Request, left: Callable[[str], None]
) -> web.StreamResponse:
    from aiohttp import web  # noqa: PLC0415

    if _host_name(request.host) not in _OUR_NAMES:
        return web.json_response(
            {"error": {"message": "This server answers to this machine only."}}, status=403
        )
    body = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    now_s, now = asyncio.get_running_loop().time(), datetime.now(UTC)
    exchange = fake.begin(request.method, request.path_qs, headers, body, now_s=now_s, now=now)
    try:
        response = await _play(exchange, request)
        exchange.complete()
    except ConnectionResetError:
        left(request.path)
        return web.Response()  # which goes to nobody
    except asyncio.CancelledError:
        if request.transport is None:
            left(request.path)
        raise
    finally:
        exchange.close()
    return response


async def _play(exchange: Exchange, request: web.Request) -> web.StreamResponse:
    """Write the reply when its time has come."""
    from aiohttp import web  # noqa: PLC0415

    reply = exchange.reply
    if reply.status is None:
        _reset(request)
        return web.Response()
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    for piece in reply.pieces:
        due_s += piece.delay_s
        if (wait_s := due_s - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        await response.write(piece.data)
    if reply.end == "reset":
        _reset(request)
    elif reply.end == "hang":
        await loop.create_future()
    else:
        await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    """Tear the connection down with a TCP reset, as a dying server does."""
    transport = request.transport
    if transport is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        linger_on_without_waiting = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_without_waiting)
    transport.abort()


def _host_name(host: str) -> str:
    """The Host header without its port."""
    if host.endswith("]"):
        return host.lower()
    return host.lower().rpartition(":")[0] or host.lower()
