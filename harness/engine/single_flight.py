"""One flight for equal work: who comes while it is under way waits for it and shares how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from harness.errors import CompletionError

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    landed: anyio.Event = field(default_factory=anyio.Event)
    value: T | None = None
    error: CompletionError | None = None


class SingleFlight(Generic[T]):
    """Work under a key is done once at a time."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def do(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The value of `work`, and whether it was another's.

        A CompletionError is shared too: twenty equal requests that must fail are paid for once. If the one who leads is
        cancelled or stopped, one of those who wait takes over.
        """
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.value is not None:
                return flight.value, True
        flight = self._flights[key] = _Flight()
        try:
            flight.value = await work()
        except CompletionError as error:
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        return flight.value, False
