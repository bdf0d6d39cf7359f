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
    money_words,
    time_words,
    waits_words,
)
from harness.cli.summary import (
    answer_lines,
    failure_lines,
    left_open_lines,
    money_lines,
    run_outages_lines,
    skipped_lines,
    topics_line,
    work_lines,
)
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget
from harness.records.answers import answers_in
from harness.runs.live_file import Live
from harness.runs.manifest import begun_words, elsewhere_words, is_simulated
from harness.runs.run_state import RunState
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


def standing_lines(state: RunState, now: datetime) -> list[str]:
    """Some lines for a person."""
    manifest, totals = state.manifest, state.totals
    lines = [
        (
            f"run       {manifest['run_id']}, {state_words(state, now)}, session"
            f" {manifest['sessions']}"
        ),
        f"dataset   {manifest['dataset']['path']}",
        f"model     {manifest['identity']['model']} at {manifest['identity']['endpoint']}",
        *(f"          {words}" for words in elsewhere_words(manifest)),
        *_began_lines(state),
        topics_line(totals, state.unfinished, state.skipped),
        *failure_lines(state.failures),
        *skipped_lines(state.skipped, manifest["dataset"].get("skipped_lines", ())),
    ]
    if state.live is not None:
        lines += _live_lines(state.live, _caps(manifest), now)
    else:
        lines += [
            *work_lines(totals, streamed=manifest["settings"].get("stream", True)),
            *_money_lines(state),
        ]
    lines += answer_lines(answers_in(totals))
    lines += left_open_lines(state.left_open)
    lines += [f"note      {note}" for note in state.notes]
    lines += run_outages_lines(manifest)
    stop = stop_of(state)
    if stop is not None:
        lines.append(f"stopped   {stop['message']}")
    if not state.running and (totals["failed"] or state.unfinished or state.killed):
        lines.append(f"continue  harness resume {shlex.quote(str(state.path))}")
    return lines


def _began_lines(state: RunState) -> list[str]:
    """The beginning of the session that goes on, or was killed; of one that ended its log tells
    more.
    """
    if state.begun is None or not (state.running or state.killed):
        return []
    return [f"began     {begun_words(state.begun)}"]


_PLAIN_STATUSES = ("complete", "incomplete", "interrupted")


def state_words(state: RunState, now: datetime) -> str:
    """`running (process 4711)`, `killed, last alive 03:12 …`, `complete, 169 failed`."""
    if state.running:
        pid = _pid(state)
        return "running" if pid is None else f"running (process {pid})"
    if state.last_alive is not None:
        ago = duration(max(0.0, (now - state.last_alive).total_seconds()))
        return f"killed, last alive at {state.last_alive:%Y-%m-%d %H:%M:%S} UTC, {ago} ago"
    word = str(state.manifest["status"])
    # The cause, as one word for programs; a line of its own tells it.
    if word not in _PLAIN_STATUSES:
        word = "stopped"
    if word == "complete" and state.unfinished:
        word = f"complete, but rows are missing: {state.unfinished:,}"
    failed = state.totals["failed"]
    return f"{word}, {failed:,} failed" if failed else word


def _pid(state: RunState) -> int | None:
    """The process that is at work, by what it last told, or by what it wrote when it began."""
    if state.live is not None:
        return state.live.pid
    return None if state.begun is None else state.begun.pid


def stop_of(state: RunState) -> Mapping[str, Any] | None:
    """Return the reason that stopped the last session, unless the run has gone on since."""
    sessions = state.manifest.get("session_log", [])
    if state.running or state.killed or not sessions:
        return None
    stop: Mapping[str, Any] | None = sessions[-1]["stop"]
    return stop


def _live_lines(live: Live, caps: _Caps, now: datetime) -> list[str]:
    """The run's own display, in its words."""
    seen = live.seen
    waits = waits_words(seen)
    silent_s = (now - live.at).total_seconds()
    return [
        f"calls     {calls_words(seen)}",
        *([f"waiting   {waits}"] if waits else []),
        *(f"all wait  {words}" for words in held_words(seen)),
        *(f"endpoint  {words}" for words in endpoint_words(seen)),
        *([f"failing   {causes_words(seen)}"] if seen.causes else []),
        f"cost      {money_words(seen, caps)}",
        f"time      {time_words(seen)}",
        *([f"stopping  {seen.stopping}"] if seen.stopping is not None else []),
        *([f"silent    {_silence(silent_s, live.pid)}"] if silent_s > SILENT_S else []),
    ]


def _silence(silent_s: float, pid: int) -> str:
    return (
        f"no word from it for {duration(silent_s)}: look whether process {pid} is stopped, or its"
        " machine was asleep"
    )


def _money_lines(state: RunState) -> list[str]:
    caps = _caps(state.manifest)
    lines = money_lines(
        Outlay.of(state.totals, state.journal),
        state.totals,
        state.unfinished,
        Budget(cost=caps.budget, tokens=caps.budget_tokens),
        simulated=is_simulated(state.manifest),
    )
    if state.left_open:
        lines.append(
            f"open      {counted(len(state.left_open), 'request')} had no answer yet when it was"
            " killed"
        )
    return lines


def _caps(manifest: Mapping[str, Any]) -> _Caps:
    settings = manifest["settings"]
    return _Caps(budget=settings.get("budget"), budget_tokens=settings.get("budget_tokens"))
