"""The calls in flight of a whole run, over all of its endpoints."""

from __future__ import annotations

import math
from typing import Protocol

from harness.domain.sharing import may_take


class Member(Protocol):
    """One endpoint's calls: how many are in flight, how many could be, and who waits."""

    @property
    def in_flight(self) -> int: ...

    @property
    def most(self) -> int: ...

    @property
    def next_rank(self) -> float:
        """The rank of who goes next, the lower the sooner; infinite where nobody waits."""
        ...

    def advance(self) -> None:
        """Let all go who can go now."""
        ...


class Room:
    """So many slots for calls in flight in all. What each endpoint may have of them is decided in
    `domain.sharing`.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._members: list[Member] = []

    @property
    def in_flight(self) -> int:
        """Calls that have a slot now, at whichever endpoint."""
        return sum(member.in_flight for member in self._members)

    def join(self, member: Member) -> None:
        """Have an endpoint share these slots."""
        self._members.append(member)

    def is_full_for(self, member: Member) -> bool:
        """Return whether this endpoint may have no other slot now."""
        taken = [one.in_flight for one in self._members]
        most = [one.most for one in self._members]
        return not may_take(self._members.index(member), taken=taken, most=most, slots=self.slots)

    def freed(self, *, by: Member, rests: bool = False) -> None:
        """Have the endpoints look again, for a slot is free: that of the oldest topic's call
        first.

        `rests`: it is free for the others, and not yet for the one that had it.
        """

        def turn(member: Member) -> tuple[float, int]:
            return member.next_rank, member.in_flight

        for member in sorted(self._members, key=turn):
            looks = not rests if member is by else member.next_rank < math.inf
            if looks:
                member.advance()
