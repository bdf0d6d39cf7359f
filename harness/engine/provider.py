"""A run's knowledge of its provider: signs of life, outages, refusals in a row. The decisions are
in `domain`.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from harness.domain.attempt import Attempt
from harness.domain.availability import Availability, Outage
from harness.domain.failures import CompletionError, FatalError, PermanentError
from harness.domain.policy import OutagePolicy
from harness.domain.reach import (
    MOST_SPARED,
    OFTEN_ALONE,
    RECOVERING_SHARE,
    Before,
    Seen,
    is_refusal,
    may_concern_everyone,
    reach_of,
    wording_of,
)
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.errors import Reach
from harness.text.amounts import counted, duration

log = logging.getLogger("harness.limit")

KEPT_OUTAGES = 200
WEATHER_S = 10.0
"""A failure in an outage of at least so many seconds does not count against the call. A shorter one
may be a few calls in a row that each fail by themselves.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageState:
    """An outage that goes on, for display: it has lasted `for_s`, the next probe leaves in
    `next_probe_s`.

    `probes` were sent so far; `kind` and `message` are those of the last failure. `certain` is
    False while there has been one failure only and no probe yet. `patience_s` is how much longer it
    is waited for.
    """

    for_s: float
    next_probe_s: float
    probes: int
    kind: str
    message: str
    certain: bool
    patience_s: float


