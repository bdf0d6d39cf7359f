"""Work that would stall the event loop, done in a worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

import anyio.to_thread

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, abandon: bool = False) -> T:
    """The value of `work`, done beside the loop; a loop whose clock jumps is told that real work is under way.

    Cancellation waits until the work has ended, so what it wrote is whole. With `abandon` it does not wait: for work
    that writes nothing and may never end, such as reading what another process sends.
    """
    with getattr(asyncio.get_running_loop(), "real", nullcontext)():
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=abandon)
