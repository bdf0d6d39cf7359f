"""respx routers below httpx and httpx2: requests in, replies out, each in its own time.

respx patches `httpcore`, on which httpx stands; openai 3 stands on httpx2 and thus on `httpcore2`,
so a router is installed on both. A client with another transport (openai's aiohttp backend) is not
seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import httpx2
import respx
from respx.mocks import HTTPCoreMocker, Mocker
from respx.models import AllMockedAssertionError

from harness.testing.deepseek.fake import Exchange
from harness.testing.hosts import Hosts, Replier
from harness.testing.playback import RESET, HttpErrors, play, play_blocking


class UnansweredError(AllMockedAssertionError, httpx2.UnsupportedProtocol):
    """A request to a host that nobody answers for.

    Being a fault of the URL to httpx2, it is not tried again.
    """


@contextmanager
def routed(replier: Replier, hosts: Hosts) -> Iterator[None]:
    """Install a router below httpx and one below httpx2, inside this block."""
    if "httpcore2" not in Mocker.registry:
        # Registered by its creation. pytest-httpx2 defines the same name, and a second class of it
        # is an error.
        targets = [
            target.replace("httpcore.", "httpcore2.", 1) for target in HTTPCoreMocker.targets
        ]
        type("HTTPCore2Mocker", (HTTPCoreMocker,), {"name": "httpcore2", "targets": targets})
    libraries: list[tuple[str, HttpErrors]] = [("httpcore", httpx), ("httpcore2", httpx2)]
    with ExitStack() as stack:
        for using, errors in libraries:
            router = stack.enter_context(respx.mock(assert_all_called=False, using=using))
            router.route().mock(side_effect=_SideEffect(replier, hosts, errors))
        yield


class _SideEffect:
    """respx's side effect: a request in, a response out.

    Its body plays on the clock of its client. respx takes responses of httpx for both libraries,
    and the request itself for one that may leave.
    """

    def __init__(self, replier: Replier, hosts: Hosts, errors: HttpErrors) -> None:
        self._replier = replier
        self._hosts = hosts
        self._errors = errors

    def __call__(self, request: httpx.Request) -> httpx.Response | httpx.Request:
        if request.url.host in self._hosts.let_through:
            return request
        if request.url.host not in self._hosts.answered:
            answered = ", ".join(sorted(self._hosts.answered))
            where = f"{request.method} {request.url.scheme}://{request.url.host}{request.url.path}"
            raise UnansweredError(f"{where}: not mocked, only {answered} is; nothing was sent")
        path = request.url.raw_path.decode("ascii")
        exchange = self._replier.begin(
            request.method, path, request.headers, request.content, now_s=_now_s()
        )
        reply = exchange.reply
        if reply.status is None:
            exchange.close()
            raise self._errors.ReadError(RESET)
        timeout_s = request.extensions.get("timeout", {}).get("read")
        body = _Body(exchange, timeout_s, self._errors)
        return httpx.Response(reply.status, headers=list(reply.headers), stream=body)


class _Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body for either kind of client: which one it is shows in how it is read."""

    def __init__(
        self, exchange: Exchange, read_timeout_s: float | None, errors: HttpErrors
    ) -> None:
        self._exchange = exchange
        self._waiting = play(exchange, read_timeout_s, errors)
        self._blocking = play_blocking(exchange, read_timeout_s, errors)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._waiting

    async def aclose(self) -> None:
        await self._waiting.aclose()
        self._exchange.close()

    def __iter__(self) -> Iterator[bytes]:
        return self._blocking

    def close(self) -> None:
        self._blocking.close()
        self._exchange.close()


def _now_s() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
