"""A moment of a run in words: lines for the display and for `harness status`, decided without a
terminal.
"""

from __future__ import annotations

from harness.cli.money_words import Caps, spent_words, to_come_words
from harness.domain.outage_words import queue_words
from harness.domain.tracker import Stage
from harness.runs.snapshot import EndpointStanding, Snapshot
from harness.text.amounts import clock, counted, money

_WAITS: dict[Stage, str] = {
    "retry": "to try again",
    "money": "for money",
    "run": "for a slot in their run",
    "all": "for a slot",
    "cache": "for the cache or an equal call",
}


def topics_words(seen: Snapshot) -> str:
    """`17 of 42 topics, 2 degraded, 1 failed, 8 open`."""
    parts = [f"{seen.finished:,} of {counted(seen.topics, 'topic')}"]
    parts += [f"{seen.degraded:,} degraded"] if seen.degraded else []
    parts += [f"{seen.failed:,} failed"] if seen.failed else []
    parts += [f"{seen.open_topics:,} open"] if seen.open_topics else []
    return ", ".join(parts)


def calls_words(seen: Snapshot) -> str:
    """`123 calls done (31 % from the cache), 8 in flight of 64, 12 waiting`, and the limit where it
    was learned.
    """
    cached = f" ({seen.hit_rate:.0%} from the cache)" if seen.hit_rate else ""
    parts = [
        f"{counted(seen.calls, 'call')} done{cached}",
        f"{seen.in_flight:,} in flight of {seen.places:,}",
    ]
    parts += [f"{seen.waiting:,} waiting"] if seen.waiting else []
    if seen.refusals:
        parts.append(limit_words(seen))
    if seen.works_on is not None:
        parts.append(queue_words(seen.works_on))
    return ", ".join(parts)


def waits_words(seen: Snapshot) -> str:
    """`12: 4 for a slot in their run, 8 for the pace`; empty where no call waits."""
    number = sum(seen.stages.values())
    names = {**_WAITS, "all": _held_by(seen)}
    waits = ", ".join(
        f"{seen.stages[stage]:,} {name}" for stage, name in names.items() if seen.stages.get(stage)
    )
    return f"{number:,}: {waits}" if len(seen.stages) > 1 else waits


def _held_by(seen: Snapshot) -> str:
    """Say what the calls wait for that have a slot in their run."""
    if seen.down is not None:
        return "for the provider"
    return "for the pace" if seen.paced else _WAITS["all"]


def held_words(seen: Snapshot) -> list[str]:
    """Say what holds back all calls of the run now, each in a few words: `pausing 2 s`, or that the
    provider is down.
    """
    if seen.down is not None:
        return [seen.down]
    return [f"pausing {seen.paused_s:.0f} s"] if seen.paused_s > 0 else []


def endpoint_words(seen: Snapshot) -> list[str]:
    """Say how each endpoint of several stands: `local 1 in flight of 1, 12 waiting`, and what holds
    it up.
    """
    return [_standing_words(one) for one in seen.endpoints]


def _standing_words(one: EndpointStanding) -> str:
    parts = [f"{one.name} {one.in_flight:,} in flight of {one.places:,}"]
    parts += [f"{one.waiting:,} waiting"] if one.waiting else []
    parts += [f"pausing {one.paused_s:.0f} s"] if one.paused_s > 0 else []
    if one.refusals:
        parts.append(
            f"limit {one.places:,} of {one.maximum:,} after {counted(one.refusals, 'refusal')} (429)"
        )
    parts += [queue_words(one.works_on, one.name)] if one.works_on is not None else []
    parts += [one.down] if one.down is not None else []
    return ", ".join(parts)


def away_words(seen: Snapshot) -> list[str]:
    """Say which endpoints of several are away, or are asked no more."""
    return [one.down for one in seen.endpoints if one.down is not None]


def causes_words(seen: Snapshot) -> str:
    """`3 requests: 2 server 500, 1 blank`: all that failed in this session, also where they were
    sent again.
    """
    causes = ", ".join(f"{number:,} {cause}" for cause, number in seen.causes.items())
    return f"{counted(sum(seen.causes.values()), 'request')}: {causes}"


def limit_words(seen: Snapshot) -> str:
    """`limit 5 of 64 after 3 refusals (429)`."""
    return (
        f"limit {seen.places:,} of {seen.maximum:,} after {counted(seen.refusals, 'refusal')} (429)"
    )


def money_words(seen: Snapshot, settings: Caps) -> str:
    """Say what is spent and to come, what the budget is in danger of, and the tokens a second. See
    `money_words.py`.
    """
    parts = [
        spent_words(seen, settings),
        to_come_words(seen, settings),
        budget_warning(seen, settings),
    ]
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    return ", ".join(part for part in parts if part is not None)


def budget_warning(seen: Snapshot, settings: Caps) -> str | None:
    """Say what the end will be, where it passes the budget, or may."""
    for end, cap, unit in (
        (seen.likely_end, settings.budget, money),
        (seen.likely_tokens, settings.budget_tokens, lambda value: f"{value:,.0f} tokens"),
    ):
        if end is None or cap is None or end.high is None or end.high <= cap:
            continue
        if end.likely > cap:
            return f"the budget is likely not enough: about {unit(end.likely)} in the end"
        return f"the budget may not be enough: up to {unit(end.high)} in the end"
    return None


def time_words(seen: Snapshot) -> str:
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


def line_of(seen: Snapshot, settings: Caps) -> str:
    """One plain line."""
    held = held_words(seen)
    # Lines are cut at their end: what holds the run up for minutes stands near the beginning.
    first = [calls_words(seen), *held] if seen.down is None else [*held, calls_words(seen)]
    first = [*away_words(seen), *first]
    parts = [topics_words(seen), *first, money_words(seen, settings), time_words(seen)]
    return "; ".join([*parts, *([seen.stopping] if seen.stopping is not None else [])])
