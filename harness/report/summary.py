"""A run in numbers, as the page reads it: its state, its totals, where the time went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.domain.outlay import Outlay
from harness.domain.policy import Limits
from harness.domain.who_answered import doubt_lines, why_unpriced
from harness.records.begun import last_begun
from harness.records.manifest import Manifest
from harness.records.results_dir import unfinished_topics
from harness.records.run_standing import RowTotals, Standing
from harness.report.away import Away, away_in
from harness.report.digest import Digest, Step
from harness.report.series import series_of, shares_of
from harness.runs.wanted import begun_words, elsewhere_words, is_simulated
from harness.timing.losses import CAUSES
from harness.timing.stats import Distribution

_STATES = {
    "complete": ("good", "complete"),
    "incomplete": ("warn", "incomplete: topics are left to do"),
    "interrupted": ("warn", "interrupted"),
    "auth": ("bad", "stopped: the key was refused"),
    "balance": ("bad", "stopped: the account is empty"),
    "quota": ("bad", "stopped: the quota is used up"),
    "unknown_model": ("bad", "stopped: the server has no such model"),
    "refused": ("bad", "stopped: every request was refused"),
    "provider": ("warn", "stopped: the provider was away for too long"),
    "workflow": ("bad", "stopped: the workflow fails on every topic"),
    "budget": ("warn", "stopped: the budget is reached"),
    "storage": ("bad", "stopped: the disk failed"),
}


_IN_ORDER = (
    *("name", "run_id", "state", "about", "totals", "time", "money", "answerers", "limits"),
    *("in_flight", "troubles", "attempts", "steps", "series", "outages", "shares"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The sums over the rows of a run: counted, or as its last session told them."""

    totals: RowTotals
    unfinished: int

    @classmethod
    def counted(cls, manifest: Manifest, standing: Standing) -> Sums:
        """The sums over the rows that were read."""
        return cls(
            totals=standing.totals.rounded(), unfinished=unfinished_topics(manifest, standing)
        )

    @classmethod
    def told(cls, manifest: Manifest, *, running: bool) -> Sums | None:
        """The sums that a run which ended says of itself; None for another, and where it says
        none.
        """
        told = manifest.json.get("totals")
        if running or manifest.status == "running" or not isinstance(told, Mapping):
            return None
        try:
            return cls(totals=RowTotals.from_json(told), unfinished=told["unfinished"])
        except (KeyError, TypeError, ValueError):
            # Of a version that told less: its rows tell it.
            return None


def summary_of(
    name: str,
    manifest: Manifest,
    standing: Standing,
    digest: Digest,
    *,
    running: bool,
    down: str | None = None,
) -> dict[str, Any]:
    """One run for the page: everything but its topics.

    `down` is what a run that goes on says of a provider that is away.
    """
    sums = Sums.counted(manifest, standing)
    whole = {
        **overview_of(name, manifest, sums, digest, running=running, down=down),
        **numbers_of(manifest, sums.totals, digest, running=running),
    }
    return {part: whole[part] for part in _IN_ORDER}


def overview_of(
    name: str,
    manifest: Manifest,
    sums: Sums,
    digest: Digest,
    *,
    running: bool,
    down: str | None = None,
) -> dict[str, Any]:
    """The state of a run and its sums: what takes no time, however large it is."""
    totals = sums.totals
    return {
        "name": name,
        "run_id": manifest.run_id,
        "state": state_of(
            manifest, running=running, failed=totals.failed, missing=sums.unfinished, down=down
        ),
        "about": _about(manifest),
        "totals": {
            **totals.as_json(),
            "unfinished": sums.unfinished,
            "requests": digest.requests,
            "refusals": digest.refusals,
        },
        "money": _money(manifest, totals),
        "answerers": doubt_lines(totals.answers),
        "limits": manifest.json.get("limits_learned"),
        "in_flight": manifest.settings.get("in_flight"),
        "troubles": {
            status: [asdict(cause) for cause in found.found]
            for status, found in digest.troubles.items()
        },
        "outages": [
            asdict(outage) for met in outages_by_session(manifest).values() for outage in met
        ],
    }


def numbers_of(
    manifest: Manifest, totals: RowTotals, digest: Digest, *, running: bool
) -> dict[str, Any]:
    """The numbers that are made from all calls: times, steps and curves."""
    log = manifest.session_log
    complete_log = len(log) == manifest.sessions and not running
    active_s = sum(times.end_s for times in digest.sessions.values())
    wall_s = sum(entry["wall_s"] for entry in log) if complete_log else active_s
    time = _time(digest, manifest, wall_s=wall_s, sequential_s=totals.sequential_s)
    history = history_of(manifest, running=running)
    return {
        "time": {**time, "whole_sessions": complete_log},
        "attempts": sorted(map(asdict, digest.attempts.found), key=lambda cause: -cause["count"]),
        "steps": [_step(step, numbers) for step, numbers in digest.steps.items()],
        "series": series_of(digest, history, outages_by_session(manifest)),
        "shares": shares_of(digest),
    }


