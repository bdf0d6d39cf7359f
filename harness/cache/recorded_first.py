"""A recording that rules over a cache: what it knows is not asked again, and what it does not goes
to the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.domain.completion import Request
from harness.domain.recorded_call import RecordedCall
from harness.ports import Answers, Stored


class RecordedFirst:
    """`harness.ports.Answers` of two: those of the `recording`, then those of the `cache`.

    So a recording is stable: an answer that is in it stays, whatever the cache holds under the same
    key.
    """

    def __init__(self, recording: Answers, cache: Answers) -> None:
        self._recording = recording
        self._cache = cache

    async def get(self, key: str, request: Request) -> Stored | None:
        """See `harness.ports.Answers`."""
        found = await self._recording.get(key, request)
        if found is None:
            return await self._cache.get(key, request)
        return replace(found, recorded=True)

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """See `harness.ports.Answers`."""
        return [*await self._cache.recorded(topic_id), *await self._recording.recorded(topic_id)]
