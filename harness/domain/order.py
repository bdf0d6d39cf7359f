"""Which of the calls that wait for a place goes next: the oldest topic's, or the one that waited longest."""

from __future__ import annotations


def goes_by_arrival(*, left: int | None, in_flight: int, capped: bool) -> bool:
    """Whether calls go in the order of their arrival, not the oldest topic's first.

    `left` topics are open and no other follows; None: others do. `capped`: money or calls may run out before the work.

    The oldest topic's call goes first, so that topics finish one after another and few are half done whenever a run
    ends. At the end of a batch that order leaves places empty: the last topics still have all of their calls one after
    another before them when the others are through. So once each of the topics left could have a place of its own, they
    advance evenly, and make their last calls side by side. (Those with the longest chain before them first: T. C. Hu,
    "Parallel Sequencing and Assembly Line Problems", Operations Research 9 (1961). How long the chains are nobody
    knows; a topic that waited longest is likely among those that did least.) Any earlier the batch would end hardly
    sooner and most of its topics much later. What is in flight is what is compared, not the limit on it: where the pace
    or the provider lets few calls go, nothing is won by having many topics half done; nor where a budget may end it.
    """
    return left is not None and not capped and left <= in_flight
