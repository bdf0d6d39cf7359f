"""Decisions of the limiter, without a clock of their own: how many calls at once, and how many a minute."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How many calls may be in flight, and what was learned about it.

    Three phases. Until the first refusal the window doubles every `RAMP_S` (a refusal by a provider comes at once, an
    answer after seconds, so time without refusals is evidence). A refusal shrinks it to the number that the provider
    named, else to the number of calls that it still carries. After that it grows by one call a round of successes
    (additive increase), but past the size that was refused (`ceiling`) only after a patience that doubles with every
    failed probe, so that a steady limit is touched ever more rarely.
    """

    maximum: int
    size: float
    ramping: bool = True
    grown_at: float | None = None
    shrunk_at: float = -math.inf
    ceiling: int | None = None
    patience: int = 4
    successes: int = 0

    RAMP_START = 8
    RAMP_S = 0.1
    MAX_PATIENCE = 256
    RATE_DECREASE = 0.7

    @classmethod
    def opening(cls, maximum: int) -> Window:
        """The window of a run that knows nothing yet."""
        return cls(maximum=maximum, size=min(maximum, cls.RAMP_START), ramping=maximum > cls.RAMP_START)

    @property
    def places(self) -> int:
        """Calls that may be in flight now."""
        return max(1, int(self.size))

    def ramped(self, now: float) -> Window:
        """The window at a later time; only the opening ramp moves with time."""
        if not self.ramping:
            return self
        if self.grown_at is None:
            return replace(self, grown_at=now)
        doublings = int((now - self.grown_at) / self.RAMP_S + 1e-9)
        if doublings < 1:
            return self
        size = min(self.maximum, self.size * 2.0 ** min(doublings, 30))
        return replace(self, size=size, ramping=size < self.maximum, grown_at=self.grown_at + doublings * self.RAMP_S)

    def succeeded(self) -> Window:
        """After a call that was answered."""
        if self.ramping or self.size >= self.maximum:
            return self
        if self.ceiling is not None and self.size + 1 / self.size >= self.ceiling:
            if self.successes + 1 < self.patience * self.size:
                return replace(self, successes=self.successes + 1)
            return replace(self, size=float(min(self.maximum, self.ceiling)), ceiling=None, successes=0)
        return replace(self, size=min(self.maximum, self.size + 1 / self.size))

    def refused(self, *, now: float, sent_at: float, others: int, named: int | None, by_rate: bool) -> Window:
        """After a 429 for a call sent at `sent_at`, while `others` were in flight.

        `named` is the limit that the refusal names. `by_rate`: it was about requests or tokens a minute, so the calls
        in flight say nothing; the window is cut by a fixed part, once for all refusals of the same burst.
        """
        if named is not None:
            size = min(self.size, float(max(1, named)))
            ceiling = max(1, named) + 1
        elif by_rate:
            if sent_at <= self.shrunk_at:
                return self
            size = max(1.0, self.size * self.RATE_DECREASE)
            ceiling = None
        else:
            size = min(self.size, float(max(1, others)))
            ceiling = int(size) + 1
        probed = not self.ramping and self.ceiling is None and ceiling is not None and self.size >= ceiling
        return replace(
            self,
            size=size,
            ramping=False,
            shrunk_at=now,
            ceiling=ceiling,
            successes=0,
            patience=min(self.MAX_PATIENCE, self.patience * 2) if probed else self.patience,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A token bucket that may go into debt: a call goes when the level is positive, and its cost is taken then.

    So a single call that costs more than a minute's worth passes, and the ones after it wait. `burst` is a second's
    worth, at least one. The level is in units (requests or tokens), `at` a time of the loop's clock.
    """

    per_minute: float
    level: float
    at: float

    @classmethod
    def full(cls, per_minute: float, now: float) -> Bucket:
        return cls(per_minute=per_minute, level=cls._burst(per_minute), at=now)

    @staticmethod
    def _burst(per_minute: float) -> float:
        return max(1.0, per_minute / 60)

    def filled(self, now: float) -> Bucket:
        level = min(self._burst(self.per_minute), self.level + max(0.0, now - self.at) * self.per_minute / 60)
        return replace(self, level=level, at=max(now, self.at))

    def wait_s(self, need: float) -> float:
        """Seconds until the level reaches `need` (at most the burst), counted from `at`."""
        missing = min(need, self._burst(self.per_minute)) - self.level
        return max(0.0, missing * 60 / self.per_minute)

    def taken(self, amount: float) -> Bucket:
        """With this much less; a negative amount gives back."""
        return replace(self, level=self.level - amount)
