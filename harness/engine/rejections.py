"""The answers rejected in this session: kept with a mark, and still answers for as long as the
session lasts.
"""

from __future__ import annotations

from harness.domain.call import Call
from harness.ports import Journal, Rejection


class Rejections:
    """The verdicts of one session, which a step tells and the cache's layer asks for.

    Until the session ends all that ask the same get the same answer, so that what was asked after
    it is shared and replayed, too. In a later session the mark keeps the answer from being taken
    for one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._keys: set[str] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    async def add(self, *, key: str, call: Call, owner: str, reason: str, mark: bool) -> None:
        """Note it, and with `mark` durably; `owner` paid for the answer to the call.

        Raises StorageError and CacheError as the journal does.
        """
        self._keys.add(key)
        if mark:
            await self._journal.reject(Rejection(key=key, call=call, owner=owner, reason=reason))
