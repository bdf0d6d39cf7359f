"""The lower bound on the time of a batch: from its work, its critical path, and the limits in
force.

No schedule with p slots is faster than the work divided by p, nor faster than the longest chain of
calls that need each other's answers: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies",
SIAM Journal on Applied Mathematics 17 (1969); R. P. Brent, "The Parallel Evaluation of General
Arithmetic Expressions", Journal of the ACM 21 (1974). Nor is one faster than requests and tokens
per minute let it be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.domain.policy import Limits
from harness.domain.waits import Waits
from harness.timing.shape import Timed, longest_chain_s

BoundBy = Literal["work", "critical path", "pace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTimes(Waits):
    """An attempt that failed: its waits, how long it took, and the sleep that followed, in
    seconds.
    """

    elapsed_s: float = 0.0
    backoff_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimes(Waits):
    """The times of a call: wanted, ended, and all in between, in seconds from the start of the
    session.

    `id` is its path in the topic's tree. `service_s` is the attempt that brought the answer,
    `provider_queue_s` how much longer the provider took over it than it would have alone; a hit and
    a call that failed have neither. `before` are the attempts that failed, in order; the waits are
    those of all attempts. `tokens` are those that the provider counted. `sent`: it went to the
    provider.
    """

    topic_id: str
    id: str
    step: str
    start_s: float
    end_s: float
    service_s: float
    provider_queue_s: float = 0.0
    before: tuple[FailedTimes, ...] = ()
    tokens: int = 0
    sent: bool = True

    @property
    def left_s(self) -> float:
        """The latest moment at which the attempt that brought the answer left: time to store it is
        not told apart.
        """
        return self.end_s - self.service_s - self.provider_queue_s

    def slowed(self, factor: float) -> CallTimes:
        """Return the same times of a slow provider: it took `factor` (1 or more) times as long as
        it would alone.
        """
        alone_s = self.service_s / max(1.0, factor)
        return replace(self, service_s=alone_s, provider_queue_s=self.service_s - alone_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The least time in which the calls could have been made, in seconds, and each of what it is
    the greatest of.
    """

    work_s: float
    critical_path_s: float
    pace_s: float
    in_flight: int

    @property
    def shared_work_s(self) -> float:
        """The work, evenly on all slots."""
        return self.work_s / self.in_flight

    @property
    def seconds(self) -> float:
        return max(self.shared_work_s, self.critical_path_s, self.pace_s)

    @property
    def by(self) -> BoundBy:
        """The part of the bound that no schedule could have avoided."""
        if self.shared_work_s >= max(self.critical_path_s, self.pace_s):
            return "work"
        if self.critical_path_s >= self.pace_s:
            return "critical path"
        return "pace"

    def efficiency(self, wall_s: float) -> float | None:
        """The share of the wall time that could not have been avoided: at most 1. None for no time
        at all.
        """
        if wall_s > 0:
            return min(1.0, self.seconds / wall_s)
        return None


def bound_of(calls: Sequence[CallTimes], limits: Limits) -> Bound:
    """Return the lower bound on the wall time of these calls.

    Slots are the calls in flight in all; the limits on runs and on calls of one run are no part of
    it, so what they cost shows as a loss.
    """
    topics: dict[str, list[CallTimes]] = {}
    for call in calls:
        topics.setdefault(call.topic_id, []).append(call)
    return Bound(
        work_s=work_s(calls),
        critical_path_s=max((critical_path_s(topic) for topic in topics.values()), default=0.0),
        pace_s=pace_s(calls, limits),
        in_flight=limits.in_flight,
    )


def work_s(calls: Iterable[CallTimes]) -> float:
    """Return T1: the time of the calls one after another, nothing but their own service counted."""
    # Not `sum`: its last digit is another one from Python 3.12 on.
    return math.fsum(call.service_s for call in calls)


def critical_path_s(calls: Sequence[CallTimes]) -> float:
    """Return T∞ of one topic: its longest chain of calls that needed each other's answers, as far
    as a record can tell.

    Which call waited for which is said by `timing.shape`. The chain is never longer than the topic
    took.
    """
    timed = []
    for call in calls:
        path = tuple(call.id.split("/")[:-1])
        timed.append(Timed(path=path, start_s=call.start_s, end_s=call.end_s))
    return longest_chain_s(timed, [call.service_s for call in calls])


def pace_s(calls: Sequence[CallTimes], limits: Limits) -> float:
    """Return the seconds before which the last of the calls cannot have left, by requests and
    tokens per minute.
    """
    sent = [call for call in calls if call.sent]
    last_left_s = max((call.left_s for call in sent), default=0.0)
    return pace_floor_s([call.tokens for call in sent], limits, last_left_s=last_left_s)


def pace_floor_s(tokens: Sequence[int], limits: Limits, *, last_left_s: float) -> float:
    """Return the same for calls of which only their tokens and when the last one left are known.

    Requests and tokens begin with a second's worth in hand. A call leaves when those before it are
    within the pace, so the tokens of one call, at best the largest, do not count. What a call in
    flight will have used is a guess: where the guess was low and the last call left before, the
    floor is when it left.
    """
    floors = [0.0]
    if limits.requests_per_minute is not None:
        floors.append(_floor_s(len(tokens), limits.requests_per_minute))
    if limits.tokens_per_minute is not None:
        before_the_last = sum(tokens) - max(tokens, default=0)
        floors.append(min(last_left_s, _floor_s(before_the_last, limits.tokens_per_minute)))
    return max(floors)


def _floor_s(amount: int, per_minute: int) -> float:
    return (amount - max(1.0, per_minute / 60)) * 60 / per_minute