def state_of(
    manifest: Manifest, *, running: bool, failed: int = 0, missing: int = 0, down: str | None = None
) -> dict[str, str]:
    """Return the state of a run: a tone (`good`, `warn`, `bad`, `busy`), a word, and what stops it
    or did.
    """
    status, log = manifest.status, manifest.session_log
    if running:
        word = "running" if down is None else "running, waiting for the provider"
        return {"tone": "busy", "word": word, "said": down or _began(manifest)}
    if status == "running":
        return {"tone": "bad", "word": "ended without a word (killed?)", "said": _began(manifest)}
    tone, word = _STATES.get(status, ("warn", status))
    if status == "complete" and missing:
        tone, word = "bad", f"complete, but rows are missing: {missing:,}"
    elif status == "complete" and failed:
        tone, word = "warn", f"complete, {failed:,} failed"
    stop = log[-1]["stop"] if log else None
    return {"tone": tone, "word": word, "said": stop["message"] if stop else ""}


def _began(manifest: Manifest) -> str:
    """The beginning of the last session; empty where an earlier version of harness began it."""
    begun = last_begun(manifest)
    return "" if begun is None else f"session {begun.session} began {begun_words(begun)}"


def history_of(manifest: Manifest, *, running: bool) -> dict[int, Sequence[Sequence[float]]]:
    """Return by session the numbers of calls that were let in at once, with their times.

    Empty where sessions and their log cannot be matched."""
    log = manifest.session_log
    if len(log) != manifest.sessions - (1 if running else 0):
        return {}
    return {number: entry.get("places", ()) for number, entry in enumerate(log, start=1)}


def outages_by_session(manifest: Manifest) -> dict[int, Sequence[Away]]:
    """Return by session the times in which the provider was away.

    Empty where sessions and their log cannot be matched."""
    log = manifest.session_log
    if len(log) not in (manifest.sessions, manifest.sessions - 1):
        return {}
    return {number: away_in(entry) for number, entry in enumerate(log, start=1)}


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """The limits in the settings of a run."""
    names = {"in_flight": "in_flight", "per_run": "per_run", "runs": "runs"}
    paces = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute"}
    known = {
        ours: settings[name]
        for name, ours in (names | paces).items()
        if settings.get(name) is not None
    }
    return Limits(**known)


def _time(
    digest: Digest, manifest: Manifest, *, wall_s: float, sequential_s: float
) -> dict[str, Any]:
    """Wall and sequential time, the lower bound, and what was lost; session by session, as each
    began from nothing.
    """
    limits = limits_of(manifest.settings)
    bound_s, active_s = 0.0, 0.0
    lost: dict[str, float] = dict.fromkeys(CAUSES, 0.0)
    by: dict[str, float] = {}
    for times in digest.sessions.values():
        if times.end_s <= 0:
            continue
        bound = times.calls.bound(limits)
        bound_s, active_s = bound_s + bound.seconds, active_s + times.end_s
        by[bound.by] = by.get(bound.by, 0.0) + bound.seconds
        for cause, seconds in times.calls.losses(times.end_s, bound, limits).items():
            lost[cause] += seconds
    return {
        "wall_s": round(wall_s, 3),
        "sequential_s": sequential_s,
        "speedup": sequential_s / wall_s if wall_s > 0 and sequential_s > 0 else None,
        "bound_s": bound_s,
        "bound_by": max(by, key=lambda one: by[one]) if by else None,
        "efficiency": min(1.0, bound_s / active_s) if active_s > 0 and bound_s > 0 else None,
        "losses": [
            {"cause": cause, "words": CAUSES[cause], "seconds": round(lost[cause], 3)}
            for cause in sorted(CAUSES, key=lambda one: -lost[one])
            if lost[cause] >= 0.001 * active_s
        ],
    }


def _money(manifest: Manifest, totals: RowTotals) -> dict[str, Any]:
    settings, outlay = manifest.settings, Outlay.of(totals, manifest.journal)
    return {
        "cost": outlay.cost,
        "elsewhere": outlay.cost - outlay.cost_in_rows,
        "at_risk": outlay.cost_at_risk,
        "used": outlay.counted_cost,
        "used_tokens": outlay.counted_tokens,
        "budget": settings.get("budget"),
        "budget_tokens": settings.get("budget_tokens"),
        "saved": totals.saved,
        "unpriced": totals.unpriced,
        "known": outlay.cost > 0 or not totals.unpriced,
        "why": "the server told no usage" if totals.untold else why_unpriced(totals.answers),
        "untold_cost": outlay.cost_untold,
        "simulated": is_simulated(manifest),
    }


def _about(manifest: Manifest) -> dict[str, Any]:
    identity = manifest.identity
    return {
        "dataset": manifest.dataset.path,
        "workflow": identity.get("workflow"),
        "model": identity.get("model"),
        "endpoint": identity.get("endpoint"),
        "elsewhere": "; ".join(elsewhere_words(manifest)) or None,
        "created_at": manifest.created_at,
        "sessions": manifest.sessions,
        "harness": manifest.harness_version,
    }


def _step(name: str, step: Step) -> dict[str, Any]:
    found = Distribution.of(step.latencies_s)
    latency = (
        None if found is None else {key: round(value, 4) for key, value in asdict(found).items()}
    )
    totals = step.totals
    return {
        "step": name,
        "calls": totals.calls,
        "hits": totals.hits,
        "failed": totals.failures,
        "retries": totals.retries,
        "cost": math.floor(totals.cost * 1e9 + 0.5) / 1e9,
        "unpriced": totals.unpriced,
        "input_tokens": totals.input_tokens,
        "cached_tokens": totals.cached_tokens,
        "output_tokens": totals.output_tokens,
        "reasoning_tokens": totals.reasoning_tokens,
        "latency": latency,
    }
