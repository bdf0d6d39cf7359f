"""Whether the provider answers: when an outage begins, when to look again, and when it is over.

A failure that may concern everyone raises a suspicion: nothing more is sent but a probe. Any sign of life ends a
suspicion. When a probe has failed as well, the outage is certain, and only a sign of life from a request that was sent
after its beginning ends it: streams that were open before may go on for minutes while new requests are refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.domain.policy import OutagePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which the provider did not answer. Times are the loop's, in seconds.

    `since` is the moment of the first failure, `until` that of the first sign of life after it (None: it goes on).
    `probes` counts the requests that were sent meanwhile. `asked_until` is until when the provider asked to be left
    alone. `kind` and `message` are those of the last failure.
    """

    since: float
    kind: str
    message: str
    probes: int = 0
    next_probe_at: float
    asked_until: float = -math.inf
    certain: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What a run believes about its provider. `outage` is the one that goes on, or None."""

    policy: OutagePolicy
    outage: Outage | None = None

    def failed(
        self, at: float, *, kind: str, message: str, probed: bool, asked_s: float | None, draw: float
    ) -> Availability:
        """Return the belief after a failure that concerns everyone.

        `probed`: the request was sent as a probe, or nothing else was in flight. `asked_s` is how long the server asks
        to be left alone. `draw` is uniform in [0, 1).
        """
        if not self.policy.waits:
            return self
        outage = self.outage
        if outage is None:
            first_at = at + self.policy.interval_s(probes=0, draw=draw)
            outage = Outage(since=at, kind=kind, message=message, next_probe_at=first_at)
        asked_until = outage.asked_until if asked_s is None else max(outage.asked_until, at + asked_s)
        failed = replace(
            outage,
            kind=kind,
            message=message,
            next_probe_at=max(outage.next_probe_at, asked_until),
            asked_until=asked_until,
            certain=outage.certain or probed or asked_s is not None,
        )
        return replace(self, outage=failed)

    def probing(self, at: float, *, draw: float) -> Availability:
        """Return the belief after a probe was sent. The next may follow even if this one stays without an answer."""
        outage = self.outage
        if outage is None:
            return self
        probes = outage.probes + 1
        next_at = at + self.policy.interval_s(probes=probes, draw=draw)
        return replace(self, outage=replace(outage, probes=probes, next_probe_at=next_at))

    def ended_by(self, *, sent_at: float) -> bool:
        """Return whether a sign of life from a request that was sent then ends the outage."""
        outage = self.outage
        return outage is not None and (not outage.certain or sent_at > outage.since)

    def over(self) -> Availability:
        """Return the belief once the outage has ended."""
        return replace(self, outage=None)

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may be sent; 0.0 while there is no outage."""
        return 0.0 if self.outage is None else max(0.0, self.outage.next_probe_at - at)

    @property
    def gives_up_at(self) -> float:
        """The time at which the patience is at its end; infinite while there is no outage."""
        return math.inf if self.outage is None else self.outage.since + self.policy.patience_s

    @property
    def asks_too_much(self) -> bool:
        """Whether the provider asks for more time than there is patience."""
        return self.outage is not None and self.outage.asked_until > self.gives_up_at
