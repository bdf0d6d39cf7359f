"""The state of a run in words, from its files: the text of `harness status`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.cli.live.lines import (
    calls_words,
    causes_words,
    endpoint_words,
    held_words,
    money_line,
    time_words,
    waits_words,
)
from harness.cli.summary import (
    answer_fields,
    failure_fields,
    left_open_fields,
    money_fields,
    run_outage_fields,
    skipped_fields,
    topics_field,
    work_fields,
)
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget
from harness.records.manifest import Manifest
from harness.render.document import Field, Fields
from harness.runs.live_file import Live
from harness.runs.run_state import RunState
from harness.runs.wanted import begun_words, elsewhere_words, is_simulated
from harness.text.amounts import counted, duration

SILENT_S = 15.0
"""A run tells of itself every second; one that says nothing for so long is stopped, or its machine
is overloaded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caps:
    """The settings that money is told against, as `run.json` keeps them."""

    budget: float | None
    budget_tokens: int | None


def standing_of(state: RunState, now: datetime) -> Fields:
    """Return some lines for a person."""
    manifest, sums = state.manifest, state.sums
    fields = [
        *_run_fields(state, now),
        topics_field(sums, state.unfinished, state.skipped),
        *failure_fields(state.failures),
        *skipped_fields(state.skipped, manifest.dataset.skipped_lines),
    ]
    if state.live is not None:
        fields += _live_fields(state.live, _caps(manifest), now)
    else:
        fields += work_fields(sums, streamed=manifest.settings.get("stream", True))
        fields += _money_fields(state)
    fields += answer_fields(sums.answers)
    fields += left_open_fields(state.left_open)
    fields += [Field("note", note) for note in state.notes]
    fields += run_outage_fields(manifest)
    stop = stop_of(state)
    if stop is not None:
        fields.append(Field("stopped", stop["message"]))
    if not state.running and (sums.failed or state.unfinished or state.killed):
        path = shlex.quote(str(state.path))
        fields.append(Field("continue", f"harness resume {path}", whole=True))
    return Fields(fields=tuple(fields))


def _run_fields(state: RunState, now: datetime) -> list[Field]:
    """Say which run it is, what it asks, and when its last session began."""
    manifest = state.manifest
    identity = manifest.identity
    run = f"{manifest.run_id}, {state_words(state, now)}, session {manifest.sessions}"
    asked = f"{identity['model']} at {identity['endpoint']}"
    fields = [
        Field("run", run),
        Field("dataset", str(manifest.dataset.path)),
        Field("model", asked, tuple(elsewhere_words(manifest))),
    ]
    # The log tells more of a session that ended.
    if state.begun is not None and (state.running or state.killed):
        fields.append(Field("began", begun_words(state.begun)))
    return fields


_PLAIN_STATUSES = ("complete", "incomplete", "interrupted")


def state_words(state: RunState, now: datetime) -> str:
    """`running (process 4711)`, `killed, last alive 03:12 …`, `complete, 169 failed`."""
    if state.running:
        pid = _pid(state)
        return "running" if pid is None else f"running (process {pid})"
    if state.last_alive is not None:
        ago = duration(max(0.0, (now - state.last_alive).total_seconds()))
        return f"killed, last alive at {state.last_alive:%Y-%m-%d %H:%M:%S} UTC, {ago} ago"
    word = state.manifest.status
    # The cause, as one word for programs; a line of its own tells it.
    if word not in _PLAIN_STATUSES:
        word = "stopped"
    if word == "complete" and state.unfinished:
        word = f"complete, but rows are missing: {state.unfinished:,}"
    failed = state.sums.failed
    return f"{word}, {failed:,} failed" if failed else word


def _pid(state: RunState) -> int | None:
    """The process that is at work, by what it last told, or by what it wrote when it began."""
    if state.live is not None:
        return state.live.pid
    return None if state.begun is None else state.begun.pid


def stop_of(state: RunState) -> Mapping[str, Any] | None:
    """Return the reason that stopped the last session, unless the run has gone on since."""
    sessions = state.manifest.session_log
    if state.running or state.killed or not sessions:
        return None
    stop: Mapping[str, Any] | None = sessions[-1]["stop"]
    return stop


def _live_fields(live: Live, caps: _Caps, now: datetime) -> list[Field]:
    """Return the run's own display, in its words."""
    seen = live.seen
    fields = [Field("calls", calls_words(seen))]
    waits = waits_words(seen)
    if waits:
        fields.append(Field("waiting", waits))
    fields += [Field("all wait", words) for words in held_words(seen)]
    fields += [Field("endpoint", words) for words in endpoint_words(seen)]
    if seen.causes:
        fields.append(Field("failing", causes_words(seen)))
    fields += [Field("cost", money_line(seen, caps)), Field("time", time_words(seen))]
    if seen.stopping is not None:
        fields.append(Field("stopping", seen.stopping))
    silent_s = (now - live.at).total_seconds()
    if silent_s > SILENT_S:
        fields.append(Field("silent", _silence(silent_s, live.pid)))
    return fields


def _silence(silent_s: float, pid: int) -> str:
    return (
        f"no word from it for {duration(silent_s)}: look whether process {pid} is stopped, or its"
        " machine was asleep"
    )


def _money_fields(state: RunState) -> list[Field]:
    caps = _caps(state.manifest)
    fields = money_fields(
        Outlay.of(state.sums, state.journal),
        state.sums,
        state.unfinished,
        Budget(cost=caps.budget, tokens=caps.budget_tokens),
        simulated=is_simulated(state.manifest),
    )
    if state.left_open:
        requests = counted(len(state.left_open), "request")
        fields.append(Field("open", f"{requests} had no answer yet when it was killed"))
    return fields


def _caps(manifest: Manifest) -> _Caps:
    settings = manifest.settings
    return _Caps(budget=settings.get("budget"), budget_tokens=settings.get("budget_tokens"))
