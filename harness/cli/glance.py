"""A moment of a run as numbers, and in words: what the display shows, decided without a terminal."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.cli.money_words import spent_words, to_come_words, usd
from harness.domain.outlook import Range, Track, less, time_left
from harness.domain.wording import counted
from harness.engine.board import Board, Stage
from harness.session import Watch
from harness.settings import Settings

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
    """Something that failed: a topic (`span_id` None), or one request, which is sent again where it is `transient`."""

    topic_id: str
    span_id: str | None
    cause: str
    message: str
    ago_s: float
    transient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """`None` where nothing can be said yet. `finished` topics are `ok`, `degraded` or `failed`, of all sessions; what
    failed in an earlier session is not finished, for it is run again.

    `steps` are the calls in flight by step, `stages` those that wait, by what they wait for. `cost` is what the budget
    counts: what is known, and `unknown_cost` at most; `reserved_cost` is held for `reserved_calls` on top of it.
    `unpriced`: there are calls whose cost is not known. Where there is a budget in money, `to_come` is what it will
    count, with as much that nobody knows as so far, so that `cost` and `to_come` add up to `likely_end`.
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
    stopping: str | None = None


def glance(watch: Watch, track: Track, now_s: float, *, stopping: str | None = None) -> Glance | None:
    """What `watch` shows now, or None before the run has begun. `now_s` is the loop's time.

    `track` is what was seen at earlier glances; this one is added to it.
    """
    progress, standing, stack = watch.progress, watch.standing, watch.stack
    if progress is None or standing is None or stack is None:
        return None
    limiter, totals, ended, board = stack.limiter.state(), progress.totals, progress.ended, watch.board or Board()
    track.add(now_s, totals.calls)
    rows, elapsed_s = standing.totals.sums, now_s - watch.started_s
    finished = int(rows["ok"] + rows["degraded"]) + progress.topics["failed"]
    left = watch.topics - finished
    purse = stack.purse
    work, to_come = (
        None if whole is None else less(whole, done - spread.mean * spread.count)
        for spread, done in ((ended.calls, totals.calls), (ended.cost, totals.cost))
        for whole in (spread.sum_of(left),)
    )
    unpriced = progress.totals.unpriced > 0
    if purse.budget.cost is not None:
        to_come = _counted(to_come, totals.cost, purse.cost_at_risk - stack.before.cost_at_risk)
    stages = Counter(call.stage for call in board.calls)
    return Glance(
        topics=watch.topics,
        finished=finished,
        degraded=int(rows["degraded"]),
        failed=progress.topics["failed"],
        open_topics=progress.open_topics,
        elapsed_s=elapsed_s,
        in_flight=limiter.in_flight,
        waiting=limiter.waiting,
        places=limiter.places,
        maximum=limiter.maximum,
        refusals=limiter.refusals,
        paused_s=limiter.paused_s,
        paced=stack.limiter.is_paced,
        calls=totals.calls,
        hit_rate=totals.hits / totals.calls if totals.calls else None,
        tokens_per_s=totals.output_tokens / elapsed_s if elapsed_s > 0 else None,
        cost=purse.cost,
        unknown_cost=max(0.0, purse.cost_at_risk),
        tokens=purse.tokens,
        unknown_tokens=purse.tokens_at_risk,
        reserved_cost=purse.reserved_cost,
        reserved_calls=purse.reservations,
        unpriced=unpriced,
        left=time_left(work, track.rates(), tuple(board.durations_s)) if left > 0 else None,
        to_come=None if unpriced or left <= 0 else to_come,
        likely_end=None if unpriced else _end(purse.cost, to_come),
        likely_tokens=_end(purse.tokens, ended.tokens.sum_of(left)),
        steps=Counter(call.step for call in board.calls if call.stage == "sent"),
        stages={stage: number for stage, number in stages.items() if stage != "sent"},
        oldest=_oldest(board, now_s),
        causes=dict(board.causes.most_common()),
        failures=_failures(watch, board, now_s),
        stopping=stopping,
    )


def _counted(to_come: Range | None, known: float, unknown: float) -> Range | None:
    """What a budget will count of what is to come, if what nobody knows stays in proportion to what is known."""
    if to_come is None or known <= 0 or unknown <= 0:
        return to_come
    scale = 1 + unknown / known
    high = None if to_come.high is None else to_come.high * scale
    return Range(low=to_come.low * scale, likely=to_come.likely * scale, high=high)


