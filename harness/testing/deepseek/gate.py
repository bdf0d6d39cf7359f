"""Admission of requests: the limit of calls at once and the limit of requests a minute.

State without I/O.
"""

from __future__ import annotations

from collections import deque
from typing import Literal


class Gate:
    """Counts what is in flight, and what was sent in the last minute.

    Either limit may be None: there is none.
    """

    def __init__(self, *, concurrency: int | None, rpm: int | None) -> None:
        self.concurrency = concurrency
        self.rpm = rpm
        self.in_flight = 0
        self.most_in_flight = 0
        self._sent_s: deque[float] = deque()

    def enter(self, now_s: float) -> Literal["concurrency", "rpm"] | None:
        """Take a slot, or say which limit forbids it. A refused request takes nothing."""
        if self.concurrency is not None and self.in_flight >= self.concurrency:
            return "concurrency"
        if self.rpm is not None:
            while self._sent_s and self._sent_s[0] <= now_s - 60:
                self._sent_s.popleft()
            if len(self._sent_s) >= self.rpm:
                return "rpm"
            self._sent_s.append(now_s)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return None

    def leave(self) -> None:
        self.in_flight -= 1
