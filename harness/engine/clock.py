"""The clock of all durations: the running event loop's, which tests make jump."""

from __future__ import annotations

import asyncio


def now() -> float:
    """Seconds, monotonic. As `anyio.current_time()`, without its search for the backend on every
    call.
    """
    return asyncio.get_running_loop().time()