class Provider:
    """Watches the requests of a run. `changed` is called when an outage has begun or ended.

    `outages` are those that were certain and are over, in their order, with the loop's times.
    `sent` counts requests, and so numbers them. `answered_before`: in an earlier session of the run
    it answered. `name` is the endpoint's where the run has others, and `who` is what messages call
    it.
    """

    def __init__(
        self,
        policy: OutagePolicy,
        stop: Stop,
        rng: random.Random,
        changed: Callable[[], None],
        *,
        answered_before: bool = False,
        name: str | None = None,
    ) -> None:
        self.who = "the provider" if name is None else name
        if name is None:
            self._nothing = "nothing else is sent"
        else:
            self._nothing = f"nothing else is sent to {name}"
        self.outages: list[Outage] = []
        self.policy = policy
        self.sent = 0
        self._stop = stop
        self._rng = rng
        self._changed = changed
        self._belief = Availability(policy=policy)
        self._answered_before = answered_before
        self._answered = 0
        self._recovered = 0
        self._failed = 0
        self._own_words: set[str] = set()
        self._begun = 0
        self._slowest_begin_s = 0.0
        self._life_at: dict[str, float] = {}
        self._served: dict[str, int] = {}
        self._weather_through = 0
        self._down_s = 0.0
        self._alike = _Alike()

    @property
    def is_down(self) -> bool:
        """Return whether nothing but probes may be sent now."""
        return self._belief.outage is not None

    @property
    def is_certainly_down(self) -> bool:
        """Return whether that is more than a suspicion."""
        return self._belief.outage is not None and self._belief.outage.certain

    def down_until(self, at: float) -> float:
        """Return the seconds, in all until then, in which the provider was away."""
        outage = self._belief.outage
        return self._down_s + (at - outage.since if outage is not None else 0.0)

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may be sent."""
        return self._belief.wait_s(at)

    def probe_is_due(self, at: float) -> bool:
        """Return whether the time has come to look again whether the provider answers."""
        return self._belief.outage is not None and at >= self._belief.outage.next_probe_at

    def sends(self, at: float) -> None:
        """Note that a request leaves, as a probe while the provider is away."""
        self.sent += 1
        if self.is_down:
            self._belief = self._belief.probing(at, draw=self._rng.random())

    def state(self) -> OutageState | None:
        """Return the outage that goes on, or None."""
        outage, at = self._belief.outage, now()
        if outage is None:
            return None
        return OutageState(
            for_s=at - outage.since,
            next_probe_s=max(0.0, outage.next_probe_at - at),
            probes=outage.probes,
            kind=outage.kind,
            message=outage.message,
            certain=outage.certain,
            patience_s=max(0.0, self._belief.gives_up_at - at),
        )

    def begun(self, *, owner: str, number: int, after_s: float) -> None:
        """Note the first sign of life for this request of `owner`, so long after it was sent."""
        self._begun += 1
        self._slowest_begin_s = max(self._slowest_begin_s, after_s)
        self.alive(owner=owner, number=number)

    def alive(self, *, owner: str, number: int) -> None:
        """Note that the server showed that it works on this request of `owner`."""
        at, outage = now(), self._belief.outage
        self._note_life(owner, at)
        self._note_served(owner, number)
        self._belief = self._belief.alive(number)
        if outage is not None and self._belief.outage is None:
            self._end_outage(outage, at)
        elif self._belief.wait_s(at) == 0 and outage is not None:
            self._changed()

    def answered(self, before: Before | None = None) -> None:
        """Note that a request was answered; `before`: its call had failed before."""
        self._answered += 1
        if before is not None:
            self._recovered += 1
            self._own_words.discard(before.words)

    def others_lived_within(self, seconds: float, owner: str) -> bool:
        """Return whether there was a sign of life for another call than that of `owner` in the last
        so many seconds.
        """
        return any(now() - at < seconds for other, at in self._life_at.items() if other != owner)

    def is_lost(self, *, sent_at: float, number: int) -> bool:
        """Return whether a streamed request that has been silent since it was sent is taken for
        lost.

        So it is if an outage has come and gone since, and others had begun by then; or if no call
        was heard for far too long. A whole answer may be silent until its end, so this says nothing
        of it.
        """
        silent_s = now() - sent_at
        if number <= self._weather_through and silent_s > self._slowest_begin_s:
            return True
        quiet_s = self.policy.quiet_for_s(self._slowest_begin_s, self._begun)
        if quiet_s is None:
            return False
        last_life_at = max(self._life_at.values(), default=-math.inf)
        return min(silent_s, now() - last_life_at) >= quiet_s

    def failed(
        self,
        error: CompletionError,
        *,
        owner: str,
        key: str,
        sent_at: float,
        number: int,
        before: Before | None,
        probe: bool,
        alone: bool,
    ) -> Reach:
        """Learn from a failure, and return how far it reaches. Ends the run where the patience is
        at its end.

        `key` is that of the request. `before` is what there was at the call's failure before this
        one, None if it is the first.
        """
        at, words = now(), wording_of(error)
        seen = Seen(
            answered=self._answered + self._answered_before,
            alike=self._count_alike(error, key=key, sent_at=sent_at, at=at),
            others_served=before is not None and self._served_others_after(before.sent, owner),
            others_recover=before is not None and self._recover_since(before),
            others_failed=before is not None and self._failed > before.failed,
            alone=before.alone if before is not None and before.words == words else 0,
            worked=self.policy.waits and self._answered > 0,
            known_own=words in self._own_words,
        )
        reach = reach_of(error, seen, alike_at_most=self.policy.alike_at_most)
        self._failed += seen.alone < OFTEN_ALONE
        if isinstance(error, FatalError) or reach == "everyone until someone acts":
            return reach
        if reach == "topic" and may_concern_everyone(error) and seen.worked:
            self._own_words.add(words)
        if reach == "topic" and error.status is not None:
            self.alive(owner=owner, number=number)
        elif self._is_outage(error, reach, probe=probe, alone=alone):
            self._suspect(error, at, probe=probe)
        return reach

    def after(self, error: CompletionError, attempt: Attempt) -> Before:
        """Return what there is to know at the next failure of a call that failed so in this
        attempt.
        """
        words, before = wording_of(error), attempt.before
        if before is not None and before.words == words:
            of_these = before
        else:
            of_these = Before(sent=0)
        by_itself = attempt.reach == "request" and may_concern_everyone(error)
        recover = before is not None and self._recover_since(before)
        return Before(
            sent=self.sent,
            answered=self._answered,
            recovered=self._recovered,
            failed=self._failed,
            words=words,
            alone=of_these.alone + by_itself,
            spared=(0 if before is None else before.spared)
            + (recover and attempt.reach == "everyone for now"),
        )

    def look(self) -> None:
        """Stop the run if the outage has lasted for longer than the patience, or is going to."""
        outage, at = self._belief.outage, now()
        if outage is None:
            return
        if self._belief.asks_too_much:
            asked = duration(outage.next_probe_at - at)
            self._stop.set(
                "provider",
                f"{self.who} asks to be left alone for {asked}, longer than the patience of"
                f" {duration(self.policy.patience_s)} ({outage.message}). Resume after that, or"
                " raise --patience.",
            )
        elif at >= self._belief.gives_up_at:
            self._stop.set(
                "provider",
                f"{self.who} has been away for {duration(at - outage.since)}, "
                f"{counted(outage.probes, 'probe')} failed, the last with: {outage.message}. "
                "Resume when it is back, or raise --patience.",
            )

    @property
    def gives_up_at(self) -> float:
        """The time at which `look` would stop the run; infinite while there is no outage."""
        return self._belief.gives_up_at

    def _is_outage(self, error: CompletionError, reach: Reach, *, probe: bool, alone: bool) -> bool:
        """Return whether a failure speaks for an outage. A 429 while others are in flight is the
        limiter's business.
        """
        if reach != "everyone for now":
            return False
        if error.kind != "rate_limited":
            return True
        asked_s = error.retry_after_s or 0.0
        return probe or alone or self.is_down or asked_s > self.policy.pause_cap_s

    def _suspect(self, error: CompletionError, at: float, *, probe: bool) -> None:
        was_certain = self._belief.outage is not None and self._belief.outage.certain
        asked_s = error.retry_after_s
        if asked_s is not None and 0 < asked_s < math.inf:
            long_asked_s = asked_s
        else:
            long_asked_s = None
        self._belief = self._belief.failed(
            at,
            newest=self.sent,
            kind=error.kind,
            message=str(error),
            probed=probe,
            asked_s=long_asked_s,
            draw=self._rng.random(),
        )
        outage = self._belief.outage
        if outage is None:
            return
        next_s = max(0.0, outage.next_probe_at - at)
        if outage.certain and not was_certain:
            log.warning(
                "%s does not answer, %s; next look in %.0f s: %s",
                self.who,
                self._nothing,
                next_s,
                error,
            )
        elif outage.certain:
            log.info("%s is still away, next look in %.0f s: %s", self.who, next_s, error)
        self.look()
        self._changed()

    def _end_outage(self, outage: Outage, at: float) -> None:
        self._down_s += at - outage.since
        if outage.certain and at - outage.since >= WEATHER_S:
            self._weather_through = self.sent
        if outage.certain:
            log.warning(
                "%s answers again after %s, %s",
                *(self.who, duration(at - outage.since), counted(outage.probes, "probe")),
            )
            self._keep(outage, at)
        self._changed()

    def _keep(self, outage: Outage, until: float) -> None:
        if len(self.outages) == KEPT_OUTAGES:
            del self.outages[0]
        self.outages.append(replace(outage, until=until))

    def _note_life(self, owner: str, at: float) -> None:
        """Keep the last sign of life of two different calls: enough to tell whether another than
        one was heard.
        """
        self._life_at.pop(owner, None)
        self._life_at[owner] = at
        if len(self._life_at) > 2:
            del self._life_at[next(iter(self._life_at))]

    def _note_served(self, owner: str, number: int) -> None:
        """Keep the newest requests of two different calls on which the server showed life."""
        self._served[owner] = max(number, self._served.get(owner, 0))
        if len(self._served) > 2:
            del self._served[min(self._served, key=self._served.__getitem__)]

    def _served_others_after(self, failed_after: int, owner: str) -> bool:
        """Return whether a later request of another call was served than those sent by then. Not if
        it was weather.
        """
        if failed_after <= self._weather_through:
            return False
        return any(
            number > failed_after for other, number in self._served.items() if other != owner
        )

    def _recover_since(self, before: Before) -> bool:
        """Return whether many of those that were answered since then had failed before."""
        if before.spared >= MOST_SPARED:
            return False
        answered, recovered = self._answered - before.answered, self._recovered - before.recovered
        return recovered > 0 and recovered >= RECOVERING_SHARE * answered

    def _count_alike(self, error: CompletionError, *, key: str, sent_at: float, at: float) -> int:
        """Count refusals in the same words in a row: requests, or probes where the same request may
        succeed later.
        """
        permanent = isinstance(error, PermanentError)
        if (
            self._answered
            or self._answered_before
            or not is_refusal(error)
            or not (permanent or self.policy.waits)
        ):
            return 0
        words = wording_of(error)
        if permanent:
            return self._alike.request(words, key)
        return self._alike.probe(words, sent_at=sent_at, at=at)


@dataclass(slots=True)
class _Alike:
    """Counts how often the same words came in a row."""

    words: str = ""
    keys: set[str] = field(default_factory=set)
    probes: int = 0
    last_at: float = -math.inf

    def request(self, words: str, key: str) -> int:
        """Return how many different requests were refused in these words."""
        self._begin(words)
        self.keys.add(key)
        return len(self.keys)

    def probe(self, words: str, *, sent_at: float, at: float) -> int:
        """Return how many requests in turn were; one sent before the last refusal came adds
        nothing.
        """
        self._begin(words)
        if sent_at >= self.last_at:
            self.probes, self.last_at = self.probes + 1, at
        return self.probes

    def _begin(self, words: str) -> None:
        if words != self.words:
            self.words, self.keys, self.probes, self.last_at = words, set(), 0, -math.inf
