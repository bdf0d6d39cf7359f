"""Outages of the provider in words: the one that goes on, and those that were.

Every display uses these. Times are told as they are given: whoever shows them gives them in the
local time of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from harness.text.amounts import counted, round_duration
from harness.text.safe import one_line

SUSPECTED_S = 5.0
"""A suspicion is told when it has lasted for so long: most are over before."""
LISTED = 5
_SAID = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOutage:
    """An outage that a session met. `until` None: it went on when the session ended.

    `seconds` is how long it lasted, `probes` how many requests looked meanwhile whether it was
    over; `kind` and `message` are those of the last failure. `endpoint` is the name of who was
    away, where the run asked several.
    """

    since: datetime
    until: datetime | None
    seconds: float
    probes: int
    kind: str
    message: str
    endpoint: str | None = None


def down_words(
    *,
    since: datetime,
    certain: bool,
    probes: int,
    next_look_s: float,
    message: str,
    patience_s: float,
    endpoint: str | None = None,
) -> str:
    """Return `provider down since 03:12, 9 probes, next look in 40 s (waits up to 5 h 12 more): …`.

    `endpoint` stands in the provider's place where the run asks several. What the provider said
    comes last, for it may be long, and a terminal may be narrow.
    """
    if certain:
        state = f"{one_line(endpoint or 'provider', _SAID)} down"
    else:
        state = f"no answer from {one_line(endpoint or 'the provider', _SAID)}"
    if next_look_s >= 0.5:
        look = f"next look in {round_duration(next_look_s)}"
    else:
        look = "looking now"
    waits = f"waits up to {round_duration(patience_s)} more"
    return (
        f"{state} since {since:%H:%M}, {counted(probes, 'probe')}, {look} ({waits}):"
        f" {one_line(message, _SAID)}"
    )


def is_told(*, certain: bool, for_s: float) -> bool:
    """Return whether an outage that goes on is shown.

    It is if it is certain, or has been suspected for some seconds.
    """
    return certain or for_s >= SUSPECTED_S


def outage_lines(outages: Sequence[PastOutage], today: date) -> list[str]:
    """Return the outages of a run, a line each after the first that says how many.

    None where there was none. `today` is the reader's: times of another day are told with their
    date.
    """
    if not outages:
        return []
    told = [past_words(outage, today) for outage in outages[-LISTED:]]
    if len(outages) == 1:
        return [f"1: {told[0]}"]
    whole = round_duration(sum(outage.seconds for outage in outages))
    head = f"{len(outages):,}, {whole} in all"
    if len(outages) > LISTED:
        head += f", the last {LISTED} of them"
    return [f"{head}:", *told]


def past_words(outage: PastOutage, today: date) -> str:
    """`03:12 to 03:31 (19 min, 14 probes): connection refused`."""
    since, until = _when(outage.since, today), "the end of the session"
    if outage.until is not None and outage.until.date() == outage.since.date():
        until = f"{outage.until:%H:%M}"
    elif outage.until is not None:
        until = _when(outage.until, today)
    lasted = f"{round_duration(outage.seconds)}, {counted(outage.probes, 'probe')}"
    words = f"{since} to {until} ({lasted}): {one_line(outage.message, _SAID)}"
    if outage.endpoint is None:
        return words
    return f"{one_line(outage.endpoint, _SAID)}: {words}"


def queue_words(works_on: int, endpoint: str | None = None) -> str:
    """Return what helps where the server queues calls in silence.

    `endpoint` is its name where there are several.
    """
    setting = f"--in-flight {works_on}"
    if endpoint is not None:
        setting = f"in_flight = {works_on} in [endpoints.{endpoint}]"
    return f"the server seems to work on {works_on:,} at a time; {setting} avoids the queue"


def _when(moment: datetime, today: date) -> str:
    if moment.date() == today:
        return f"{moment:%H:%M}"
    return f"{moment:%Y-%m-%d %H:%M}"
