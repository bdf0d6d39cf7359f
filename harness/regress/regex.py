"""Searching with a pattern of the user's, whatever it costs: a pattern that explodes on a text is stopped."""

from __future__ import annotations

import re
import signal
import threading
from types import FrameType

MOST_CPU_S = 2.0
"""CPU seconds for one search. A sensible pattern takes milliseconds for the longest report."""


class TooSlow(Exception):  # noqa: N818 - says what the pattern is
    """The pattern did not come to an end on this text."""


def search(pattern: re.Pattern[str], text: str, *, most_cpu_s: float = MOST_CPU_S) -> str | None:
    """What the pattern finds first. Raises TooSlow.

    Backtracking can take longer than the universe has (`(a+)+$` on some forty characters). Python's matcher looks for
    signals while it works, so a timer of this process's own CPU time ends it; such a timer takes nothing from others
    who wait for the clock. Signals reach the main thread only: in another one a search is not bounded.
    """
    if threading.current_thread() is not threading.main_thread():
        return _found(pattern, text)
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, most_cpu_s)
        try:
            return _found(pattern, text)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[0] if match is not None else None


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooSlow
