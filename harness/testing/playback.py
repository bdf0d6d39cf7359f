"""The body of a reply in its own time, for faces that live inside the client's process."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import NamedTuple, Protocol

from harness.testing.deepseek.fake import Exchange

RESET = "Connection reset by peer"


class HttpErrors(Protocol):
    """The exceptions of an HTTP library: `httpx2`, or `httpx`, whose names are the same."""

    @property
    def ReadTimeout(self) -> type[Exception]: ...  # noqa: N802 - the library's name

    @property
    def ReadError(self) -> type[Exception]: ...  # noqa: N802 - the library's name


class _Step(NamedTuple):
    """An event at an instant: bytes arrive, or an error. `due_s` infinite: nothing ever happens."""

    due_s: float
    data: bytes = b""
    error: Exception | None = None


async def play(
    exchange: Exchange, read_timeout_s: float | None, errors: HttpErrors
) -> AsyncGenerator[bytes, None]:
    """Yield the body piece by piece, on the running loop's clock.

    A silence longer than the client's read timeout ends it, as on a socket. Raises the library's
    ReadTimeout and ReadError. The exchange is over on every way out, and complete if the body was.
    """
    loop = asyncio.get_running_loop()
    try:
        for step in _steps(exchange, errors, loop.time()):
            wait_s, in_time = _wait(step.due_s - loop.time(), read_timeout_s)
            if math.isinf(wait_s):
                await loop.create_future()
            await asyncio.sleep(wait_s)
            yield _outcome(step, errors, in_time=in_time)
        exchange.complete()
    finally:
        exchange.close()


def play_blocking(
    exchange: Exchange, read_timeout_s: float | None, errors: HttpErrors
) -> Generator[bytes, None, None]:
    """The same for a synchronous client, which really waits.

    Where such a client would hang for ever, it gets ReadTimeout at once: nothing could end a
    blocked thread.
    """
    try:
        for step in _steps(exchange, errors, time.monotonic()):
            wait_s, in_time = _wait(step.due_s - time.monotonic(), read_timeout_s)
            if math.isinf(wait_s):
                raise errors.ReadTimeout(
                    "The server never answers, and the client has no read timeout"
                )
            if wait_s > 0:
                time.sleep(wait_s)
            yield _outcome(step, errors, in_time=in_time)
        exchange.complete()
    finally:
        exchange.close()


def _steps(exchange: Exchange, errors: HttpErrors, start_s: float) -> Iterator[_Step]:
    due_s = start_s
    for piece in exchange.reply.pieces:
        due_s += piece.delay_s
        yield _Step(due_s, piece.data)
    if exchange.reply.end == "reset":
        yield _Step(due_s, error=errors.ReadError(RESET))
    elif exchange.reply.end == "hang":
        yield _Step(math.inf)


def _wait(silence_s: float, read_timeout_s: float | None) -> tuple[float, bool]:
    """Seconds to wait, and whether what is waited for comes before the client's patience ends."""
    if read_timeout_s is not None and silence_s > read_timeout_s:
        return read_timeout_s, False
    return max(silence_s, 0.0), True


def _outcome(step: _Step, errors: HttpErrors, *, in_time: bool) -> bytes:
    if not in_time:
        raise errors.ReadTimeout("The read operation timed out")
    if step.error is not None:
        raise step.error
    return step.data
