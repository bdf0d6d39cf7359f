"""The explanation of the refusals (429) of a recorded run: a limit of requests at once, named or
shown, or nothing known.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.domain.completion import FailedAttempt
from harness.domain.run import Span
from harness.endpoint.error_mapping import concurrency_limit
from harness.engine.limited import is_about_rate

_ROUNDED_S = 2e-6
"""Rows tell times to the microsecond: what seems to overlap by no more than this came one after
another.
"""


@dataclass(slots=True)
class Flights:
    """The times at which answered requests left and came back, in seconds: 16 bytes each."""

    sent_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))

    def add(self, span: Span) -> None:
        """Take in a call, if it was answered by the provider."""
        if span.served.source == "endpoint" and span.error is None:
            self.add_times(span.end_s - span.served.latency_s + _ROUNDED_S, span.end_s)

    def add_times(self, sent_s: float, ended_s: float) -> None:
        self.sent_s.append(sent_s)
        self.ended_s.append(ended_s)

    def under_way(self, instants_s: Iterable[float]) -> Iterator[int]:
        """Return how many were under way at each of these instants."""
        sent_s, ended_s = sorted(self.sent_s), sorted(self.ended_s)
        return (bisect_right(sent_s, at) - bisect_right(ended_s, at) for at in instants_s)

    def most(self) -> int:
        """The most that were under way at once."""
        return max(self.under_way(self.sent_s), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`limit` is how many requests at once the provider is taken to carry; `named`: it said so
    itself.
    """

    refusals: int
    limit: int | None
    named: bool

    def notes(self) -> Iterator[str]:
        """Say what must be said of it."""
        met = f"the recorded run met {self.refusals:,} refusals (429)"
        if self.limit is not None:
            if self.named:
                how = f"most of which name a limit of {self.limit:,} requests at once"
            else:
                how = (
                    f"which name no limit, and never more than {self.limit:,} requests were"
                    " answered at once"
                )
            yield f"{met}, {how}: that limit is played; --provider-limit N plays another"
        elif self.refusals:
            yield (
                f"{met} that no limit of requests at once explains: each call meets its own again,"
                " under any limit here; --provider-limit N plays a limit in their place"
            )


def shown_limit(learned: Mapping[str, Any], flights: Flights) -> int | None:
    """Return the limit that a run showed; `learned` is what its `run.json` says of the limiter.

    It is what the limiter came to in the end, if it was refused more, and as many requests, and
    never more, were answered at once.
    """
    slots, maximum = learned.get("places"), learned.get("maximum")
    if not learned.get("refusals") or not isinstance(slots, int) or not isinstance(maximum, int):
        return None
    if slots < maximum and slots - 1 <= flights.most() <= slots:
        return slots
    return None


def explained(
    refusals: Sequence[FailedAttempt], *, in_flight: int | None, shown: int | None
) -> Explanation:
    """The limit that most refusals name, else the one that is `shown`, unless they are about what
    is sent in a minute.

    A run with so many calls `in_flight` (None: not known) that was refused below the named limit
    met others who use the same account: that the limit does not explain.
    """
    named = Counter(
        limit for refusal in refusals if (limit := concurrency_limit(refusal.message)) is not None
    )
    limit = named.most_common(1)[0][0] if named else None
    if limit is not None and (in_flight is None or limit < in_flight):
        return Explanation(refusals=len(refusals), limit=limit, named=True)
    about_rate = sum(is_about_rate(refusal.message) for refusal in refusals)
    return Explanation(
        refusals=len(refusals),
        limit=shown if refusals and not named and about_rate * 2 < len(refusals) else None,
        named=False,
    )