def _end(spent: float, to_come: Range | None) -> Range | None:
    """What will be counted in the end."""
    if to_come is None:
        return None
    high = None if to_come.high is None else spent + to_come.high
    return Range(low=spent + to_come.low, likely=spent + to_come.likely, high=high)


def _oldest(board: Board, now_s: float) -> tuple[InFlight, ...]:
    sent = (call for call in board.calls if call.stage == "sent")
    return tuple(
        InFlight(topic_id=call.topic_id, span_id=call.span_id, age_s=now_s - call.since_s, tokens=board.tokens_of(call))
        for call in heapq.nsmallest(MOST_CALLS, sent, key=lambda call: call.since_s)
    )


def _failures(watch: Watch, board: Board, now_s: float) -> tuple[Failing, ...]:
    """The last failures, the newest first. Of a topic that failed by a request only the topic is told."""
    topics = watch.progress.ended.failures if watch.progress is not None else ()
    told = {(topic.topic_id, topic.message) for topic in topics}
    found = [
        Failing(
            topic_id=topic.topic_id,
            span_id=None,
            cause=topic.cause,
            message=topic.message,
            ago_s=now_s - topic.at_s,
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


def topics_words(seen: Glance) -> str:
    """`17 of 42 topics, 2 degraded, 1 failed, 8 open`."""
    parts = [f"{seen.finished:,} of {seen.topics:,} topics"]
    parts += [f"{seen.degraded:,} degraded"] if seen.degraded else []
    parts += [f"{seen.failed:,} failed"] if seen.failed else []
    parts += [f"{seen.open_topics:,} open"] if seen.open_topics else []
    return ", ".join(parts)


def calls_words(seen: Glance) -> str:
    """`123 calls done (31 % from the cache), 8 in flight of 64, 12 waiting`, and the limit where it was learned."""
    cached = f" ({seen.hit_rate:.0%} from the cache)" if seen.hit_rate else ""
    parts = [f"{seen.calls:,} calls done{cached}", f"{seen.in_flight:,} in flight of {seen.places:,}"]
    parts += [f"{seen.waiting:,} waiting"] if seen.waiting else []
    if seen.refusals:
        parts.append(limit_words(seen))
    if seen.paused_s > 0:
        parts.append(f"pausing {seen.paused_s:.0f} s")
    return ", ".join(parts)


def limit_words(seen: Glance) -> str:
    """`limit 5 of 64 after 3 refusals (429)`."""
    return f"limit {seen.places:,} of {seen.maximum:,} after {counted(seen.refusals, 'refusal')} (429)"


def money_words(seen: Glance, settings: Settings) -> str:
    """What is spent and to come, what the budget is in danger of, and the tokens a second. See `money_words.py`."""
    parts = [spent_words(seen, settings), to_come_words(seen, settings), budget_warning(seen, settings)]
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    return ", ".join(part for part in parts if part is not None)


def budget_warning(seen: Glance, settings: Settings) -> str | None:
    """What the end will be, where it passes the budget, or may."""
    for end, cap, unit in (
        (seen.likely_end, settings.budget, usd),
        (seen.likely_tokens, settings.budget_tokens, lambda value: f"{value:,.0f} tokens"),
    ):
        if end is None or cap is None or end.high is None or end.high <= cap:
            continue
        if end.likely > cap:
            return f"the budget is likely not enough: about {unit(end.likely)} in the end"
        return f"the budget may not be enough: up to {unit(end.high)} in the end"
    return None


def time_words(seen: Glance) -> str:
    """`00:51 so far, about 03:12 left (02:40 to 04:10)`."""
    elapsed = f"{clock(seen.elapsed_s)} so far"
    if seen.finished >= seen.topics:
        return f"{elapsed}, nearly done"
    if seen.left is None:
        return f"{elapsed}, too early to say how much is left"
    low, high = clock(seen.left.low), seen.left.high
    ends = f"{low} or more" if high is None else f"{low} to {clock(high)}"
    return f"{elapsed}, about {clock(seen.left.likely)} left ({ends})"


def line_of(seen: Glance, settings: Settings) -> str:
    """One plain line."""
    parts = [topics_words(seen), calls_words(seen), money_words(seen, settings), time_words(seen)]
    return "; ".join([*parts, *([seen.stopping] if seen.stopping is not None else [])])


def clock(seconds: float) -> str:
    """`1:02:03`, or `02:03` below an hour; days are counted as hours."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"
