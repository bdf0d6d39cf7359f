"""The slots of one topic: how many of its calls may be in flight at one endpoint."""

from __future__ import annotations

from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.engine.turns import Turns


class TopicSlots:
    """A fixed number of slots, first come first served: the limit of one workflow run."""

    def __init__(self, number: int, stop: Stop) -> None:
        self._number = number
        self._free = number
        self._stop = stop
        self._turns: Turns[int] = Turns(stop)

    @property
    def unused(self) -> bool:
        return self._free == self._number and not self._turns

    async def acquire(self) -> float:
        """Wait for a slot; returns the seconds that took. Raises RunStopped once the run is
        ending.
        """
        if self._free and not self._turns:
            self._stop.check()
            self._free -= 1
            return 0.0
        started = now()
        await self._turns.take(1, advance=self._advance, give_back=self.release)
        return now() - started

    def release(self) -> None:
        """Give the slot to the one who waits longest, else back."""
        self._free += 1
        self._advance()

    def refuse_all(self) -> None:
        """Have all who wait raise RunStopped."""
        self._turns.refuse_all()

    def _advance(self) -> None:
        while self._free and self._turns.first is not None:
            self._free -= 1
            self._turns.grant()
