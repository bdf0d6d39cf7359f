"""The availability of the provider: the begin of an outage, the probes in it, and its end.

A failure that may concern everyone raises a suspicion: nothing more is sent but probes. A sign of
life from a request that was sent after the beginning ends it. One from an older request does not,
because streams that were open before may go on for minutes while new requests are refused; but
while the outage is only suspected, it lets the next probe go at once, so that a single failure
slows nothing down. When probes have failed as well, the outage is certain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.domain.policy import OutagePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which the provider did not answer. Times are the loop's, in seconds.

    `since` is the moment of the first failure, `until` that of the first sign of life after it
    (None: it goes on). `after` is the number of the last request that was sent before it; requests
    are numbered as they are sent. `probes` counts the requests that were sent meanwhile,
    `failed_probes` those of them that failed. `looks` counts those that were sent because it was
    time, and not because an older request showed life: `older_lives` are such signs of life, and
    after one `may_look_now`. `asked_until` is until when the provider asked to be left alone.
    `kind` and `message` are those of the last failure.
    """

    since: float
    after: int
    kind: str
    message: str
    probes: int = 0
    failed_probes: int = 0
    looks: int = 0
    older_lives: int = 0
    may_look_now: bool = False
    next_probe_at: float
    asked_until: float = -math.inf
    certain: bool = False
    until: float | None = None

    @property
    def is_proved_by_probes(self) -> bool:
        """Return whether enough probes failed.

        One if nothing else was heard, else two, and three of four that were sent.
        """
        if self.older_lives == 0:
            return self.failed_probes >= 1
        return self.failed_probes >= 2 and 4 * self.failed_probes >= 3 * self.probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The belief of a run about its provider. `outage` is the one that goes on, or None."""

    policy: OutagePolicy
    outage: Outage | None = None

    def failed(
        self,
        at: float,
        *,
        newest: int,
        kind: str,
        message: str,
        probed: bool,
        asked_s: float | None,
        draw: float,
    ) -> Availability:
        """Return the belief after a failure that concerns everyone.

        `newest` was the last request sent. `probed`: the request was sent as a probe. `asked_s` is
        how long the server asks to be left alone. `draw` is uniform in [0, 1).
        """
        if not self.policy.waits:
            return self
        outage = self.outage
        if outage is None:
            first_at = at + self.policy.interval_s(probes=0, draw=draw)
            outage = Outage(
                since=at, after=newest, kind=kind, message=message, next_probe_at=first_at
            )
        if asked_s is None:
            asked_until = outage.asked_until
        else:
            asked_until = max(outage.asked_until, at + asked_s)
        failed = replace(
            outage,
            kind=kind,
            message=message,
            failed_probes=outage.failed_probes + probed,
            next_probe_at=max(outage.next_probe_at, asked_until),
            asked_until=asked_until,
        )
        certain = failed.certain or failed.is_proved_by_probes or asked_s is not None
        return replace(
            self,
            outage=replace(
                failed, certain=certain, may_look_now=failed.may_look_now and not certain
            ),
        )

    def probing(self, at: float, *, draw: float) -> Availability:
        """Return the belief after a probe was sent.

        The next may follow even if this one stays without an answer.
        """
        outage = self.outage
        if outage is None:
            return self
        probed = replace(outage, probes=outage.probes + 1, may_look_now=False)
        if outage.may_look_now:
            return replace(self, outage=probed)
        looks = outage.looks + 1
        next_at = at + self.policy.interval_s(probes=looks, draw=draw)
        return replace(self, outage=replace(probed, looks=looks, next_probe_at=next_at))

    def alive(self, number: int) -> Availability:
        """Return the belief after a sign of life from the request of this number."""
        outage = self.outage
        if outage is None:
            return self
        if number > outage.after:
            return replace(self, outage=None)
        heard = replace(outage, older_lives=outage.older_lives + 1, may_look_now=not outage.certain)
        return replace(self, outage=heard)

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may be sent; 0.0 while there is no outage."""
        if self.outage is None or self.outage.may_look_now:
            return 0.0
        return max(0.0, self.outage.next_probe_at - at)

    @property
    def gives_up_at(self) -> float:
        """The time at which the patience is at its end; infinite while there is no outage."""
        if self.outage is None:
            return math.inf
        return self.outage.since + self.policy.patience_s

    @property
    def asks_too_much(self) -> bool:
        """Return whether the provider asks for more time than there is patience."""
        return self.outage is not None and self.outage.asked_until > self.gives_up_at
