"""One flight for equal work: who comes while it is under way waits for it and shares what it
brings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    """Work under way. `landed` is there once somebody waits for it, which is rare."""

    landed: asyncio.Event | None = None
    value: T | None = None


class SingleFlight(Generic[T]):
    """Work under a key is done once at a time."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def do(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The value of `work`, and whether it was another's.

        Only values are shared: if the work of the one who leads raises, or is cancelled, one of
        those who wait takes over and does its own.
        """
        while (flight := self._flights.get(key)) is not None:
            if flight.landed is None:
                flight.landed = asyncio.Event()
            await flight.landed.wait()
            if flight.value is not None:
                return flight.value, True
        flight = self._flights[key] = _Flight()
        try:
            value = flight.value = await work()
        finally:
            del self._flights[key]
            if flight.landed is not None:
                flight.landed.set()
        return value, False
