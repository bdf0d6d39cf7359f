"""Looking with patterns of the user's, whatever that costs: one that explodes on a text is
stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

MOST_CPU_S = 2.0
"""CPU seconds for one look. A sensible pattern takes milliseconds for the longest report."""


class TooSlow(Exception):  # noqa: N818 - says what the pattern is
    """It did not come to an end in its time."""


def bounded(look: Callable[[], T], *, most_cpu_s: float = MOST_CPU_S) -> T:
    """Return what `look` returns. Raises TooSlow where it takes longer.

    Backtracking can take longer than the universe has (`(a+)+$` on some forty characters). Python's
    matcher looks for signals while it works, so a timer of this process's own CPU time ends it;
    such a timer takes nothing from others who wait for the clock. Signals reach the main thread
    only: in another one nothing is bounded.
    """
    if threading.current_thread() is not threading.main_thread():
        return look()
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, most_cpu_s)
        try:
            return look()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooSlow
