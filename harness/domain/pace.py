"""Decisions of the limiter, without a clock: how many calls at once, and how many a minute."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from harness.domain.policy import Limits

# Times of a loop's clock are sums of floats: what is this near has come.
_NEAR = 1e-9


RARE = 16
"""A refusal after so many answers is rare: to ask that call again costs less than a smaller window
would.
"""

RESTED = 2 * RARE
"""After so many answers without a refusal, slots rest no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The number of calls that may be in flight, and what was learned about it.

    `size` is what the provider is believed to carry, `opened` how much of it is in use yet. The
    window opens by doubling whenever it was full for `RAMP_S` (a refusal comes at once, an answer
    after seconds, so a full window without refusals is evidence), at the start and after every
    pause: nobody waits long, and the waiting calls do not all go at once.

    A refusal shrinks the size to the number that the provider named, else to the number of calls
    that it still carries. After that it grows with every round of successes, by one call or by a
    sixteenth, but past the size that was refused (`ceiling`) only after a patience that doubles
    with every failed probe, so that a steady limit is touched ever more rarely. `streak` counts
    bursts of refusals without a success between them.

    A refusal within what was carried before (`proved`, by calls later than `proved_after`) is more
    likely a matter of turning round: the provider still counted a call whose answer we had. So the
    window is kept at first, and a slot rests for `turnaround_s` before it is used again; only if
    longer and longer rests do not help, the limit has fallen. One that comes after `RARE` answers
    in a row (`answered`) is neither: to ask that call again costs less than to slow all others
    down. Nor does a rare one by rate cut much.
    """

    maximum: int
    size: float
    opened: float
    full_since: float | None = None
    shrunk_after: int = 0
    ceiling: int | None = None
    patience: int = 4
    successes: int = 0
    streak: int = 0
    proved: int = 0
    proved_after: int = 0
    turnaround_s: float = 0.0
    answered: int = field(default=0, compare=False)

    RAMP_START = 8.0
    RAMP_S = 0.1
    GROWTH = 1 / 16
    MAX_PATIENCE = 256
    RATE_DECREASE = 0.7
    RARE_RATE_DECREASE = 0.9
    MIN_TURNAROUND_S = 0.02
    MAX_TURNAROUND_S = 0.32

    @classmethod
    def opening(cls, maximum: int) -> Window:
        """The window of a run that knows nothing yet."""
        return cls(maximum=maximum, size=float(maximum), opened=cls.RAMP_START)

    @property
    def slots(self) -> int:
        """Calls that may be in flight now."""
        return max(1, int(min(self.size, self.opened)))

    @property
    def is_opening(self) -> bool:
        """Return whether less is in use than is believed to be carried."""
        return self.opened < self.size

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until it opens further if it stays full, or None if it does not."""
        if not self.is_opening or self.full_since is None:
            return None
        return max(0.0, self.full_since + self.RAMP_S - now)

    def seen(self, now: float, *, full: bool) -> Window:
        """The window at this time; `full`: calls wait for a slot, and for nothing else."""
        if not full or not self.is_opening:
            if self.full_since is None:
                return self
            return replace(self, full_since=None)
        if self.full_since is None:
            return replace(self, full_since=now)
        if now - self.full_since < self.RAMP_S - _NEAR:
            return self
        return replace(self, opened=self.opened * 2, full_since=now)

    def paused(self) -> Window:
        """The window as it will be after a rest: it opens again from its start."""
        return replace(self, opened=self.RAMP_START, full_since=None)

    def succeeded(self, number: int = 0, carried: int = 0) -> Window:
        """Return the window after the call of this `number` was answered.

        `carried` calls were in flight together with it, itself included.
        """
        window = self._answered(number, carried)
        if self.is_opening or self.size >= self.maximum:
            return window
        grown = min(float(self.maximum), self.size + max(1 / self.size, self.GROWTH))
        if self.ceiling is None or grown < self.ceiling:
            return replace(window, size=grown)
        if self.successes + 1 < self.patience * self.size:
            return replace(window, successes=self.successes + 1)
        return replace(
            window, size=float(min(self.maximum, self.ceiling)), ceiling=None, successes=0
        )

    def _answered(self, number: int, carried: int) -> Window:
        """Return the window that has counted an answer; most change nothing else."""
        proved = self.proved
        if number > self.proved_after:
            proved = max(carried, proved)
        answered = min(RESTED, self.answered + (carried > 0))
        turnaround_s = 0.0 if answered == RESTED else self.turnaround_s
        if (
            not self.streak
            and proved == self.proved
            and answered == self.answered
            and turnaround_s == self.turnaround_s
        ):
            return self
        return replace(self, streak=0, proved=proved, answered=answered, turnaround_s=turnaround_s)

    def refused(
        self, *, number: int, newest: int, others: int, named: int | None, by_rate: bool
    ) -> Window:
        """Return the window after a 429 for the call of this `number`, while `others` were in
        flight.

        Calls are numbered as they are let go, `newest` is the last so far: a refused call that was
        let go before the last refusal was learned belongs to the same burst. `named` is the limit
        that the refusal names; a call refused within it met others who use the same account, so
        then the name says nothing. `by_rate`: it was about requests or tokens a minute, so the
        calls in flight say nothing; the window is cut by a fixed part, once a burst.

        Example: 64 calls are in flight and the limit falls to 20, which nobody names. The first
        refusal is learned while 20 others go on: the size is 20 from now on, and the ceiling 21.
        The other 43 refusals of the burst may only shrink it further.
        """
        is_fresh = number > self.shrunk_after
        disproved = not by_rate and self._has_carried_more_than(others, named)
        if disproved and not is_fresh:
            return self
        if disproved and self.answered >= RARE:
            return replace(self, answered=0, shrunk_after=newest, streak=self.streak + 1)
        if disproved and self.turnaround_s < self.MAX_TURNAROUND_S:
            longer_s = max(self.MIN_TURNAROUND_S, self.turnaround_s * 4)
            return replace(
                self,
                turnaround_s=longer_s,
                answered=0,
                shrunk_after=newest,
                streak=self.streak + 1,
            )
        size = self._size_after(others, named, is_fresh=is_fresh, by_rate=by_rate)
        window = replace(
            self,
            size=size,
            full_since=None,
            shrunk_after=newest,
            ceiling=None if by_rate else int(size) + 1,
            successes=0,
            proved=min(self.proved, int(size)),
            answered=0,
        )
        if is_fresh:
            window = replace(window, opened=math.inf, streak=self.streak + 1)
            # It had grown past an earlier ceiling to try, and failed: the next try waits longer.
            if self.ceiling is None and not by_rate and not self.is_opening:
                window = replace(window, patience=min(self.MAX_PATIENCE, self.patience * 2))
        if disproved:
            window = replace(window, proved=0, proved_after=newest, turnaround_s=0.0)
        return window

    def _has_carried_more_than(self, others: int, named: int | None) -> bool:
        """Return whether as many calls as these, within the limit that is named, were served
        before.
        """
        limit = self.maximum if named is None else named
        return others < min(self.proved, limit)

    def _size_after(
        self, others: int, named: int | None, *, is_fresh: bool, by_rate: bool
    ) -> float:
        """Return the size after a refusal; a later one of the same burst cuts from the size
        alone.
        """
        current = min(self.size, self.opened) if is_fresh else self.size
        if by_rate:
            if not is_fresh:
                return current
            is_rare = self.answered >= RARE
            return max(1.0, current * (self.RARE_RATE_DECREASE if is_rare else self.RATE_DECREASE))
        carried = others
        if named is not None and current > named:
            carried = named
        return min(current, float(max(1, carried)))


