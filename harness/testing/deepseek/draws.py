"""Chance as a function of content.

The same bytes draw the same numbers, in any order and on any machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_UNIT = 1 << 64


def unit(digest: bytes, purpose: str) -> float:
    """A number in [0, 1) for one purpose; other purposes draw independently of it."""
    drawn = hashlib.blake2b(digest, digest_size=8, key=purpose.encode()).digest()
    return int.from_bytes(drawn, "big") / _UNIT


class Draws:
    """A sequence of choices seeded by content.

    Only `random()` is taken from the generator: of all its methods it alone promises the same
    numbers in every version of Python.
    """

    def __init__(self, digest: bytes) -> None:
        self._random = random.Random(digest).random  # noqa: S311 - invented answers, no secrets

    def below(self, bound: int) -> int:
        return int(self._random() * bound)

    def between(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + self.below(high - low + 1)

    def one(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items (all, if there are fewer), in the order of the draw."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]
