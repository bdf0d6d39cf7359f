"""A moment of a run as numbers, and in words: what the display shows, decided without a terminal."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from harness.domain.outages import down_words, is_told, queue_words
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
    counts: what is known, and `unknown_cost` at most. `likely_end` is what the budget will count in the end. `down`
    says that the provider is away, `works_on` how many calls it seems to work on at a time.
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
    likely_end: Range | None = None
    likely_tokens: Range | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[Stage, int] = field(default_factory=dict)
    oldest: Sequence[InFlight] = ()
    causes: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[Failing] = ()
    down: str | None = None
    works_on: int | None = None
    stopping: str | None = None


def glance(watch: Watch, track: Track, now_s: float, *, stopping: str | None = None) -> Glance | None:
    """What `watch` shows now, or None before the run has begun. `now_s` is the loop's time.

    `track` is what was seen at earlier glances; this one is added to it.
    """
    progress, standing, stack = watch.progress, watch.standing, watch.stack
    if progress is None or standing is None or stack is None:
        return None
    limiter, totals, ended, board = stack.limiter.state(), progress.totals, progress.ended, watch.board or Board()
    provider = stack.limiter.provider
    if not provider.is_down:
        # On a clock that stands still while the provider is away: the pace before is the best guess at that after.
        track.add(now_s - provider.down_until(now_s), totals.calls)
    rows, elapsed_s = standing.totals.sums, now_s - watch.started_s
    finished = int(rows["ok"] + rows["degraded"]) + progress.topics["failed"]
    left = watch.topics - finished
    known = stack.before.cost + totals.cost
    work, to_come = (
        None if whole is None else less(whole, done - spread.mean * spread.count)
        for spread, done in ((ended.calls, totals.calls), (ended.cost, totals.cost))
        for whole in (spread.sum_of(left),)
    )
    unpriced = progress.totals.unpriced > 0
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
        cost=stack.purse.cost,
        unknown_cost=max(0.0, stack.purse.cost - known),
        tokens=stack.purse.tokens,
        left=time_left(work, track.rates(), tuple(board.durations_s)) if left > 0 else None,
        to_come=None if unpriced or left <= 0 else to_come,
        likely_end=None if unpriced else _end(stack.purse.cost, stack.purse.cost - stack.before.cost, known, to_come),
        likely_tokens=_end(stack.purse.tokens, 1.0, 1.0, ended.tokens.sum_of(left)),
        steps=Counter(call.step for call in board.calls if call.stage == "sent"),
        stages={stage: number for stage, number in stages.items() if stage != "sent"},
        oldest=_oldest(board, now_s),
        causes=dict(board.causes.most_common()),
        failures=_failures(watch, board, now_s),
        down=_down(watch, now_s),
        works_on=limiter.works_on,
        stopping=stopping,
    )


def _down(watch: Watch, now_s: float) -> str | None:
    """That the provider is away, in words and in the local time of this machine; None while it is not."""
    limiter = watch.limiter()
    outage = limiter.outage if limiter is not None else None
    if outage is None or watch.started_at is None or not is_told(certain=outage.certain, for_s=outage.for_s):
        return None
    since = watch.started_at + timedelta(seconds=now_s - outage.for_s - watch.started_s)
    return down_words(
        since=since.astimezone(),
        certain=outage.certain,
        probes=outage.probes,
        next_look_s=outage.next_probe_s,
        message=outage.message,
        patience_s=outage.patience_s,
    )


def _end(spent: float, here: float, known: float, to_come: Range | None) -> Range | None:
    """What will be spent in the end, if what is unknown stays in proportion to what is known."""
    if to_come is None:
        return None
    scale = max(1.0, here / known) if known > 0 else 1.0
    return Range(
        low=spent + to_come.low * scale,
        likely=spent + to_come.likely * scale,
        high=None if to_come.high is None else spent + to_come.high * scale,
    )


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
    if seen.works_on is not None:
        parts.append(queue_words(seen.works_on))
    if seen.paused_s > 0 and seen.down is None:
        parts.append(f"pausing {seen.paused_s:.0f} s")
    return ", ".join(parts)


def limit_words(seen: Glance) -> str:
    """`limit 5 of 64 after 3 refusals (429)`."""
    return f"limit {seen.places:,} of {seen.maximum:,} after {counted(seen.refusals, 'refusal')} (429)"


def money_words(seen: Glance, settings: Settings) -> str:
    """`$0.0123 of $2.50, about $0.02 to come ($0.01 to $0.03), 1,234 tokens/s`, and what the budget is in danger of."""
    parts = [spent_words(seen, settings), *outlook_words(seen, settings)]
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    return ", ".join(parts)


def spent_words(seen: Glance, settings: Settings) -> str:
    """`$0.0123 of $2.50`, with what is unknown of it, and tokens where there is a budget of them."""
    words = f"${seen.cost:.4f}" + (f" of {usd(settings.budget)}" if settings.budget is not None else "")
    if seen.unknown_cost >= 0.00005:
        words += f" (${seen.unknown_cost:.4f} of it unknown, at most)"
    if settings.budget_tokens is not None:
        words += f", {seen.tokens:,} of {settings.budget_tokens:,} tokens"
    return words


def outlook_words(seen: Glance, settings: Settings) -> list[str]:
    """What is to come, and a warning where the budget will not, or may not, be enough."""
    parts = []
    if seen.to_come is not None:
        parts.append(f"about {usd(seen.to_come.likely)} to come ({ends_words(seen.to_come)})")
    warning = budget_warning(seen, settings)
    return [*parts, warning] if warning is not None else parts


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
    if seen.down is not None:
        return f"{elapsed}, goes on when the provider is back"
    if seen.left is None:
        return f"{elapsed}, too early to say how much is left"
    low, high = clock(seen.left.low), seen.left.high
    ends = f"{low} or more" if high is None else f"{low} to {clock(high)}"
    return f"{elapsed}, about {clock(seen.left.likely)} left ({ends})"


def ends_words(amount: Range) -> str:
    """`$0.01 to $0.03`."""
    return f"{usd(amount.low)} to {usd(amount.high)}"


def line_of(seen: Glance, settings: Settings) -> str:
    """One plain line."""
    down = [seen.down] if seen.down is not None else []
    parts = [topics_words(seen), *down, calls_words(seen), money_words(seen, settings), time_words(seen)]
    return "; ".join([*parts, *([seen.stopping] if seen.stopping is not None else [])])


def usd(value: float | None) -> str:
    """An amount with as many digits as say something: `$0.0012`, `$0.012`, `$1.23`, `$1,234`; `?` where it is None."""
    if value is None:
        return "?"
    digits = 4 if value < 0.01 else 3 if value < 0.1 else 2 if value < 1000 else 0
    return f"${value:,.{digits}f}"


def clock(seconds: float) -> str:
    """`1:02:03`, or `02:03` below an hour; days are counted as hours."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"
