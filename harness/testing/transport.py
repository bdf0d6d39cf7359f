"""The fake as an httpx2 transport: no socket, no thread, time on the event loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import httpx2

from harness.testing.deepseek.fake import Exchange, FakeDeepSeek
from harness.testing.playback import RESET, play


class FakeTransport(httpx2.AsyncBaseTransport):
    """The transport of `--endpoint mock` and of virtual time.

    Honours the client's read timeout, raises httpx2's own errors, and frees the call's slot when
    its response is closed early or cancelled. Keeps no request and no response.
    """

    def __init__(self, fake: FakeDeepSeek) -> None:
        self.fake = fake

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        path = request.url.raw_path.decode("ascii")
        now_s = asyncio.get_running_loop().time()
        exchange = self.fake.begin(request.method, path, request.headers, body, now_s=now_s)
        reply = exchange.reply
        if reply.status is None:
            exchange.close()
            raise httpx2.ReadError(RESET, request=request)
        read_timeout_s = request.extensions.get("timeout", {}).get("read")
        return httpx2.Response(
            reply.status,
            headers=list(reply.headers),
            stream=_Body(exchange, read_timeout_s),
            request=request,
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, exchange: Exchange, read_timeout_s: float | None) -> None:
        self._exchange = exchange
        self._bytes: AsyncGenerator[bytes, None] = play(exchange, read_timeout_s, httpx2)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._bytes

    async def aclose(self) -> None:
        await self._bytes.aclose()
        # A generator that was never started has no way out to run.
        self._exchange.close()
