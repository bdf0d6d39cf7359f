"""The user's decisions about a run: limits, retry, deadlines, cache, budget.

Frozen values and their arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

CacheMode = Literal["off", "read_write", "refresh", "replay"]
Carrier = Literal["aiohttp", "httpx2", "openai"]
Reserve = Literal["strict", "likely"]

LAST_SHARE = 0.1
"""The part of a budget, its last, in which only worst cases are reserved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on what happens at once. None: no such limit.

    `in_flight` bounds calls of the whole run, `per_run` calls of one workflow run, `runs` workflow
    runs open at once (None: as many as `open_runs` says). The per-minute limits count requests as
    they are sent, and tokens as estimated and then corrected. `max_calls_per_topic` and `max_depth`
    (of steps within steps) bound what one workflow run may ask for, whatever a model's answer makes
    it want.
    """

    in_flight: int = 64
    per_run: int = 8
    runs: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_calls_per_topic: int = 200
    max_depth: int = 8

    RUNS_PER_PLACE = 2

    @property
    def open_runs(self) -> int:
        """Workflow runs open at once.

        One for each call in flight fills the slots even where each has a single call to make; as
        many again have not begun when the end of the batch is near, and fill the slots then
        (`domain.order`).
        """
        if self.runs is None:
            return self.RUNS_PER_PLACE * self.in_flight
        return self.runs


def within(run: Limits, one: Limits) -> Limits:
    """The limits of one endpoint within those of its run: no more calls in flight than that has."""
    return replace(one, in_flight=min(one.in_flight, run.in_flight))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds.

    `first_token_s` is the longest silence before the answer begins, when any sign of life ends a
    silence.

    `idle_s` is the longest time between two tokens once it has begun, when only tokens count.
    Neither moves `total_s`.
    """

    connect_s: float = 10.0
    first_token_s: float = 600.0
    idle_s: float = 90.0
    total_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """The use of the cache.

    `read_write`: a fresh entry answers, else the endpoint does and is stored. `refresh`: only what
    this run itself stored answers. `replay`: only the cache answers, a miss is an error. `off`:
    neither read nor stored. `ttl_s`: entries older than this do not answer; None: they never age.
    """

    mode: CacheMode = "read_write"
    ttl_s: float | None = None

    def answers(self, *, age_s: float, owned_by_run: bool) -> bool:
        """Return whether an entry of this age may answer.

        What this very run stored always may, as it was just paid for.
        """
        if self.mode == "off":
            return False
        if self.mode == "replay" or owned_by_run:
            return True
        return self.mode == "read_write" and (self.ttl_s is None or age_s <= self.ttl_s)

    @property
    def stores(self) -> bool:
        return self.mode in ("read_write", "refresh")

    @property
    def waits(self) -> bool:
        """Return whether an answer that another run is asking for would do, and is worth the
        wait.
        """
        return self.answers(age_s=0.0, owned_by_run=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The wait of a call while another process asks for the same answer.

    Looks begin close together, for answers that are almost there, and become rarer. After `total_s`
    the other is taken for stuck.
    """

    first_s: float = 0.05
    longest_s: float = 1.0
    growth: float = 1.5
    total_s: float = 1800.0

    def pause_s(self, *, looks: int, draw: float) -> float:
        """Seconds until the next look, after `looks` in vain; `draw` is uniform in [0, 1)."""
        return min(self.longest_s, self.first_s * self.growth ** min(looks, 64)) * (1 + draw) / 2


EQUAL_FAILURES = 5
"""So many equal failures in a row before any success are a mistake in the settings or the workflow,
not in topics.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutagePolicy:
    """The rules for waiting out an outage of the provider. All times are seconds.

    `patience_s` is how long one outage may last before the run stops; 0: an outage is not waited
    for, and each call has its attempts only. Probes are sent at intervals that double from
    `first_s` to `longest_s`. A server that asks for more than `pause_cap_s` asks for an outage,
    below that for a pause. `alike_at_most` is how many equal refusals in a row, with nothing ever
    answered, end the run (None: no number does).

    `quiet_s`: when nothing has been heard from any call in flight for so long, and for
    `QUIET_FACTOR` times as long as the slowest call so far took to show life, what is in flight is
    taken for lost.
    """

    patience_s: float = 6 * 3600.0
    first_s: float = 1.0
    longest_s: float = 60.0
    pause_cap_s: float = 120.0
    quiet_s: float = 120.0
    alike_at_most: int | None = EQUAL_FAILURES

    QUIET_FACTOR = 5.0
    FEWEST_BEGUN = 5

    @property
    def waits(self) -> bool:
        """Return whether outages are waited for at all."""
        return self.patience_s > 0

    def interval_s(self, *, probes: int, draw: float) -> float:
        """Return the seconds between a probe and the next, after so many.

        `draw` is uniform in [0, 1).
        """
        return min(self.longest_s, self.first_s * 2.0 ** min(probes, 62)) * (1 + draw) / 2

    def quiet_for_s(self, slowest_begin_s: float, begun: int) -> float | None:
        """Return after how long a silence of all calls they are taken for lost.

        None: too little is known.
        """
        if not self.waits or begun < self.FEWEST_BEGUN:
            return None
        return max(self.quiet_s, self.QUIET_FACTOR * slowest_begin_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that may be spent.

    None: no cap. `cost` in USD, `tokens` input and output, `calls` requests sent.
    """

    cost: float | None = None
    tokens: int | None = None
    calls: int | None = None

    @property
    def without_last_tenth(self) -> Budget:
        """Return the budget for reservations below the worst case: all but a tenth."""
        return Budget(
            cost=None if self.cost is None else (1 - LAST_SHARE) * self.cost,
            tokens=None
            if self.tokens is None
            else self.tokens - math.ceil(LAST_SHARE * self.tokens),
            calls=self.calls,
        )

    def allows(self, *, cost: float, tokens: int, calls: int = 0) -> bool:
        """Return whether this much in total stays within the caps."""
        return (
            (self.cost is None or cost <= self.cost)
            and (self.tokens is None or tokens <= self.tokens)
            and (self.calls is None or calls <= self.calls)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The number of attempts after transient failures, and the backoff between them.

    `attempts` counts all requests of one call, the first included. The backoff is exponential with
    full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). What a
    server asks for is obeyed between `floor_s` and `retry_after_cap_s`, with up to a tenth more so
    that the waiting calls do not all return at once.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30.0
    floor_s: float = 0.05
    retry_after_cap_s: float = 120.0

    def delay_s(self, *, attempt: int, retry_after_s: float | None, draw: float) -> float:
        """Seconds to sleep after the failure of `attempt` (1 = the first).

        `draw` is uniform in [0, 1).
        """
        asked_s = self._asked_s(retry_after_s)
        if asked_s is not None:
            return asked_s * (1 + draw / 10)
        return max(self.floor_s, draw * self._backoff_s(attempt))

    def pause_s(self, *, streak: int, retry_after_s: float | None) -> float:
        """Return the seconds of rest for all calls after `streak` refusals in a row (1: the
        first).
        """
        asked_s = self._asked_s(retry_after_s)
        if asked_s is None:
            return self._backoff_s(streak)
        return asked_s

    def _asked_s(self, retry_after_s: float | None) -> float | None:
        """Return the wait that the server asked for, within bounds, or None if it asked for
        none.
        """
        if retry_after_s is None or not retry_after_s > 0:  # NaN is not, either
            return None
        return min(max(retry_after_s, self.floor_s), self.retry_after_cap_s)

    def _backoff_s(self, attempt: int) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 62))
