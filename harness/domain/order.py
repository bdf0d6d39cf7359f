"""The order of the calls that wait for a slot: by the oldest topic, or by the longest wait."""

from __future__ import annotations

NEAR_THE_END = 1.5
"""Topics left for each call in flight when the end of a batch is near.

With one for each the oldest of them are almost through, and too few others are left to fill the
last slots. With two a batch ends hardly sooner, and half of its topics much later.
"""


def goes_by_arrival(*, left: int | None, in_flight: int, capped: bool) -> bool:
    """Return whether calls go in the order of their arrival, and not the oldest topic's first.

    `left` topics are open and no other follows; None: others do. `capped`: a budget may end the run
    before its work.

    The oldest first lets topics finish one after another, so that few are half done whenever a run
    ends. But it leaves slots empty at the end of a batch: its last topics still have all of their
    calls, one after another, before them when the others are through. By arrival those that are
    left advance evenly and make their last calls side by side. It is "highest level first" (T. C.
    Hu, "Parallel Sequencing and Assembly Line Problems", Operations Research 9, 1961) for chains of
    unknown length: who waited longest is likely among those who did least.

    Calls that are in flight are compared, not those that may be: where the pace or the provider
    lets few go, many topics half done would bring nothing.
    """
    return left is not None and not capped and left <= NEAR_THE_END * in_flight
