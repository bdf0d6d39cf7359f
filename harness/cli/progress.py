"""What is shown while a batch runs: a live display on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import anyio
import click

from harness.batch import Watch
from harness.settings import Settings

LIVE_EVERY_S = 0.25
PLAIN_EVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A moment of a run as numbers; `None` where nothing can be said yet."""

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
    calls: int
    hit_rate: float | None
    tokens_per_s: float | None
    cost: float
    left_s: float | None


def glance(watch: Watch, now_s: float) -> Glance | None:
    """What `watch` shows now, or None before the run has begun. `now_s` is the loop's time."""
    progress, standing, limiter = watch.progress, watch.standing, watch.limiter()
    if progress is None or standing is None or limiter is None:
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
        calls=totals.calls,
        hit_rate=totals.hits / totals.calls if totals.calls else None,
        tokens_per_s=totals.usage.output_tokens / elapsed_s if elapsed_s > 0 else None,
        cost=watch.stack.purse.cost if watch.stack is not None else 0.0,
        left_s=left * elapsed_s / progress.done if progress.done and left > 0 else None,
    )


def line_of(seen: Glance, settings: Settings) -> str:
    """One plain line."""
    parts = [f"{seen.finished:,}/{seen.topics:,} topics"]
    if seen.degraded:
        parts.append(f"{seen.degraded:,} degraded")
    if seen.failed:
        parts.append(f"{seen.failed:,} failed")
    parts += [f"{seen.calls:,} calls", f"{seen.in_flight} in flight", f"{seen.waiting} waiting"]
    if seen.hit_rate:
        parts.append(f"{seen.hit_rate:.0%} from the cache")
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    parts.append(f"${seen.cost:.4f}" + (f" of ${settings.budget:.2f}" if settings.budget else ""))
    if seen.refusals:
        parts.append(f"limit now {seen.places} of {seen.maximum} after {seen.refusals} refusals")
    if seen.left_s is not None:
        parts.append(f"about {clock(seen.left_s)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """`1:02:03`, or `02:03` below an hour."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


async def show_progress(watch: Watch, settings: Settings) -> None:
    """Show what happens, on standard error, until cancelled."""
    if settings.quiet or settings.json_output:
        await anyio.sleep_forever()
    if sys.stderr.isatty():
        await _live(watch, settings)
    else:
        await _plain(watch, settings)


async def _plain(watch: Watch, settings: Settings) -> None:
    while True:
        await anyio.sleep(PLAIN_EVERY_S)
        seen = glance(watch, anyio.current_time())
        if seen is not None:
            click.echo(line_of(seen, settings), err=True)


async def _live(watch: Watch, settings: Settings) -> None:
    from rich.console import Console, Group  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth
    from rich.live import Live  # noqa: PLC0415 - as above
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            seen = glance(watch, anyio.current_time())
            if seen is not None:
                bar = ProgressBar(total=max(1, seen.topics), completed=seen.finished, width=min(60, console.width))
                live.update(Group(bar, Text(line_of(seen, settings))), refresh=True)
            await anyio.sleep(LIVE_EVERY_S)
