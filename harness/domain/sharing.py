"""The shares of a run's endpoints in its calls in flight."""

from __future__ import annotations

from collections.abc import Sequence

KEPT_PARTS = 2
"""Each endpoint is kept this part of an even share: half of it, so that one that is busy can have
more than half of all slots, and one that hangs cannot have them all.
"""


def may_take(mine: int, *, taken: Sequence[int], most: Sequence[int], slots: int) -> bool:
    """Return whether the endpoint of this number may have one more of the run's slots.

    `slots` is how many calls of the run may be in flight. `taken` is how many each has now, `most`
    how many each could ever use. What the others are kept and do not use stays free for them. Where
    there is less than one slot for each, none is kept: they take turns.
    """
    share = slots // (KEPT_PARTS * len(taken))
    kept = 0
    for number, (has, could_use) in enumerate(zip(taken, most, strict=True)):
        if number != mine:
            kept += max(0, min(share, could_use) - has)
    return slots - sum(taken) > kept