def served_at_once(*, answers: int, shortest_s: float, within_s: float) -> int:
    """Return how many calls a server seems to work on at a time, at least one.

    `answers` came within `within_s` seconds, and a call that does not queue takes `shortest_s`: by
    Little's law (J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9,
    1961) so many are in service on average.
    """
    if within_s <= 0 or not math.isfinite(shortest_s):
        return 1
    return max(1, round(answers * shortest_s / within_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A token bucket that may go into debt.

    A call goes when the level is positive, and its cost is taken then. So a single call that costs
    more than a minute's worth passes, and the ones after it wait. `burst` is a second's worth, at
    least one. The level is in units (requests or tokens), `at` a time of the loop's clock.
    """

    per_minute: float
    level: float
    at: float

    @classmethod
    def full(cls, per_minute: float, now: float = -math.inf) -> Bucket:
        empty = cls(per_minute=per_minute, level=0.0, at=now)
        return replace(empty, level=empty.burst)

    @property
    def burst(self) -> float:
        return max(1.0, self.per_minute / 60)

    def filled(self, now: float) -> Bucket:
        """The bucket at a later time."""
        return Bucket(per_minute=self.per_minute, level=self._level_at(now), at=max(now, self.at))

    def wait_s(self, now: float) -> float:
        """Seconds from `now` until a call may go: until the level is one unit."""
        return max(0.0, (1.0 - self._level_at(now)) * 60 / self.per_minute)

    def taken(self, amount: float) -> Bucket:
        """With this much less; a negative amount gives back."""
        return Bucket(per_minute=self.per_minute, level=self.level - amount, at=self.at)

    def _level_at(self, now: float) -> float:
        return min(self.burst, self.level + max(0.0, now - self.at) * self.per_minute / 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The time of the next call, by requests a minute, tokens a minute, and pauses."""

    requests: Bucket | None = None
    tokens: Bucket | None = None
    open_at: float = -math.inf

    @classmethod
    def of(cls, limits: Limits) -> Pace:
        """The pace of a run that begins, with full buckets."""
        requests = tokens = None
        if limits.requests_per_minute is not None:
            requests = Bucket.full(limits.requests_per_minute)
        if limits.tokens_per_minute is not None:
            tokens = Bucket.full(limits.tokens_per_minute)
        return cls(requests=requests, tokens=tokens)

    def wait_s(self, now: float) -> float:
        """Seconds from `now` until the next call may go."""
        wait_s = max(0.0, self.open_at - now)
        for bucket in (self.requests, self.tokens):
            if bucket is not None:
                wait_s = max(wait_s, bucket.wait_s(now))
        return wait_s if wait_s > _NEAR else 0.0

    def sent(self, now: float, tokens: int) -> Pace:
        """After a call that will likely take so many tokens."""
        pace = self
        if self.requests is not None:
            pace = replace(pace, requests=self.requests.filled(now).taken(1))
        if self.tokens is not None:
            pace = replace(pace, tokens=self.tokens.filled(now).taken(tokens))
        return pace

    def corrected(self, tokens: int, *, requests: int = 0) -> Pace:
        """After learning that so many more were used than was taken; negative numbers give back."""
        changed = self
        if self.tokens is not None and tokens:
            changed = replace(changed, tokens=self.tokens.taken(tokens))
        if self.requests is not None and requests:
            changed = replace(changed, requests=self.requests.taken(requests))
        return changed

    def paused(self, until: float) -> Pace:
        """With no call before this time."""
        return replace(self, open_at=max(self.open_at, until))
