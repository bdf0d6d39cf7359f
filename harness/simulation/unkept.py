"""The ports behind which a run keeps what it paid for, for a simulated night, of which nothing is
kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.domain.completion import Request
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Span, TopicResult
from harness.ports import Claim, OpenCall, Rejection, Resolution, Stored


class UnkeptCache:
    """A `harness.ports.Cache` in which nothing is ever found, and whose journal is empty whatever
    is noted.
    """

    def __init__(self) -> None:
        self._last = 0

    async def get(self, key: str, request: Request) -> Stored | None:
        """None."""
        return None

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """None."""
        return ()

    async def claim(self, key: str) -> Claim:
        """Every claim is granted."""
        return "taken"

    def release(self, key: str) -> None:
        """There is nothing to give back."""

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """Number it, and forget it."""
        self._last += 1
        return self._last

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """Forget it."""

    async def reject(self, rejection: Rejection) -> None:
        """Forget it."""

    async def spent(self, run_id: str) -> Spent:
        """Nothing."""
        return Spent()

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """None."""
        return ()


class UnkeptResults:
    """A `harness.ports.Results` that nobody will look at."""

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Forget it."""
