"""The kinds of waits of a call: a field of `Waits` for each, and a row of one table that says all
else about it.

Everything that tells of waits (rows, exports, timeline, page, telemetry, losses, benchmarks,
simulations) walks the table. To add a kind, add a field and a row here; CONTRIBUTING.md names the
other files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = Literal["wait", "outage", "backoff", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds waited around requests, told apart by cause.

    `queued_run_s` for a slot among the calls of its own workflow run, `queued_s` for a slot among
    all calls in flight, `paced_s` for requests or tokens per minute or a pause after a 429,
    `budget_s` for money that other calls hold in reserve, `outage_s` for a provider that was away,
    `stored_s` for the cache: to look the answer up, to wait in vain for another who was asking for
    it, to note the request before it leaves, to keep what came back.
    """

    queued_run_s: float = 0.0
    queued_s: float = 0.0
    paced_s: float = 0.0
    budget_s: float = 0.0
    outage_s: float = 0.0
    stored_s: float = 0.0

    @property
    def waited_s(self) -> float:
        """Seconds waited for whatever cause."""
        total_s = 0.0
        for wait in WAITS:
            total_s += getattr(self, wait.field)
        return total_s

    def by_field(self) -> dict[str, float]:
        """Each wait by the name of its field."""
        return {wait.field: getattr(self, wait.field) for wait in WAITS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One kind of wait.

    `field` is its name in `Waits` and in rows. `words` name it in a timeline, on the page and in a
    simulation; `meaning` explains it in an export. `attribute` is the last part of its name in
    telemetry; kinds of the same name are added up there.

    `cause` is what `losses` lays the idle time to that it leaves; `lost` and `lost_to` are the
    words for that cause, in a list and in the sentence "3 s was lost to …" (`{in_flight}` and
    `{per_run}` are filled in). They are empty where the cause has words elsewhere.

    `colour` is the class of its bar on the page, "" for none. `is_held`: the request could not
    leave, so it lies before it; else it is work around the request. `is_away`: the provider was
    away or not ready, so the attempt that failed before it asked in vain. `is_sparse`: rows, and
    reports of losses, have it only where there was one, as all that came later than the format of
    the rows.
    """

    field: str
    words: str
    meaning: str
    attribute: str
    cause: str
    lost: str = ""
    lost_to: str = ""
    colour: Colour = "wait"
    is_held: bool = True
    is_away: bool = False
    is_sparse: bool = True


WAITS = (
    Wait(
        field="queued_run_s",
        words="waits for a slot in its topic",
        meaning="Seconds waited for a slot in its topic.",
        attribute="queue",
        cause="per_run",
        lost="waiting for the limit on calls of one topic",
        lost_to="a per-run limit of {per_run}",
        is_sparse=False,
    ),
    Wait(
        field="queued_s",
        words="waits for a slot",
        meaning="Seconds waited for a slot among all calls.",
        attribute="queue",
        cause="in_flight",
        lost="waiting for the limit on calls in flight, while it was opening or after refusals",
        lost_to="the window of {in_flight} calls in flight, while it was opening or after refusals",
        is_sparse=False,
    ),
    Wait(
        field="paced_s",
        words="paced",
        meaning="Seconds waited for requests or tokens per minute.",
        attribute="pace",
        cause="pace",
        lost="waiting for requests and tokens per minute, and pauses that the provider asked for",
        lost_to="the pace: requests or tokens per minute, and pauses",
        is_sparse=False,
    ),
    Wait(
        field="budget_s",
        words="waits for the budget",
        meaning="Seconds waited for money that other calls held.",
        attribute="budget",
        cause="budget",
        lost="waiting for money that other calls held in reserve",
        lost_to="money held in reserve",
        is_sparse=False,
    ),
    Wait(
        field="outage_s",
        words="waits for a provider that is away",
        meaning="Seconds waited for a provider that was away.",
        attribute="outage",
        cause="outage",
        lost="waiting for a provider that was away, and asking it in vain",
        lost_to="a provider that was away",
        colour="outage",
        is_away=True,
    ),
    Wait(
        field="stored_s",
        words="cache and journal",
        meaning="Seconds spent on the cache.",
        attribute="store",
        cause="own_code",
        colour="",
        is_held=False,
        is_sparse=False,
    ),
)
"""Every kind, in the order of the fields."""

BACKOFF = Wait(
    field="backoff_s",
    words="backoff",
    meaning="Seconds slept between attempts.",
    attribute="backoff",
    cause="backoff",
    lost="sleeping between attempts",
    lost_to="sleep between attempts",
    colour="backoff",
    is_sparse=False,
)
"""The sleep after an attempt that failed. It is no field of `Waits`: it lies between attempts and
belongs to none.
"""

HELD = tuple(wait for wait in WAITS if wait.is_held)
"""Those that keep a request from leaving."""

AWAY = tuple(wait for wait in WAITS if wait.is_away)
"""Those for a provider that was away or not ready."""

_MET = ("budget_s", "queued_run_s", "outage_s", "queued_s", "paced_s", "stored_s")
_BY_FIELD = {wait.field: wait for wait in WAITS}

PACED = _BY_FIELD["paced_s"]
"""The wait for the pace, which a provider may ask for."""

IN_ORDER = tuple(_BY_FIELD[field] for field in _MET)
"""Every kind, in the order in which an attempt meets them."""
