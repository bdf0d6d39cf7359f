"""A moment of a run as numbers: what the display shows and what `harness status` finds on disk,
made in one place.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from harness.compose import Stack
from harness.domain.outage_words import down_words, is_told
from harness.domain.tracker import Stage
from harness.engine.board import Board
from harness.engine.limiter import LimiterState
from harness.engine.routes import Route
from harness.engine.runner import Progress
from harness.records.run_standing import Standing
from harness.timing.outlook import Range, Spread, Track, less, time_left

MOST_CALLS = 40
"""The oldest calls that are told apart; no terminal shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """A call on its way: for how long, and about how many tokens of its answer have come."""

    topic_id: str
    span_id: str
    age_s: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Something that failed: a topic (`span_id` None), or one request, which is sent again where it
    is `transient`.

    Of a topic, `where` is the line of the workflow's code that it failed at, if any, and `remedy`
    what helps.
    """

    topic_id: str
    span_id: str | None
    cause: str
    message: str
    ago_s: float
    transient: bool = False
    where: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStanding:
    """One endpoint of several at a moment. `down` says that it is away, or is asked no more, with
    its name.
    """

    name: str
    in_flight: int
    waiting: int
    places: int
    maximum: int
    refusals: int = 0
    paused_s: float = 0.0
    down: str | None = None
    works_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`None` where nothing can be said yet. `finished` topics are `ok`, `degraded` or `failed`, of
    all sessions; what failed in an earlier session is not finished, for it is run again.

    `steps` are the calls in flight by step, `stages` those that wait, by what they wait for. `cost`
    is what the budget counts: what is known, and `unknown_cost` at most; `reserved_cost` is held
    for `reserved_calls` on top of it. `unpriced`: there are calls whose cost is not known. Where
    there is a budget in money, `to_come` is what it will count, with as much that nobody knows as
    so far, so that `cost` and `to_come` add up to `likely_end`.

    `down` says that the provider is away, `works_on` how many calls it seems to work on at a time.
    Where several endpoints are asked, both stand in `endpoints`, which is empty where there is only
    one.
    """

    topics: int
    finished: int
    degraded: int
    failed: int
    open_topics: int
    elapsed_s: float
    in_flight: int
    places: int
    maximum: int
    refusals: int
    paused_s: float
    calls: int
    hit_rate: float | None
    tokens_per_s: float | None
    cost: float
    unknown_cost: float
    tokens: int
    waiting: int = 0
    paced: bool = False
    left: Range | None = None
    to_come: Range | None = None
    unpriced: bool = False
    reserved_cost: float = 0.0
    reserved_calls: int = 0
    unknown_tokens: int = 0
    likely_end: Range | None = None
    likely_tokens: Range | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[Stage, int] = field(default_factory=dict)
    oldest: Sequence[InFlight] = ()
    causes: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[Failing] = ()
    down: str | None = None
    works_on: int | None = None
    endpoints: Sequence[EndpointStanding] = ()
    stopping: str | None = None


@dataclass(slots=True)
class Sight:
    """The parts of a running batch that a display may look at. It is filled as things are opened.

    `topics` are those that the session counts to, `to_do` those of them that it runs. The
    `board` is told where each call is.
    """

    path: Path | None = None
    topics: int = 0
    to_do: int = 0
    standing: Standing | None = None
    progress: Progress | None = None
    stack: Stack | None = None
    started_at: datetime | None = None
    started_s: float = 0.0
    board: Board = field(default_factory=Board)


def glance(
    watch: Sight, track: Track, now_s: float, *, stopping: str | None = None
) -> Snapshot | None:
    """Return a snapshot of `watch`, or None before the run has begun. `now_s` is the loop's time.

    `track` is what was seen at earlier glances; this one is added to it.
    """
    progress, standing, stack = watch.progress, watch.standing, watch.stack
    if progress is None or standing is None or stack is None:
        return None
    routes, limiter = stack.routes, stack.routes.state()
    totals, ended, board = progress.totals, progress.ended, watch.board
    if not routes.is_down:
        # On a clock that stands still while a provider is away: the pace before is the best guess
        # at that after.
        track.add(now_s - routes.down_until(now_s), totals.calls)
    elapsed_s = now_s - watch.started_s
    left = watch.to_do - progress.done
    ledger = stack.ledger
    work = _to_come(ended.calls, left, totals.calls)
    to_come = _to_come(ended.cost, left, totals.cost)
    unpriced = progress.totals.unpriced > 0
    if ledger.budget.cost is not None:
        to_come = _counted(to_come, totals.cost, ledger.cost_at_risk - stack.before.cost_at_risk)
    stages = Counter(call.stage for call in board.calls)
    return Snapshot(
        topics=watch.topics,
        finished=watch.topics - left,
        degraded=standing.totals.degraded,
        failed=progress.topics["failed"],
        open_topics=progress.open_topics,
        elapsed_s=elapsed_s,
        in_flight=limiter.in_flight,
        waiting=limiter.waiting,
        places=limiter.places,
        maximum=limiter.maximum,
        refusals=limiter.refusals,
        paused_s=limiter.paused_s,
        paced=routes.is_paced,
        calls=totals.calls,
        hit_rate=totals.hits / totals.calls if totals.calls else None,
        tokens_per_s=totals.output_tokens / elapsed_s if elapsed_s > 0 else None,
        cost=ledger.cost,
        unknown_cost=max(0.0, ledger.cost_at_risk),
        tokens=ledger.tokens,
        unknown_tokens=ledger.tokens_at_risk,
        reserved_cost=ledger.reserved_cost,
        reserved_calls=ledger.reservations,
        unpriced=unpriced,
        left=time_left(work, track.rates(), tuple(board.durations_s)) if left > 0 else None,
        to_come=None if unpriced or left <= 0 else to_come,
        likely_end=None if unpriced else _end(ledger.cost, to_come),
        likely_tokens=_end(ledger.tokens, ended.tokens.sum_of(left)),
        steps=dict(Counter(call.step for call in board.calls if call.stage == "sent")),
        stages={stage: number for stage, number in stages.items() if stage != "sent"},
        oldest=_oldest(board, now_s),
        causes=dict(board.causes.most_common()),
        failures=_failures(watch, board, now_s),
        down=None if routes.several else _down(watch, limiter, now_s),
        works_on=limiter.works_on,
        endpoints=tuple(_standing(watch, route, now_s) for route in routes.all)
        if routes.several
        else (),
        stopping=stopping,
    )


