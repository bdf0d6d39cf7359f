"""A run in words, after it ended: what became of the topics, what it took, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.adapters.runs.run_standing import FailedAlike
from harness.cli.glance import clock
from harness.cli.money_words import LEAST_SAID, budget_lines, reservation_lines
from harness.cli.usage_words import is_untold, reasoning_words, untold_words
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget
from harness.domain.sanitize import one_line
from harness.domain.wording import counted
from harness.ports import OpenCall
from harness.session import Report
from harness.settings import Settings

LISTED_OPEN = 20
LISTED_CAUSES = 5
SAID = 60
_ADVICE = {
    "length": "the cap on tokens cut the answer: raise max_tokens for the step, and resume",
    "content_filter": "it will be refused again: change the topic or the prompt",
    "bad_request": "it will be refused again: see what the message names (harness doctor checks the settings)",
    "redirect": "the base URL is not the right one: set what the message names",
    "TopicBudgetExceeded": "raise --topic-budget, and resume",
    "TooManyCalls": "raise --max-calls, or let the workflow ask for fewer parts",
    "TooDeep": "raise --max-depth, or let the workflow go less deep",
    "DatasetError": "mend the lines of the topic file, and start a new run",
}
"""What helps, by a failure's kind or type, where it would fail again; all others `harness resume` tries again."""


def summary_of(report: Report, settings: Settings) -> str:
    """Some lines for a person."""
    budget = settings.spending_cap()
    outlay = Outlay.of(report.totals, asdict(report.spent))
    lines = [
        topics_line(report.totals, report.unfinished),
        *failure_lines(report.failures),
        *_work_lines(report.totals, streamed=settings.stream),
        *money_lines(outlay, report.totals, report.unfinished, budget, simulated=settings.is_mock),
        *reservation_lines(
            report.reservations,
            outlay,
            budget,
            settings.budget_reserve,
            wall_s=report.wall_s,
            unfinished=report.unfinished,
        ),
        *_left_open_lines(report.left_open),
    ]
    session = report.session.totals
    if session.calls and report.wall_s > 0 and session.sequential_s > report.wall_s:
        lines.append(
            f"time      {_span(report.wall_s)}; the same calls one after another would take "
            f"{_span(session.sequential_s)}: {session.sequential_s / report.wall_s:.1f} times as long"
        )
    else:
        lines.append(f"time      {_span(report.wall_s)}")
    if report.longest_stall_s > 0:
        lines.append(f"loop      longest stall of the event loop {report.longest_stall_s * 1000:.0f} ms")
    if report.limiter.refusals:
        refused = f"{counted(report.limiter.refusals, 'request')} {'was' if report.limiter.refusals == 1 else 'were'}"
        named = f", the provider named {report.limiter.named_limit}" if report.limiter.named_limit else ""
        lines.append(
            f"limits    {refused} refused (429); at most {report.limiter.places} of "
            f"{report.limiter.maximum} calls in flight at the end{named}"
        )
    lines.append(f"results   {report.path}")
    if report.stop is not None:
        lines.append(f"stopped   {report.stop.message}")
    if report.unfinished or report.totals["failed"]:
        lines.append(f"continue  harness resume {shlex.quote(str(report.path))}")
    lines.append(f"look      harness show {shlex.quote(str(report.path))}")
    return "\n".join(lines)


def report_json(report: Report) -> dict[str, Any]:
    """The same for machines."""
    return {
        "path": str(report.path),
        "run_id": report.run_id,
        "exit_code": report.exit_code,
        "topics": report.topics,
        "unfinished": report.unfinished,
        "failures": [asdict(alike) for alike in report.failures],
        "totals": dict(report.totals),
        "wall_s": round(report.wall_s, 6),
        "session": {"topics": report.session.topics, **_rounded(asdict(report.session.totals))},
        "stop": asdict(report.stop) if report.stop else None,
        "journal": asdict(report.spent),
        "left_open": [
            {
                "topic_id": request.call.topic_id,
                "span_id": request.call.span_id,
                "opened_at": request.opened_at.isoformat(timespec="milliseconds"),
                "cost_at_most": request.cost_at_most,
                "tokens_at_most": request.tokens_at_most,
            }
            for request in report.left_open
        ],
        "limits_learned": asdict(report.limiter),
        "reservations": _rounded(asdict(report.reservations)),
        "longest_stall_s": round(report.longest_stall_s, 6),
    }


def failure_lines(failures: Sequence[FailedAlike]) -> list[str]:
    """Why topics failed, a line a cause, with what helps where trying again does not."""
    lines = []
    for alike in failures[:LISTED_CAUSES]:
        advice = _ADVICE.get(alike.kind or alike.type)
        said = f"{alike.topics:,} × {alike.cause} – {one_line(alike.message, SAID)} ({one_line(alike.topic_id, SAID)})"
        lines += [f"          {said}", *([f"            → {advice}"] if advice is not None else [])]
    if len(failures) > LISTED_CAUSES:
        rest = sum(alike.topics for alike in failures[LISTED_CAUSES:])
        lines.append(f"          {rest:,} × other causes")
    if lines:
        lines[0] = f"failed    {lines[0].lstrip()}"
    return lines


