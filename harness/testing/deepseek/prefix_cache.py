"""DeepSeek's prefix cache, as measured: whole blocks of 128 tokens from the start, kept when a
request completes.
"""

from __future__ import annotations

import hashlib

from harness.testing.deepseek.tokens import BYTES_PER_TOKEN

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
