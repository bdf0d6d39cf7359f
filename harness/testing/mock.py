"""The fake behind respx: a user's own `AsyncOpenAI` or `OpenAI` is intercepted untouched, and so is plain httpx.

respx patches `httpcore`, on which httpx stands; openai 3 stands on httpx2 and thus on `httpcore2`, so a router is
installed on both. A client with another transport (openai's aiohttp backend) is not seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import httpx2

from harness.testing.deepseek import Exchange, FakeDeepSeek
from harness.testing.playback import RESET, HttpErrors, play, play_blocking

DEEPSEEK_HOST = "api.deepseek.com"


@contextmanager
def mock_deepseek(fake: FakeDeepSeek | None = None, *, host: str = DEEPSEEK_HOST) -> Iterator[FakeDeepSeek]:
    """Answer every request to `host` from the fake (a new one, if none is given), inside this block.

    A request to another host fails with respx's AllMockedAssertionError, so that nothing reaches the network by
    accident. Time passes on the running loop's clock; a synchronous client really waits. Raises ImportError, naming
    the extra to install, where respx is missing.
    """
    fake = fake or FakeDeepSeek()
    with ExitStack() as stack:
        _route_both(fake, host, stack)
        yield fake


def _route_both(fake: FakeDeepSeek, host: str, stack: ExitStack) -> None:
    """Install a router below httpx and one below httpx2, until the stack is closed."""
    try:
        import respx  # noqa: PLC0415 - an extra that only this face needs
        from respx.mocks import HTTPCoreMocker, Mocker  # noqa: PLC0415
    except ImportError as missing:
        raise ImportError("mock_deepseek needs respx: pip install 'reasoning-harness[pytest]'") from missing

    if "httpcore2" not in Mocker.registry:
        # Registered by its creation. pytest-httpx2 defines the same name, and a second class of it is an error.
        targets = [target.replace("httpcore.", "httpcore2.", 1) for target in HTTPCoreMocker.targets]
        type("HTTPCore2Mocker", (HTTPCoreMocker,), {"name": "httpcore2", "targets": targets})

    libraries: list[tuple[str, HttpErrors]] = [("httpcore", httpx), ("httpcore2", httpx2)]
    for using, errors in libraries:
        router = stack.enter_context(respx.mock(assert_all_called=False, using=using))
        router.route(host=host).mock(side_effect=_Door(fake, errors))


class _Door:
    """respx's side effect: a request in, a response out whose body plays on whichever clock its client lives by.

    respx takes responses of httpx for both libraries.
    """

    def __init__(self, fake: FakeDeepSeek, errors: HttpErrors) -> None:
        self._fake = fake
        self._errors = errors

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode("ascii")
        exchange = self._fake.begin(request.method, path, request.headers, request.content, now_s=_now_s())
        reply = exchange.reply
        if reply.status is None:
            exchange.close()
            raise self._errors.ReadError(RESET)
        timeout_s = request.extensions.get("timeout", {}).get("read")
        body = _Body(exchange, timeout_s, self._errors)
        return httpx.Response(reply.status, headers=list(reply.headers), stream=body)


class _Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body for either kind of client: which one it is shows in how it is read."""

    def __init__(self, exchange: Exchange, read_timeout_s: float | None, errors: HttpErrors) -> None:
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
