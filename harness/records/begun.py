"""The beginning of a session, as `run.json` keeps it: when it was, which process it is, and within
what limits.

It is on disk before the first request leaves, so it is known also of a session that was killed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from harness.domain.policy import Budget, Limits
from harness.errors import ResultsError
from harness.records.codec import JsonObject
from harness.records.manifest import Manifest
from harness.records.typed import TypedReader, moment
from harness.text.safe import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """The limits of a session under the names of its settings. None: no such limit.

    `budget` (in USD) and `budget_tokens` are of the whole run, `run_calls` counts the requests of
    the session.
    """

    in_flight: int
    per_run: int
    runs: int
    rpm: int | None = None
    tpm: int | None = None
    budget: float | None = None
    budget_tokens: int | None = None
    run_calls: int | None = None

    @classmethod
    def of(cls, limits: Limits, budget: Budget) -> SessionLimits:
        """Return these limits, with the number of open topics that they come to."""
        return cls(
            in_flight=limits.in_flight,
            per_run=limits.per_run,
            runs=limits.open_runs,
            rpm=limits.requests_per_minute,
            tpm=limits.tokens_per_minute,
            budget=budget.cost,
            budget_tokens=budget.tokens,
            run_calls=budget.calls,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session that began. `session` is its number in the run, from 1; `pid` is its process on its
    machine.
    """

    session: int
    started_at: datetime
    pid: int
    limits: SessionLimits


_BEGUN = TypedReader(Begun, special={datetime: moment}, named={})


def begun_to_json(begun: Begun) -> JsonObject:
    """Return what `run.json` says of the beginning of a session."""
    return {
        "session": begun.session,
        "started_at": begun.started_at.isoformat(timespec="milliseconds"),
        "pid": begun.pid,
        "limits": asdict(begun.limits),
    }


def last_begun(manifest: Manifest) -> Begun | None:
    """Return the beginning of a run's last session; None where an earlier version of harness began
    it.

    Raises ResultsError for what cannot be read.
    """
    try:
        found = [_BEGUN.of_value(one) for one in manifest.sessions_begun]
    except (TypeError, ValueError) as error:
        raise ResultsError(f"run.json: damaged: sessions_begun: {one_line(str(error))}") from None
    return next((one for one in reversed(found) if one.session == manifest.sessions), None)