def _to_come(spread: Spread, left: int, done: float) -> Range | None:
    """The sum over the topics that are left, less what those that are open have done; None where
    nothing is known.
    """
    whole = spread.sum_of(left)
    return None if whole is None else less(whole, done - spread.mean * spread.count)


def _standing(watch: Sight, route: Route, now_s: float) -> EndpointStanding:
    """Return a snapshot of one endpoint of several."""
    state = route.limiter.state()
    cause = route.stop.cause
    return EndpointStanding(
        name=route.name,
        in_flight=state.in_flight,
        waiting=state.waiting,
        places=state.places,
        maximum=state.maximum,
        refusals=state.refusals,
        paused_s=state.paused_s,
        down=cause.message if cause is not None else _down(watch, state, now_s, route.name),
        works_on=state.works_on,
    )


def _down(watch: Sight, limiter: LimiterState, now_s: float, name: str | None = None) -> str | None:
    """That the provider is away, in words and in the local time of this machine; None while it is
    not.
    """
    outage = limiter.outage
    if (
        outage is None
        or watch.started_at is None
        or not is_told(certain=outage.certain, for_s=outage.for_s)
    ):
        return None
    since = watch.started_at + timedelta(seconds=now_s - outage.for_s - watch.started_s)
    return down_words(
        since=since.astimezone(),
        certain=outage.certain,
        probes=outage.probes,
        next_look_s=outage.next_probe_s,
        message=outage.message,
        patience_s=outage.patience_s,
        endpoint=name,
    )


def _counted(to_come: Range | None, known: float, unknown: float) -> Range | None:
    """The part of the cost to come that a budget will count, if the unknown stays in proportion to
    the known.
    """
    if to_come is None or known <= 0 or unknown <= 0:
        return to_come
    scale = 1 + unknown / known
    high = None if to_come.high is None else to_come.high * scale
    return Range(low=to_come.low * scale, likely=to_come.likely * scale, high=high)


def _end(spent: float, to_come: Range | None) -> Range | None:
    """The amount that will be counted in the end."""
    if to_come is None:
        return None
    high = None if to_come.high is None else spent + to_come.high
    return Range(low=spent + to_come.low, likely=spent + to_come.likely, high=high)


def _oldest(board: Board, now_s: float) -> tuple[InFlight, ...]:
    sent = (call for call in board.calls if call.stage == "sent")
    return tuple(
        InFlight(
            topic_id=call.topic_id,
            span_id=call.span_id,
            age_s=now_s - call.since_s,
            tokens=board.tokens_of(call),
        )
        for call in heapq.nsmallest(MOST_CALLS, sent, key=lambda call: call.since_s)
    )


def _failures(watch: Sight, board: Board, now_s: float) -> tuple[Failing, ...]:
    """The last failures, the newest first. Of a topic that failed by a request only the topic is
    told.
    """
    topics = watch.progress.ended.failures if watch.progress is not None else ()
    told = {(topic.topic_id, topic.message) for topic in topics}
    found = [
        Failing(
            topic_id=topic.topic_id,
            span_id=None,
            cause=topic.cause,
            message=topic.message,
            ago_s=now_s - topic.at_s,
            where=topic.where,
            remedy=topic.remedy,
        )
        for topic in topics
    ]
    found += [
        Failing(
            topic_id=request.topic_id,
            span_id=request.span_id,
            cause=request.cause,
            message=request.message,
            ago_s=now_s - request.at_s,
            transient=request.transient,
        )
        for request in board.failures
        if (request.topic_id, request.message) not in told
    ]
    return tuple(sorted(found, key=lambda failing: failing.ago_s))
