"""The wall clock of this machine."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

_SAME_CLOCK_S = 1.0


class SystemClock:
    """Stamps from the operating system, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def keeps_real_time() -> bool:
    """Return whether the running event loop's clock is the machine's: on virtual time nobody else
    can look on.
    """
    return abs(asyncio.get_running_loop().time() - time.monotonic()) < _SAME_CLOCK_S
