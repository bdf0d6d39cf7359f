"""The time between the lower bound and the wall, laid to its causes; they add up to the whole.

At each instant the slots for calls are either busy with useful work or not. The time of those that
are not, divided by the number of slots, is what the batch lost against its work shared evenly. So
each instant is laid to what kept slots from useful work: first to what held a slot in vain, then,
for free slots, to what the calls and topics that could have used them were waiting for. (Idleness
laid to those who cause it: N. R. Tallent and J. M. Mellor-Crummey, "Effective performance
measurement and analysis of multithreaded applications", PPoPP 2009.) What no schedule could have
avoided, because the bound is higher than the work shared evenly, is taken off again: off the order
of the calls where the critical path is the bound, off the pace where that is, and the rest off all
alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from harness.domain.policy import Limits
from harness.domain.waits import AWAY, BACKOFF, HELD, IN_ORDER, WAITS, Waits
from harness.timing.bounds import Bound, CallTimes

Cause: TypeAlias = str

_LOST = {wait.cause: wait.lost for wait in (*WAITS, BACKOFF) if wait.lost}
# The order is that of the columns of a benchmark's report.
CAUSES: Mapping[Cause, str] = {
    "in_flight": _LOST["in_flight"],
    "per_run": _LOST["per_run"],
    "runs": "topics that waited for the limit on topics worked on at once",
    **_LOST,
    "attempts": "attempts that failed and were repeated",
    "provider": "the provider's queue: answers that took longer than they do alone",
    "own_code": "our own code: storing, starting topics, the workflow between its calls",
    "order": "the order of the calls and the end of the batch: nothing else could be asked yet",
}
"""Every cause, in words."""

RARE_CAUSES = frozenset(wait.cause for wait in WAITS if wait.is_sparse)
"""Causes that most runs never meet."""

State: TypeAlias = str
"""The state of a call: `working`, `attempts`, `probing`, `provider`, `storing`, the cause of a wait,
`between`; or of a topic: `open`, `begun`.
"""

_HOLDING: Mapping[State, Cause] = {
    "attempts": "attempts", "probing": AWAY[0].cause, "provider": "provider", "storing": "own_code",
}  # fmt: skip
_WAITING: Mapping[State, Cause] = {
    **{wait.cause: wait.cause for wait in (*HELD, BACKOFF)}, "between": "own_code",
}  # fmt: skip
Event: TypeAlias = tuple[float, State, int]
"""A change at a time: so many more calls or topics are in a state, or fewer."""

_TOLD_S = 1e-4
"""A shorter time may be a rounding error: records have times to the microsecond."""


def losses_of(
    calls: Sequence[CallTimes], wall_s: float, bound: Bound, limits: Limits
) -> dict[Cause, float]:
    """Return the seconds lost by cause; they add up to `wall_s` minus the bound, and none is
    negative.

    Times before the first call and after the last one are our own code's.
    """
    events = sorted(events_of(calls), key=itemgetter(0))
    return losses_in(events, len({call.topic_id for call in calls}), wall_s, bound, limits)


def losses_in(
    events: Iterable[Event], topics: int, wall_s: float, bound: Bound, limits: Limits
) -> dict[Cause, float]:
    """Return the same of so many topics whose events are known, in the order of time."""
    idle = _idle_s(events, topics, wall_s, limits)
    lost_s = max(0.0, wall_s - bound.seconds)
    return _without_the_unavoidable(idle, math.fsum(idle.values()) - lost_s, bound)


def _idle_s(
    events: Iterable[Event], topics: int, wall_s: float, limits: Limits
) -> dict[Cause, float]:
    """Return the seconds of all slots without useful work, divided by their number, by cause."""
    idle: dict[Cause, float] = dict.fromkeys(CAUSES, 0.0)
    now: dict[State, int] = {}
    whole = merge(events, [(0.0, "open", 0), (wall_s, "open", 0)], key=itemgetter(0))
    at_s = 0.0
    for time_s, group in groupby(whole, key=itemgetter(0)):
        until_s = min(max(time_s, 0.0), wall_s)
        if until_s > at_s:
            for cause, share in _shares(now, limits, topics):
                idle[cause] += share * (until_s - at_s)
            at_s = until_s
        for _, state, change in group:
            now[state] = now.get(state, 0) + change
    return idle


def _shares(now: Mapping[State, int], limits: Limits, topics: int) -> Iterator[tuple[Cause, float]]:
    """Yield the share of all slots that each cause keeps from useful work, in this state of
    things.
    """
    slots = limits.in_flight
    free = max(0, slots - now.get("working", 0))
    for state, cause in _HOLDING.items():
        held = min(free, now.get(state, 0))
        free -= held
        if held:
            yield cause, held / slots
    if not free:
        return
    wanted: dict[Cause, int] = {cause: now.get(state, 0) for state, cause in _WAITING.items()}
    starting: Cause = "own_code"
    if now.get("open", 0) >= limits.open_runs:
        starting = "runs"
    wanted[starting] = wanted.get(starting, 0) + min(free, topics - now.get("begun", 0))
    if not any(wanted.values()):
        # Nobody could use a free slot: what holds the others up is what their answers are waited
        # for.
        wanted = {cause: now.get(state, 0) for state, cause in _HOLDING.items()}
        wanted["order"] = now.get("working", 0)
    if not any(wanted.values()):
        wanted = {"own_code": 1}
    whole = sum(wanted.values())
    for cause, number in wanted.items():
        if number:
            yield cause, free / slots * number / whole


def events_of(calls: Sequence[CallTimes]) -> Iterator[Event]:
    """Yield the changes of calls and of their topics, in no order. All calls of a topic belong
    together.
    """
    topics: dict[str, list[CallTimes]] = {}
    for call in calls:
        topics.setdefault(call.topic_id, []).append(call)
        at_s = call.start_s
        for state, seconds in _parts(call):
            if seconds > 0:
                yield at_s, state, 1
                yield at_s + seconds, state, -1
                at_s += seconds
    for topic in topics.values():
        yield from _topic_events(topic)


def _parts(call: CallTimes) -> Iterator[tuple[State, float]]:
    """Yield the stretches of a call in order; together they are as long as the call."""
    last = _last_waits(call)
    # After each attempt that failed came the next one, after the last of them the one that brought
    # the answer.
    for attempt, following in zip(call.before, (*call.before[1:], last), strict=False):
        yield from _waits(attempt)
        yield _in_vain(following), attempt.elapsed_s
        yield "backoff", attempt.backoff_s
    yield from _waits(last)
    yield "provider", call.provider_queue_s
    yield "working", call.service_s
    attempts_s = math.fsum(attempt.elapsed_s + attempt.backoff_s for attempt in call.before)
    yield (
        "between",
        call.end_s
        - call.start_s
        - call.waited_s
        - attempts_s
        - call.provider_queue_s
        - call.service_s,
    )


def _waits(waits: Waits) -> Iterator[tuple[State, float]]:
    """Yield the waits in the order in which an attempt meets them."""
    for wait in IN_ORDER:
        state = wait.cause if wait.is_held else "storing"
        yield state, getattr(waits, wait.field)


def _in_vain(following: Waits) -> State:
    """Return the state of a failed attempt, told by what followed it.

    Where the provider was waited for afterwards, it was away already.
    """
    for wait in AWAY:
        if getattr(following, wait.field) > _TOLD_S:
            return "probing"
    return "attempts"


def _last_waits(call: CallTimes) -> Waits:
    """Return the waits that no failed attempt had."""
    if not call.before:
        return call
    before = [attempt.by_field() for attempt in call.before]
    return Waits(
        **{
            name: seconds - math.fsum(one[name] for one in before)
            for name, seconds in call.by_field().items()
        }
    )


def _topic_events(calls: Iterable[CallTimes]) -> Iterator[Event]:
    """Yield the begin and the end of a topic, and the stretches without any of its calls under
    way.
    """
    ordered = sorted(calls, key=lambda call: call.start_s)
    begin_s, end_s = ordered[0].start_s, ordered[0].start_s
    for call in ordered:
        if call.start_s > end_s:
            yield end_s, "between", 1
            yield call.start_s, "between", -1
        end_s = max(end_s, call.end_s)
    yield begin_s, "begun", 1
    yield begin_s, "open", 1
    yield end_s, "open", -1


def _without_the_unavoidable(
    idle: Mapping[Cause, float], unavoidable_s: float, bound: Bound
) -> dict[Cause, float]:
    left = dict(idle)
    first = {"critical path": "order", "pace": "pace"}.get(bound.by)
    if first is not None:
        taken_s = min(left[first], max(0.0, unavoidable_s))
        left[first] -= taken_s
        unavoidable_s -= taken_s
    whole_s = math.fsum(left.values())
    if whole_s <= 0:
        return left
    # Also makes up for what clocks and rounding leave.
    factor = max(0.0, 1 - unavoidable_s / whole_s)
    return {cause: seconds * factor for cause, seconds in left.items()}
