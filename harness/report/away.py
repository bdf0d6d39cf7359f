"""The times in which the provider was away: in the log of sessions, and in what a run that goes on
tells of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.outages import outages_of
from harness.runs.live_file import read_live
from harness.text.safe import one_line, terminal_safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """An outage for the page: `from_s` and `to_s` count from the start of its session.

    `until` None: it went on when the session ended. `message` begins with the endpoint's name where
    there are several.
    """

    from_s: float
    to_s: float
    since: str
    until: str | None
    seconds: float
    probes: int
    kind: str
    message: str


def away_in(entry: Mapping[str, Any]) -> tuple[Away, ...]:
    """Return the outages of a session, from its entry in `session_log`."""
    outages = outages_of(entry)
    if not outages:
        return ()
    began = datetime.fromisoformat(entry["started_at"])
    found = []
    for outage in outages:
        whose = outage.endpoint
        from_s = max(0.0, (outage.since - began).total_seconds())
        found.append(
            Away(
                from_s=round(from_s, 3),
                to_s=round(from_s + outage.seconds, 3),
                since=outage.since.isoformat(timespec="milliseconds"),
                until=None
                if outage.until is None
                else outage.until.isoformat(timespec="milliseconds"),
                seconds=outage.seconds,
                probes=outage.probes,
                kind=outage.kind,
                message=terminal_safe(
                    outage.message if whose is None else f"{whose}: {outage.message}"
                ),
            )
        )
    return tuple(found)


def down_in(run: Path) -> str | None:
    """Return what a run that goes on last said of a provider that is away; None where it said
    nothing.
    """
    try:
        live = read_live(run)
    except ResultsError:
        # A run of another version tells it in another form; the page has all the rest.
        return None
    if live is None:
        return None
    away = [live.seen.down, *(one.down for one in live.seen.endpoints)]
    return "; ".join(one_line(words, 500) for words in away if words is not None) or None
