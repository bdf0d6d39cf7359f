"""The longest time that the event loop was held up: whatever holds it up delays every call in
flight, its deadlines and signals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from harness.machine.wall_clock import keeps_real_time

_TICK_S = 0.02


class StallMeter:
    """Wakes up many times a second and looks how late it is. `longest_s` is the worst so far, in
    seconds.

    A process that was stopped, or a machine that was busy with others, shows here as well: the
    calls felt that too.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[StallMeter]:
        """Measure while this is open; on a loop whose clock is not the machine's nothing can be
        measured, nor is.
        """
        if keeps_real_time():
            self._wake_up_later()
        try:
            yield self
        finally:
            if self._timer is not None:
                self._note(self._timer)
                self._timer.cancel()

    def _wake_up_later(self) -> None:
        self._timer = self._loop.call_later(_TICK_S, self._wake_up)

    def _wake_up(self) -> None:
        if self._timer is not None:
            self._note(self._timer)
        self._wake_up_later()

    def _note(self, timer: asyncio.TimerHandle) -> None:
        self.longest_s = max(self.longest_s, self._loop.time() - timer.when())
