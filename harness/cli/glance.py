"""A moment of a run as numbers, and in words: what the display shows, decided without a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from harness.batch import Watch
from harness.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """`None` where nothing can be said yet. `finished` topics are `ok`, `degraded` or `failed`, of all sessions."""

    topics: int
    finished: int
    degraded: int
    failed: int
    open_topics: int
    in_flight: int
    waiting: int
    places: int
    maximum: int
    refusals: int
    paused_s: float
    calls: int
    hit_rate: float | None
    tokens_per_s: float | None
    cost: float
    tokens: int
    left_s: float | None


def glance(watch: Watch, now_s: float) -> Glance | None:
    """What `watch` shows now, or None before the run has begun. `now_s` is the loop's time."""
    progress, standing, limiter = watch.progress, watch.standing, watch.limiter()
    if progress is None or standing is None or limiter is None or watch.stack is None:
        return None
    sums, totals = standing.totals.sums, progress.totals
    elapsed_s = now_s - watch.started_s
    finished = int(sums["ok"] + sums["degraded"] + sums["failed"])
    left = watch.topics - finished
    return Glance(
        topics=watch.topics,
        finished=finished,
        degraded=int(sums["degraded"]),
        failed=int(sums["failed"]),
        open_topics=progress.open_topics,
        in_flight=limiter.in_flight,
        waiting=limiter.waiting,
        places=limiter.places,
        maximum=limiter.maximum,
        refusals=limiter.refusals,
        paused_s=limiter.paused_s,
        calls=totals.calls,
        hit_rate=totals.hits / totals.calls if totals.calls else None,
        tokens_per_s=totals.usage.output_tokens / elapsed_s if elapsed_s > 0 else None,
        cost=watch.stack.purse.cost,
        tokens=watch.stack.purse.tokens,
        left_s=left * elapsed_s / progress.done if progress.done and left > 0 else None,
    )


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
        parts.append(f"limit {seen.places:,} of {seen.maximum:,} after {seen.refusals:,} refusals (429)")
    if seen.paused_s > 0:
        parts.append(f"pausing {seen.paused_s:.0f} s")
    return ", ".join(parts)


def money_words(seen: Glance, settings: Settings) -> str:
    """`$0.0123 of $2.50, 1,234 tokens/s, about 03:12 left`."""
    parts = [f"${seen.cost:.4f}" + (f" of ${settings.budget:,.2f}" if settings.budget is not None else "")]
    if settings.budget_tokens is not None:
        parts.append(f"{seen.tokens:,} of {settings.budget_tokens:,} tokens")
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    if seen.left_s is not None:
        parts.append(f"about {clock(seen.left_s)} left")
    return ", ".join(parts)


def line_of(seen: Glance, settings: Settings) -> str:
    """One plain line."""
    return "; ".join([topics_words(seen), calls_words(seen), money_words(seen, settings)])


def clock(seconds: float) -> str:
    """`1:02:03`, or `02:03` below an hour; days are counted as hours."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"
