"""Work that would stall the event loop, done in a worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

import anyio.to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")

LARGE = 256 * 1024
"""Characters or bytes from which on encoding, hashing or parsing takes milliseconds."""


async def in_thread(
    work: Callable[[], T], *, abandon: bool = False, limiter: anyio.CapacityLimiter | None = None
) -> T:
    """The value of `work`, done beside the loop; a loop whose clock jumps is told that real work is
    under way.

    Cancellation waits until the work has ended, so what it wrote is whole. With `abandon` it does
    not wait: for work that writes nothing and may never end, such as reading what another process
    sends.
    """
    with getattr(asyncio.get_running_loop(), "real", nullcontext)():
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=abandon, limiter=limiter)


async def off_loop(work: Callable[[], T], size: int) -> T:
    """The value of pure work on something of this size: at once if it is small, beside the loop if
    it is large.

    One large piece at a time: more threads would only take the interpreter's lock from the loop in
    turns.
    """
    if size < LARGE:
        return work()
    return await in_thread(work, limiter=_one_at_a_time())


_limiter: RunVar[anyio.CapacityLimiter] = RunVar("large pieces of work")


def _one_at_a_time() -> anyio.CapacityLimiter:
    """The event loop's own limiter."""
    found = _limiter.get(None)
    if found is None:
        found = anyio.CapacityLimiter(1)
        _limiter.set(found)
    return found
