"""A moment of a run in words: lines for the display and for `harness status`, decided without a
terminal.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.cli.money_words import Caps, spent_words, to_come_words
from harness.domain.outage_words import queue_words
from harness.domain.tracker import Stage
from harness.runs.snapshot import EndpointStanding, Snapshot
from harness.text.amounts import clock, counted, money
from harness.timing.outlook import Range

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
    counts = {"degraded": seen.degraded, "failed": seen.failed, "open": seen.open_topics}
    for name, number in counts.items():
        if number:
            parts.append(f"{number:,} {name}")
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
    if seen.waiting:
        parts.append(f"{seen.waiting:,} waiting")
    if seen.refusals:
        parts.append(limit_words(seen))
    if seen.works_on is not None:
        parts.append(queue_words(seen.works_on))
    return ", ".join(parts)


def waits_words(seen: Snapshot) -> str:
    """`12: 4 for a slot in their run, 8 for the pace`; empty where no call waits."""
    parts = []
    for stage, name in {**_WAITS, "all": _held_by(seen)}.items():
        number = seen.stages.get(stage, 0)
        if number:
            parts.append(f"{number:,} {name}")
    waits = ", ".join(parts)
    if len(seen.stages) > 1:
        return f"{sum(seen.stages.values()):,}: {waits}"
    return waits


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
    if seen.paused_s > 0:
        return [f"pausing {seen.paused_s:.0f} s"]
    return []


def endpoint_words(seen: Snapshot) -> list[str]:
    """Say how each endpoint of several stands: `local 1 in flight of 1, 12 waiting`, and what holds
    it up.
    """
    return [_standing_words(one) for one in seen.endpoints]


def _standing_words(one: EndpointStanding) -> str:
    parts = [f"{one.name} {one.in_flight:,} in flight of {one.places:,}"]
    if one.waiting:
        parts.append(f"{one.waiting:,} waiting")
    if one.paused_s > 0:
        parts.append(f"pausing {one.paused_s:.0f} s")
    if one.refusals:
        parts.append(limit_words(one))
    if one.works_on is not None:
        parts.append(queue_words(one.works_on, one.name))
    if one.down is not None:
        parts.append(one.down)
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


def limit_words(seen: Snapshot | EndpointStanding) -> str:
    """`limit 5 of 64 after 3 refusals (429)`."""
    return (
        f"limit {seen.places:,} of {seen.maximum:,} after {counted(seen.refusals, 'refusal')} (429)"
    )


def money_line(seen: Snapshot, settings: Caps) -> str:
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
    in_money = _warning(seen.likely_end, settings.budget, money)
    if in_money is not None:
        return in_money
    return _warning(seen.likely_tokens, settings.budget_tokens, _tokens)


def _warning(end: Range | None, cap: float | None, written: Callable[[float], str]) -> str | None:
    """Say that an amount may pass its cap in the end; None where it will not, or nobody knows."""
    if end is None or cap is None or end.high is None or end.high <= cap:
        return None
    if end.likely > cap:
        return f"the budget is likely not enough: about {written(end.likely)} in the end"
    return f"the budget may not be enough: up to {written(end.high)} in the end"


def _tokens(number: float) -> str:
    return f"{number:,.0f} tokens"


def time_words(seen: Snapshot) -> str:
    """`00:51 so far, about 03:12 left (02:40 to 04:10)`."""
    elapsed = f"{clock(seen.elapsed_s)} so far"
    if seen.finished >= seen.topics:
        return f"{elapsed}, nearly done"
    if seen.down is not None:
        return f"{elapsed}, goes on when the provider is back"
    if seen.left is None:
        return f"{elapsed}, too early to say how much is left"
    ends = f"{clock(seen.left.low)} or more"
    if seen.left.high is not None:
        ends = f"{clock(seen.left.low)} to {clock(seen.left.high)}"
    return f"{elapsed}, about {clock(seen.left.likely)} left ({ends})"


def line_of(seen: Snapshot, settings: Caps) -> str:
    """One plain line."""
    parts = [topics_words(seen), *away_words(seen)]
    # Lines are cut at their end: what holds the run up for minutes stands near the beginning.
    if seen.down is None:
        parts += [calls_words(seen), *held_words(seen)]
    else:
        parts += [*held_words(seen), calls_words(seen)]
    parts += [money_line(seen, settings), time_words(seen)]
    if seen.stopping is not None:
        parts.append(seen.stopping)
    return "; ".join(parts)