def _left_open_lines(left_open: Sequence[OpenCall]) -> list[str]:
    """The requests that earlier sessions left open, each with its cost at most."""
    lines = []
    for request in left_open[:LISTED_OPEN]:
        most = "at a price not known" if request.cost_at_most is None else f"at most ${request.cost_at_most:.4f}"
        sent = f"{request.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"          open since {sent}, {most}: {request.call.topic_id} {request.call.span_id}")
    if len(left_open) > LISTED_OPEN:
        lines.append(f"          … and {len(left_open) - LISTED_OPEN:,} more; --json lists them all")
    return lines


def topics_line(totals: Mapping[str, Any], unfinished: int) -> str:
    """How the topics ended."""
    counts = [f"{totals['ok']:,} ok", f"{totals['degraded']:,} degraded", f"{totals['failed']:,} failed"]
    if unfinished:
        counts.append(f"{unfinished:,} unfinished")
    return f"topics    {totals['rows'] + unfinished:,}: {', '.join(counts)}"


def _work_lines(totals: Mapping[str, Any], *, streamed: bool) -> list[str]:
    usage = totals["usage"]
    lines = [f"calls     {totals['calls']:,}, {totals['hits']:,} of them answered by the cache"]
    if is_untold(usage):
        lines.append(f"tokens    not told by the server for {counted(usage['untold'], 'answer')}")
    else:
        cached = usage["cached_tokens"] / usage["input_tokens"] if usage["input_tokens"] else 0.0
        lines.append(
            f"tokens    {usage['input_tokens']:,} in ({cached:.0%} cached by the provider), "
            f"{usage['output_tokens']:,} out ({reasoning_words(usage, of=' of them')}){untold_words(usage)}"
        )
    if usage.get("untold", 0) and streamed:
        lines.append("            → --no-stream may make the server tell them")
    return lines


def money_lines(
    outlay: Outlay, totals: Mapping[str, Any], unfinished: int, budget: Budget, *, simulated: bool
) -> list[str]:
    """What was spent, then what of it counts against the budget, or what may come on top where there is none."""
    return [_cost_line(outlay, totals, unfinished, simulated=simulated), *budget_lines(outlay, budget)]


def _cost_line(outlay: Outlay, totals: Mapping[str, Any], unfinished: int, *, simulated: bool) -> str:
    untold = totals["usage"].get("untold", 0)
    why = "the server told no usage" if untold else "no price is known for the model"
    if totals["unpriced"] and not outlay.cost:
        return f"cost      not known: {why}"
    cost = f"cost      ${outlay.cost:.4f}"
    elsewhere = outlay.cost - outlay.cost_in_rows
    if elsewhere >= LEAST_SAID:
        cost += f", ${elsewhere:.4f} of it for topics that {'are not finished' if unfinished else 'were run again'}"
    if totals["unpriced"]:
        cost += f" (not counting {counted(totals['unpriced'], 'topic')} with calls whose cost is not known: {why})"
    if totals["saved"]:
        cost += f"; answers worth ${totals['saved']:.4f} came from the cache"
    if simulated:
        cost += "; simulated at DeepSeek's prices, nothing was paid"
    return cost


def run_lines(
    path: Path,
    manifest: Mapping[str, Any],
    totals: Mapping[str, Any],
    unfinished: int,
    *,
    running: bool,
    failures: Sequence[FailedAlike] = (),
) -> list[str]:
    """How a run stands, from its files."""
    state = "running" if running else manifest["status"]
    if not running and state == "running":
        state = "ended without a word (killed?)"
    lines = [
        f"run       {manifest['run_id']}, {state}, session {manifest['sessions']}",
        f"dataset   {manifest['dataset']['path']}",
        f"model     {manifest['identity']['model']} at {manifest['identity']['endpoint']}",
        topics_line(totals, unfinished),
        *failure_lines(failures),
        *_work_lines(totals, streamed=manifest["settings"].get("stream", True)),
        *money_lines(
            Outlay.of(totals, manifest.get("journal", {})),
            totals,
            unfinished,
            Budget(cost=manifest["settings"].get("budget"), tokens=manifest["settings"].get("budget_tokens")),
            simulated=manifest["identity"]["endpoint"] == "mock",
        ),
    ]
    sessions = manifest.get("session_log", [])
    if sessions and sessions[-1]["stop"]:
        lines.append(f"stopped   {sessions[-1]['stop']['message']}")
    if not running and (totals["failed"] or unfinished):
        lines.append(f"continue  harness resume {shlex.quote(str(path))}")
    return lines


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else clock(seconds)


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in values.items()}
