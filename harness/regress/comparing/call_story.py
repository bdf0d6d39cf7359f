"""The reason why a call of a run was a hit, or was asked: told from its row and from what the cache
holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from harness.diffs.misses import (
    Explanation,
    answers_of,
    change_lines,
    explain,
    likeness_words,
    what_changed,
)
from harness.domain.recorded_call import RecordedCall
from harness.records.stored import StoredResult, StoredSpan
from harness.regress.case import answers_before
from harness.text.amounts import money

Outcome: TypeAlias = Literal["hit", "shared", "asked", "failed", "missed"]
"""`hit`: the cache answered. `shared`: somebody was asking the same. `asked`: sent and answered.
`failed`: sent, and no answer came. `missed`: replay knew no answer, and nothing was sent.
"""

_OUTCOMES: Mapping[str, Outcome] = {"cache": "hit", "replay": "hit", "shared": "shared"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStory:
    """`payer` is the call whose answer is in the cache under the same key now, None if there is
    none; it is later than this call where the answer was asked for anew.

    `explanation` says of a call that was asked why nothing stored before it would do; `policy` is
    the run's cache mode and the age it allows.
    """

    run_id: str
    topic_id: str
    span_id: str
    key: str
    outcome: Outcome
    policy: str
    payer: RecordedCall | None
    payer_is_later: bool
    saved: float
    error: str | None = None
    explanation: Explanation | None = None

    def lines(self) -> list[str]:
        """For a person; the first line is the answer to "why"."""
        call = f"{self.topic_id}/{self.span_id}"
        match self.outcome:
            case "hit":
                return [
                    f"{call}: a hit, as the cache knew the answer to this very request",
                    *self._payer_lines(),
                ]
            case "shared":
                return [
                    (
                        f"{call}: shared: the same request was being asked at that moment, so it"
                        " was sent once"
                    ),
                    *self._payer_lines(),
                ]
            case "missed":
                first = f"{call}: not answered: the run replays, and "
            case "failed":
                first = f"{call}: asked, and failed ({self.error}): "
            case "asked":
                first = f"{call}: asked: "
        return [f"{first}{self._why()}", f"  key {self.key}", *self._nearest_lines()]

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        payer = self.payer
        return {
            "run_id": self.run_id,
            "topic_id": self.topic_id,
            "span_id": self.span_id,
            "key": self.key,
            "outcome": self.outcome,
            "policy": self.policy,
            "payer": None if payer is None else payer_json(payer),
            "payer_is_later": self.payer_is_later,
            "saved": self.saved,
            "error": self.error,
            "explanation": None if self.explanation is None else self.explanation.as_json(),
        }

    def _payer_lines(self) -> list[str]:
        lines = [f"  key {self.key}"]
        if self.payer is None:
            return [
                *lines,
                (
                    "  the answer is not in the cache any more: it was pruned, or the run used"
                    " another file"
                ),
            ]
        same_run = " (this run)" if self.payer.run_id == self.run_id else ""
        # What was shared was stored only after this call began.
        replaced = self.payer_is_later and not (self.outcome == "shared" and same_run)
        if replaced:
            since = "since then replaced by the answer to"
        else:
            since = "paid for by"
        lines.append(f"  {since} {payer_words(self.payer)}{same_run}")
        return lines + ([f"  saved {money(self.saved)}"] if self.saved else [])

    def _why(self) -> str:
        found = self.explanation
        if found is None:
            return (
                f"the run's cache mode is {self.policy}, in which nothing that was stored before"
                " answers"
            )
        match found.verdict:
            case "unknown topic":
                return "nothing had been stored for this topic before"
            case "new step":
                if found.step in found.recorded_steps:
                    return (
                        "nothing had been stored for this call before, only for others of its step"
                    )
                return (
                    "nothing had been stored for this step before, only for"
                    f" {', '.join(found.recorded_steps)}"
                )
            case "recorded":
                return (
                    "the answer that was there was too old, or not allowed to be used"
                    f" ({self.policy})"
                )
            case "follows":
                return (
                    "its request differs from what was stored before only by"
                    f" {answers_of(found.change)}, so this step is not to blame"
                )
            case "changed":
                return (
                    "compared with the nearest request that was stored before,"
                    f" {what_changed(found.change)}"
                )

    def _nearest_lines(self) -> list[str]:
        found = self.explanation
        if found is None or found.nearest is None:
            return []
        near = found.nearest
        alike = f"its messages are {likeness_words(found.likeness)} alike"
        lines = [f"  nearest: {payer_words(near)} (key {near.key[:12]}…); {alike}"]
        return lines + [f"  {line}" for line in change_lines(found.change)]


def story_of(
    call: StoredSpan,
    *,
    row: StoredResult,
    calls: Sequence[StoredSpan],
    recorded: Sequence[RecordedCall],
    payer: RecordedCall | None,
    mode: str,
    ttl_s: float | None,
) -> CallStory:
    """Say why this call of a topic was answered as it was.

    `row` and `calls` are the topic's, `recorded` what the cache holds for the topic, `payer` what
    it holds under the call's key.
    """
    error = call.error
    outcome: Outcome = _OUTCOMES.get(call.served.source, "asked")
    if error is not None:
        outcome = "missed" if error.type == "CacheMiss" else "failed"
    explanation = None
    if outcome == "missed" or (outcome in ("asked", "failed") and mode == "read_write"):
        explanation = _explained(call, row, calls, recorded, replayed=outcome == "missed")
    return CallStory(
        run_id=call.run_id,
        topic_id=call.topic_id,
        span_id=call.id,
        key=call.key,
        outcome=outcome,
        policy=mode if ttl_s is None else f"{mode}, ttl {ttl_s:g} s",
        payer=payer,
        payer_is_later=payer is not None and payer.created_at > _began(call, row, calls),
        saved=call.saved,
        error=None if error is None else f"{error.kind or error.type}: {error.message}",
        explanation=explanation,
    )


def payer_words(call: RecordedCall) -> str:
    """`research.1/research of topic 'tides' in run X, 2026-11-21 12:00:00 UTC, $0.0005`."""
    if call.span_id:
        where = f"{call.span_id} of topic {call.topic_id!r}"
    else:
        where = "a call that is not known any more"
    if call.completion.cost is None:
        cost = ""
    else:
        cost = f", {money(call.completion.cost)}"
    return f"{where} in run {call.run_id}, {call.created_at:%Y-%m-%d %H:%M:%S} UTC{cost}"


def payer_json(call: RecordedCall) -> dict[str, Any]:
    return {
        "topic_id": call.topic_id,
        "span_id": call.span_id,
        "key": call.key,
        "run_id": call.run_id,
        "created_at": call.created_at.isoformat(),
        "cost": call.completion.cost,
    }


def _explained(
    call: StoredSpan,
    row: StoredResult,
    calls: Sequence[StoredSpan],
    recorded: Sequence[RecordedCall],
    *,
    replayed: bool,
) -> Explanation:
    """Compared with what other runs had stored before the call; a replay stores nothing, so all of
    it was there.
    """
    began = _began(call, row, calls)
    before = [
        one
        for one in recorded
        if replayed or (one.created_at < began and one.run_id != call.run_id)
    ]
    return explain(
        request=call.request,
        topic_id=call.topic_id,
        span_id=call.id,
        recorded=before,
        earlier=answers_before(call, calls),
    )


def _began(call: StoredSpan, row: StoredResult, calls: Sequence[StoredSpan]) -> datetime:
    """Return when the call was wanted: a topic's first call is wanted when the topic begins."""
    first_s = min(one.start_s for one in calls)
    return row.started_at + timedelta(seconds=call.start_s - first_s)
