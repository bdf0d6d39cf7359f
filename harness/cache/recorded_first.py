"""A recording that rules over a cache: what it knows is not asked again, and what it does not goes
to the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.domain.completion import Request
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.ports import Cache, Claim, OpenCall, Rejection, Resolution, Stored


class RecordedFirst:
    """A `harness.ports.Cache` over two: `recording` answers first and is never written to; `cache`
    does all else.

    So a recording is stable: an answer that is in it stays, whatever the cache holds under the same
    key.
    """

    def __init__(self, recording: Cache, cache: Cache) -> None:
        self._recording = recording
        self._cache = cache

    async def get(self, key: str, request: Request) -> Stored | None:
        """See `harness.ports.Cache`."""
        found = await self._recording.get(key, request)
        return (
            await self._cache.get(key, request) if found is None else replace(found, recorded=True)
        )

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """See `harness.ports.Cache`."""
        return [*await self._cache.recorded(topic_id), *await self._recording.recorded(topic_id)]

    async def claim(self, key: str) -> Claim:
        """See `harness.ports.Cache`."""
        return await self._cache.claim(key)

    def release(self, key: str) -> None:
        """See `harness.ports.Cache`."""
        self._cache.release(key)

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """See `harness.ports.Cache`."""
        return await self._cache.open_call(request, entry)

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """See `harness.ports.Cache`."""
        await self._cache.resolve(number, resolution)

    async def reject(self, rejection: Rejection) -> None:
        """See `harness.ports.Cache`. An answer of the recording stays as it is."""
        await self._cache.reject(rejection)

    async def spent(self, run_id: str) -> Spent:
        """See `harness.ports.Cache`."""
        return await self._cache.spent(run_id)

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """See `harness.ports.Cache`."""
        return await self._cache.left_open(run_id)
