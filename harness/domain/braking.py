"""The cost of reservations in time: how long they kept slots free, and a budget that keeps none.

While calls wait for money and fewer calls hold money than there are slots, the rest of the slots
stand free for it. The time of that, by the share of slots that stood free, is how much longer the
run took: at half the slots free, half of the time is lost. Where as many calls hold money as there
are slots, nothing is lost, however many wait.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class Braking:
    """`lost_s` seconds of a session were lost to reservations so far, all slots taken together.

    `short_s` are the seconds for which there was not enough money for a call that wanted it,
    whatever else held it up. `wanted_cost` is the most, in USD, that calls would have held at one
    time had nobody waited for money; `wanted_tokens` is the same in tokens. Both are 0 where
    nothing was lost.
    """

    lost_s: float = 0.0
    short_s: float = 0.0
    wanted_cost: float = 0.0
    wanted_tokens: int = 0
    _since_s: float = 0.0
    _share: float = 0.0
    _is_short: bool = False

    def went_on(self, at_s: float) -> None:
        """Count the time until now; to be told before anything changes."""
        went_s = max(0.0, at_s - self._since_s)
        self.lost_s += self._share * went_s
        if self._is_short:
            self.short_s += went_s
        self._since_s = at_s

    def stands(self, at_s: float, *, waiting: int, holding: int, slots: int) -> int:
        """So many calls wait for money and can be in flight with what they hold, from now on.

        Returns the number of slots that stand free for want of money. Without `slots` it is 0.
        """
        self.went_on(at_s)
        self._is_short = waiting > 0
        free = max(0, min(waiting, slots - holding))
        self._share = free / slots if free else 0.0
        return free

    def wanted(self, *, cost: float, tokens: int) -> None:
        """Calls would hold as much as this if nobody had to wait."""
        self.wanted_cost = max(self.wanted_cost, cost)
        self.wanted_tokens = max(self.wanted_tokens, tokens)


class Held(NamedTuple):
    """A call in a rehearsal: its times, what is held for it meanwhile, and what it cost in the
    end.
    """

    from_s: float
    until_s: float
    held: float
    cost: float


def most_ahead(calls: Sequence[Held]) -> float:
    """Return the most by which what is spent and held passes the cost of all these calls.

    A budget larger by that than the cost keeps no call waiting.
    """
    # What ends at a moment (0) gives its money back before the next (1) takes it.
    changes: list[tuple[float, int, float]] = []
    for call in calls:
        changes.append((call.from_s, 1, call.held))
        changes.append((call.until_s, 0, call.cost - call.held))
    ahead = -math.fsum(call.cost for call in calls)
    most = 0.0
    for _, _, change in sorted(changes):
        ahead += change
        most = max(most, ahead)
    return most


def most_at_once(calls: Sequence[Held]) -> int:
    """The largest number of these calls that were at work at one time."""
    changes: list[tuple[float, int]] = []
    for call in calls:
        changes.append((call.from_s, 1))
        changes.append((call.until_s, -1))
    number = most = 0
    for _, change in sorted(changes):
        number += change
        most = max(most, number)
    return most


def slowdown(budget: float, *, cost: float, held: float, slots: int) -> float | None:
    """Return the factor by which a budget makes work longer, where each call reserves `held` of it.

    What is left of the budget pays for as many calls at a time as it holds reservations. Work goes
    on evenly, so the time is the integral over what is spent. None: the last calls do not fit, so
    the run ends before its work does.
    """
    left = budget - cost
    if left < held:
        return None
    if held <= 0:
        return 1.0
    # Until this much is spent, there is money for every slot.
    free_until = min(max(budget - held * slots, 0.0), cost)
    if free_until >= cost:
        return 1.0
    return (free_until + held * slots * math.log((budget - free_until) / left)) / cost
