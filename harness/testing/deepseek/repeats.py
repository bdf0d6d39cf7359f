"""A count of how often the same content was asked, bounded in size."""

from __future__ import annotations


class Repeats:
    """Counts requests by their content.

    Holds at most `capacity` and forgets what was not asked for longest.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._asked: dict[bytes, int] = {}

    def count(self, digest: bytes) -> int:
        """Return how often this content has been asked, this time included."""
        asked = self._asked[digest] = self._asked.pop(digest, 0) + 1
        if len(self._asked) > self._capacity:
            del self._asked[next(iter(self._asked))]
        return asked
