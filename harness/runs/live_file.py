"""`live.json`: how a run stood a moment ago, for other processes, as documented in
docs/formats.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.results_dir import LIVE_FILE
from harness.runs.snapshot import EndpointStanding, Failing, InFlight, Snapshot
from harness.timing.outlook import Range

LIVE_VERSION = 1
CALLS_TOLD = 5
"""Of the calls in flight the oldest: they are who a reader wonders about."""

_RANGES = ("left", "to_come", "likely_end", "likely_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A snapshot with its moment on the wall clock, its session and its process."""

    at: datetime
    session: int
    pid: int
    seen: Snapshot


def live_to_json(live: Live) -> dict[str, Any]:
    """As the file holds it."""
    seen = asdict(live.seen)
    seen["oldest"] = seen["oldest"][:CALLS_TOLD]
    return {
        "version": LIVE_VERSION,
        "at": live.at.isoformat(timespec="milliseconds"),
        "session": live.session,
        "pid": live.pid,
        "seen": seen,
    }


def read_live(path: Path) -> Live | None:
    """Read the last snapshot that the run in a directory told; None if there is none.

    Raises ResultsError for a damaged file."""
    file = path / LIVE_FILE
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{file}: cannot be read: {error}; it may be removed") from error
    try:
        return Live(
            at=datetime.fromisoformat(value["at"]),
            session=int(value["session"]),
            pid=int(value["pid"]),
            seen=_glance(value["seen"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{file}: is damaged: {error!r}; it may be removed") from error


def _glance(value: Mapping[str, Any]) -> Snapshot:
    """Fields that another version may have written besides are left out."""
    known = {
        name: value[name] for name in (field.name for field in fields(Snapshot)) if name in value
    }
    for name in _RANGES:
        if known.get(name) is not None:
            known[name] = Range(**known[name])
    known["oldest"] = tuple(InFlight(**call) for call in value.get("oldest", ()))
    known["endpoints"] = tuple(EndpointStanding(**one) for one in value.get("endpoints", ()))
    known["failures"] = tuple(Failing(**failing) for failing in value.get("failures", ()))
    return Snapshot(**known)
