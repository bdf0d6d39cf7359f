"""A run in words, after it ended: what became of the topics, what it took, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from harness.cli.money_words import LEAST_SAID, budget_lines, reservation_lines
from harness.cli.usage_words import is_untold, reasoning_words, untold_words
from harness.domain.outage_words import PastOutage, outage_lines, queue_words
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget
from harness.domain.remedies import remedy_of
from harness.domain.who_answered import AnswererCounts, doubt_lines, why_unpriced
from harness.engine.limiter import LimiterState
from harness.ports import OpenCall
from harness.records.answers import answers_in
from harness.records.outages import outage_to_json, run_outages
from harness.records.run_standing import FailedAlike
from harness.runs.session import Report, limits_learned
from harness.settings import Settings
from harness.text.amounts import counted, elapsed, money

LISTED_OPEN = 20
LISTED_CAUSES = 5
LISTED_BAD = 5
LARGE_STALL_S = 5.0
"""A loop held up for so long delays every call and display; less than that is common on a machine
with much to do.
"""


def summary_of(report: Report, settings: Settings) -> str:
    """Some lines for a person; with `verbose` also what is of use to few."""
    budget = settings.spending_cap()
    outlay = Outlay.of(report.totals, asdict(report.spent))
    lines = [
        topics_line(report.totals, report.unfinished, report.skipped),
        *failure_lines(report.failures),
        *skipped_lines(report.skipped, report.bad_lines),
        *work_lines(report.totals, streamed=settings.stream),
        *answer_lines(answers_in(report.totals)),
        *money_lines(outlay, report.totals, report.unfinished, budget, simulated=report.simulated),
        *reservation_lines(
            report.reservations,
            outlay,
            budget,
            settings.budget_reserve,
            wall_s=report.wall_s,
            unfinished=report.unfinished,
        ),
        *left_open_lines(report.left_open),
    ]
    lines += time_lines(
        report.wall_s,
        report.session.totals.sequential_s,
        report.longest_stall_s,
        queued=any(
            state.works_on is not None for state in (report.limiter, *report.endpoints.values())
        ),
        verbose=settings.verbose,
    )
    lines += outages_lines(report.outages)
    if report.limiter.refusals and not report.endpoints:
        refused = (
            f"{counted(report.limiter.refusals, 'request')}"
            f" {'was' if report.limiter.refusals == 1 else 'were'}"
        )
        named = (
            f", the provider named {report.limiter.named_limit}"
            if report.limiter.named_limit
            else ""
        )
        lines.append(
            f"limits    {refused} refused (429); at most {report.limiter.places} of "
            f"{counted(report.limiter.maximum, 'call')} in flight at the end{named}"
        )
    if report.limiter.works_on is not None:
        lines.append(f"queue     {queue_words(report.limiter.works_on)}")
    lines += endpoint_lines(report.endpoints)
    lines.append(f"results   {report.path}")
    if report.stop is not None:
        lines.append(f"stopped   {report.stop.message}")
    if report.unfinished or report.totals["failed"]:
        lines.append(f"continue  harness resume {shlex.quote(str(report.path))}")
    lines.append(f"look      harness show {shlex.quote(str(report.path))}")
    return "\n".join(lines)


def endpoint_lines(endpoints: Mapping[str, LimiterState]) -> list[str]:
    """Say what was learned of the limits of each endpoint of several, a line each; none of one that
    showed no limit.
    """
    lines = []
    for name, state in endpoints.items():
        said = []
        if state.refusals:
            said.append(
                f"{counted(state.refusals, 'refusal')} (429), at most {state.places} of "
                f"{counted(state.maximum, 'call')} in flight at the end"
            )
        if state.works_on is not None:
            said.append(queue_words(state.works_on, name))
        if said:
            lines.append(f"endpoint  {name}: {'; '.join(said)}")
    return lines


def report_json(report: Report) -> dict[str, Any]:
    """The same for machines."""
    return {
        "path": str(report.path),
        "run_id": report.run_id,
        "exit_code": report.exit_code,
        "topics": report.topics,
        "unfinished": report.unfinished,
        "skipped": report.skipped,
        "bad_lines": list(report.bad_lines),
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
        "limits_learned": limits_learned(report.limiter, report.endpoints),
        "outages": [outage_to_json(outage) for outage in report.outages],
        "reservations": _rounded(asdict(report.reservations)),
        "longest_stall_s": round(report.longest_stall_s, 6),
    }


def failure_lines(failures: Sequence[FailedAlike]) -> list[str]:
    """Say why topics failed: of each cause the first message, the line of the workflow's code if it
    came from there, and what helps. Each line is whole, however long.
    """
    lines = []
    for alike in failures[:LISTED_CAUSES]:
        said = f" – {alike.message}" if alike.message else ""
        # A bad line of a topic file is called by its place, with which its message begins.
        first = "" if alike.type == "DatasetError" else f" ({alike.topic_id})"
        lines.append(f"          {alike.topics:,} × {alike.cause}{said}{first}")
        if alike.where is not None:
            lines.append(f"            {place_words(alike.where, alike.code)}")
        lines.append(f"            → {remedy_of(type=alike.type, kind=alike.kind)}")
    if len(failures) > LISTED_CAUSES:
        rest = sum(alike.topics for alike in failures[LISTED_CAUSES:])
        lines.append(f"          {rest:,} × other causes")
    if lines:
        lines[0] = f"failed    {lines[0].lstrip()}"
    return lines


def place_words(where: str, code: str | None) -> str:
    """`flow.py:12: return answers[0]`."""
    return where if code is None else f"{where}: {code}"


def time_lines(
    wall_s: float,
    sequential_s: float,
    longest_stall_s: float,
    *,
    queued: bool = False,
    verbose: bool,
) -> list[str]:
    """Say what the session took, against its calls one after another, and how long the event loop
    was held up if it was.

    Where calls were `queued` by the server, the times of the calls hold those of others before
    them: it is not known what they would take one after another.
    """
    time = f"time      {elapsed(wall_s)}"
    if wall_s > 0 and sequential_s > wall_s and not queued:
        time += f", {sequential_s / wall_s:.1f} × faster than one after another ({elapsed(sequential_s)})"
    lines = [time]
    if longest_stall_s >= LARGE_STALL_S:
        lines.append(
            f"loop      everything stood still for {elapsed(longest_stall_s)}: code of the workflow"
            " that takes so long belongs into a thread (asyncio.to_thread), or the machine had too"
            " much to do"
        )
    elif verbose and longest_stall_s > 0:
        lines.append(
            f"loop      the event loop was held up for {longest_stall_s * 1000:.0f} ms at the"
            " longest"
        )
    return lines


def left_open_lines(left_open: Sequence[OpenCall]) -> list[str]:
    """The requests that earlier sessions left open, each with its cost at most."""
    lines = []
    for request in left_open[:LISTED_OPEN]:
        most = (
            "at a price not known"
            if request.cost_at_most is None
            else f"at most {money(request.cost_at_most)}"
        )
        sent = f"{request.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(
            f"          since {sent}, {most}: {request.call.topic_id} {request.call.span_id}"
        )
    if len(left_open) > LISTED_OPEN:
        lines.append(
            f"          … and {len(left_open) - LISTED_OPEN:,} more; --json lists them all"
        )
    if lines:
        broke_off = (
            f"{counted(len(left_open), 'request')} of earlier sessions broke off, and may have been"
            " paid for:"
        )
        lines.insert(0, f"open      {broke_off}")
    return lines


def topics_line(totals: Mapping[str, Any], unfinished: int, skipped: int = 0) -> str:
    """Say how the topics ended. Lines that were skipped are no topics."""
    counts = [
        f"{totals['ok']:,} ok",
        f"{totals['degraded']:,} degraded",
        f"{totals['failed']:,} failed",
    ]
    if unfinished:
        counts.append(f"{unfinished:,} unfinished")
    if skipped:
        counts.append(f"{skipped:,} skipped")
    return f"topics    {totals['rows'] + unfinished:,}: {', '.join(counts)}"


def skipped_lines(skipped: int, bad_lines: Sequence[str]) -> list[str]:
    """The first lines of the file that are no topics, and why."""
    lines = [f"          {line}" for line in bad_lines[:LISTED_BAD]]
    if skipped > LISTED_BAD:
        lines.append(f"          … and {counted(skipped - LISTED_BAD, 'bad line')} more")
    return [f"skipped   {lines[0].lstrip()}", *lines[1:]] if lines else []


def work_lines(totals: Mapping[str, Any], *, streamed: bool) -> list[str]:
    usage = totals["usage"]
    lines = [f"calls     {totals['calls']:,}, {totals['hits']:,} of them answered by the cache"]
    if is_untold(usage):
        lines.append(f"tokens    not told by the server for {counted(usage['untold'], 'answer')}")
    else:
        cached = usage["cached_tokens"] / usage["input_tokens"] if usage["input_tokens"] else 0.0
        lines.append(
            f"tokens    {usage['input_tokens']:,} in ({cached:.0%} cached by the provider),"
            f" {usage['output_tokens']:,} out"
            f" ({reasoning_words(usage, of=' of them')}){untold_words(usage)}"
        )
    if usage.get("untold", 0) and streamed:
        lines.append("            → --no-stream may make the server tell them")
    return lines


def answer_lines(answers: AnswererCounts) -> list[str]:
    """Say where what answered was not what was asked for, or not the same throughout: a line for
    each model.
    """
    return [f"model     {line}" for line in doubt_lines(answers)]


def money_lines(
    outlay: Outlay, totals: Mapping[str, Any], unfinished: int, budget: Budget, *, simulated: bool
) -> list[str]:
    """Say what was spent, then what of it counts against the budget, or what may come on top where
    there is none.
    """
    return [
        _cost_line(outlay, totals, unfinished, simulated=simulated),
        *budget_lines(outlay, budget),
    ]


def _cost_line(
    outlay: Outlay, totals: Mapping[str, Any], unfinished: int, *, simulated: bool
) -> str:
    untold = totals["usage"].get("untold", 0)
    why = "the server told no usage" if untold else why_unpriced(answers_in(totals))
    if totals["unpriced"] and not outlay.cost:
        return f"cost      not known: {why}"
    cost = f"cost      {money(outlay.cost)}"
    elsewhere = outlay.cost - outlay.cost_in_rows
    if elsewhere >= LEAST_SAID:
        cost += (
            f", {money(elsewhere)} of it for topics that"
            f" {'are not finished' if unfinished else 'were run again'}"
        )
    if totals["unpriced"]:
        cost += (
            f" (not counting {counted(totals['unpriced'], 'topic')} with calls whose cost is not"
            f" known: {why})"
        )
    if totals["saved"]:
        cost += f"; answers worth {money(totals['saved'])} came from the cache"
    if simulated:
        cost += "; simulated at DeepSeek's prices, nothing was paid"
    return cost


def run_outages_lines(manifest: Mapping[str, Any]) -> list[str]:
    """The outages of all sessions of a run, from its `run.json`, a line each."""
    return outages_lines(run_outages(manifest))


def outages_lines(outages: Sequence[PastOutage]) -> list[str]:
    """Outages in the local time of this machine, a line each."""
    lines = outage_lines([_local(outage) for outage in outages], _today())
    label = "outages"
    labelled = []
    for line in lines:
        labelled.append(f"{label:<10}{line}")
        label = ""
    return labelled


def _local(outage: PastOutage) -> PastOutage:
    until = None if outage.until is None else outage.until.astimezone()
    return replace(outage, since=outage.since.astimezone(), until=until)


def _today() -> date:
    return datetime.now().astimezone().date()


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    rounded = dict(values)
    for name, value in values.items():
        if isinstance(value, float):
            rounded[name] = round(value, 9)
    return rounded
