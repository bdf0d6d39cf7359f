"""The state that the fake keeps between requests, without I/O.

Which requests are admitted, which beginnings of prompts are cached, and how often the same content
was asked.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from typing import Literal

from harness.testing.deepseek.tokens import BYTES_PER_TOKEN


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


class Places:
    """A server that works on `capacity` answers at a time, and queues the others: first come, first
    served.

    How long an answer takes is known when its request comes, so its place in the queue is a time.
    A client that hangs up leaves its place taken until its answer would have been whole.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free_at_s: list[float] = []

    def wait_s(self, now_s: float, *, takes_s: float) -> float:
        """Take a place for an answer that takes so long; returns the seconds until it is free.

        Requests must come in the order of time.
        """
        begins_s = now_s
        if len(self._free_at_s) == self._capacity:
            begins_s = max(now_s, heapq.heappop(self._free_at_s))
        heapq.heappush(self._free_at_s, begins_s + takes_s)
        return begins_s - now_s


BLOCK_TOKENS = 128
_BLOCK_BYTES = BLOCK_TOKENS * BYTES_PER_TOKEN


class PrefixCache:
    """The beginnings of prompts that have been seen; one `user_id` does not share with another.

    Holds at most `capacity` blocks and forgets the oldest first, so a long batch does not grow it.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._seen: dict[bytes, None] = {}

    def hit_tokens(self, prompt: bytes, user_id: str) -> int:
        """Return the number of cached tokens of this prompt: a multiple of 128, and never more than
        the prompt has.
        """
        hit = 0
        for block in _blocks(prompt, user_id):
            if block not in self._seen:
                break
            hit += BLOCK_TOKENS
        return hit

    def learn(self, text: bytes, user_id: str) -> None:
        """Keep the whole blocks of a conversation that has been completed."""
        for block in _blocks(text, user_id):
            self._seen.pop(block, None)
            self._seen[block] = None
        while len(self._seen) > self._capacity:
            del self._seen[next(iter(self._seen))]


def _blocks(text: bytes, user_id: str) -> list[bytes]:
    """One digest for each whole block, of everything up to its end."""
    running = hashlib.blake2b(user_id.encode("utf-8", "replace") + b"\0", digest_size=8)
    digests = []
    for start in range(0, len(text) - _BLOCK_BYTES + 1, _BLOCK_BYTES):
        running.update(text[start : start + _BLOCK_BYTES])
        digests.append(running.copy().digest())
    return digests


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
