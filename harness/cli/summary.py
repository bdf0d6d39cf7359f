"""A run in words, after it ended: what became of the topics, what it took, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from harness.cli.money_words import LEAST_SAID, budget_fields, reservation_fields
from harness.cli.usage_words import is_untold, reasoning_words, untold_words
from harness.domain.completion import Usage
from harness.domain.outage_words import PastOutage, outage_lines, queue_words
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget
from harness.domain.remedies import remedy_of
from harness.domain.who_answered import AnswererCounts, doubt_lines, why_unpriced
from harness.engine.limiter import LimiterState
from harness.ports import OpenCall
from harness.records.manifest import Manifest
from harness.records.outages import outage_to_json, run_outages
from harness.records.run_standing import FailedAlike, RowTotals
from harness.render.document import Field, Fields
from harness.runs.session import Report, limits_learned
from harness.settings import Settings
from harness.text.amounts import counted, elapsed, money

LISTED_OPEN = 20
LISTED_CAUSES = 5
LISTED_BAD = 5
_TOLD_STARTUP_S = 0.1
"""The least start-up that is told of."""

LARGE_STALL_S = 5.0
"""A loop held up for so long delays every call and display; less than that is common on a machine
with much to do.
"""


def summary_of(report: Report, settings: Settings) -> Fields:
    """Return some lines for a person; with `verbose` also what is of use to few."""
    outlay = Outlay.of(report.sums, asdict(report.spent))
    budget = settings.spending_cap()
    return Fields(
        fields=(
            topics_field(report.sums, report.unfinished, report.skipped),
            *failure_fields(report.failures),
            *skipped_fields(report.skipped, report.bad_lines),
            *work_fields(report.sums, streamed=settings.stream),
            *answer_fields(report.sums.answers),
            *money_fields(
                outlay, report.sums, report.unfinished, budget, simulated=report.simulated
            ),
            *reservation_fields(
                report.reservations,
                outlay,
                budget,
                settings.budget_reserve,
                wall_s=report.wall_s,
                unfinished=report.unfinished,
            ),
            *left_open_fields(report.left_open),
            *time_fields(
                report.wall_s,
                report.session.totals.sequential_s,
                report.longest_stall_s,
                startup_s=report.startup_s,
                queued=_is_queued(report),
                verbose=settings.verbose,
            ),
            *outage_fields(report.outages),
            *_limit_fields(report),
            *endpoint_fields(report.endpoints),
            *_next_fields(report),
        )
    )


def _is_queued(report: Report) -> bool:
    """True if a server worked on few calls at once, and had the others wait."""
    states = (report.limiter, *report.endpoints.values())
    return any(state.works_on is not None for state in states)


def _limit_fields(report: Report) -> list[Field]:
    """Return what was learned of the limits of the one endpoint of a run."""
    state, fields = report.limiter, []
    if state.refusals and not report.endpoints:
        were = "was" if state.refusals == 1 else "were"
        text = f"{counted(state.refusals, 'request')} {were} refused (429); {_let_in_words(state)}"
        if state.named_limit:
            text += f", the provider named {state.named_limit}"
        fields.append(Field("limits", text))
    if state.works_on is not None:
        fields.append(Field("queue", queue_words(state.works_on)))
    return fields


def _let_in_words(state: LimiterState) -> str:
    most = counted(state.maximum, "call")
    return f"at most {state.places} of {most} in flight at the end"


def _next_fields(report: Report) -> list[Field]:
    """Return where the results are, why the run stopped, and what to do next."""
    path = shlex.quote(str(report.path))
    fields = [Field("results", str(report.path), whole=True)]
    if report.stop is not None:
        fields.append(Field("stopped", report.stop.message))
    if report.unfinished or report.sums.failed:
        fields.append(Field("continue", f"harness resume {path}", whole=True))
    return [*fields, Field("look", f"harness show {path}", whole=True)]


def endpoint_fields(endpoints: Mapping[str, LimiterState]) -> list[Field]:
    """Say what was learned of the limits of each endpoint of several, a line each; none of one that
    showed no limit.
    """
    fields = []
    for name, state in endpoints.items():
        said = []
        if state.refusals:
            said.append(f"{counted(state.refusals, 'refusal')} (429), {_let_in_words(state)}")
        if state.works_on is not None:
            said.append(queue_words(state.works_on, name))
        if said:
            fields.append(Field("endpoint", f"{name}: {'; '.join(said)}"))
    return fields


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
        "startup_s": round(report.startup_s, 6),
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


def failure_fields(failures: Sequence[FailedAlike]) -> list[Field]:
    """Say why topics failed: of each cause the first message, the line of the workflow's code if it
    came from there, and what helps. Each line is whole, however long.
    """
    lines = []
    for alike in failures[:LISTED_CAUSES]:
        lines.append(_alike_words(alike))
        if alike.where is not None:
            lines.append(f"  {place_words(alike.where, alike.code)}")
        lines.append(f"  → {remedy_of(type=alike.type, kind=alike.kind)}")
    if len(failures) > LISTED_CAUSES:
        rest = sum(alike.topics for alike in failures[LISTED_CAUSES:])
        lines.append(f"{rest:,} × other causes")
    return _under("failed", lines)


def _alike_words(alike: FailedAlike) -> str:
    words = f"{alike.topics:,} × {alike.cause}"
    if alike.message:
        words += f" – {alike.message}"
    # A bad line of a topic file is called by its place, with which its message begins.
    if alike.type != "DatasetError":
        words += f" ({alike.topic_id})"
    return words


def _under(label: str, lines: Sequence[str]) -> list[Field]:
    """Return the lines as one field, or none where there are none."""
    if not lines:
        return []
    return [Field(label, lines[0], tuple(lines[1:]))]


def place_words(where: str, code: str | None) -> str:
    """`flow.py:12: return answers[0]`."""
    return where if code is None else f"{where}: {code}"


def time_fields(
    wall_s: float,
    sequential_s: float,
    longest_stall_s: float,
    *,
    startup_s: float = 0.0,
    queued: bool = False,
    verbose: bool,
) -> list[Field]:
    """Say what the session took from the first call wanted, against its calls one after another,
    what there was before that, and how long the event loop was held up if it was.

    Where calls were `queued` by the server, the times of the calls hold those of others before
    them: it is not known what they would take one after another.
    """
    time = elapsed(wall_s)
    if wall_s > 0 and sequential_s > wall_s and not queued:
        times = f"{sequential_s / wall_s:.1f} ×"
        time += f", {times} faster than one after another ({elapsed(sequential_s)})"
    fields = [Field("time", time)]
    if startup_s >= _TOLD_STARTUP_S:
        fields.append(
            Field("start-up", f"{elapsed(startup_s)} before the first call, not in that time")
        )
    if longest_stall_s >= LARGE_STALL_S:
        stalled = (
            f"everything stood still for {elapsed(longest_stall_s)}: code of the workflow that"
            " takes so long belongs into a thread (asyncio.to_thread), or the machine had too much"
            " to do"
        )
        fields.append(Field("loop", stalled))
    elif verbose and longest_stall_s > 0:
        stalled = f"the event loop was held up for {longest_stall_s * 1000:.0f} ms at the longest"
        fields.append(Field("loop", stalled))
    return fields


def left_open_fields(left_open: Sequence[OpenCall]) -> list[Field]:
    """Name the requests that earlier sessions left open, each with its cost at most."""
    if not left_open:
        return []
    number = counted(len(left_open), "request")
    lines = [f"{number} of earlier sessions broke off, and may have been paid for:"]
    for request in left_open[:LISTED_OPEN]:
        most = "at a price not known"
        if request.cost_at_most is not None:
            most = f"at most {money(request.cost_at_most)}"
        sent = f"{request.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"since {sent}, {most}: {request.call.topic_id} {request.call.span_id}")
    if len(left_open) > LISTED_OPEN:
        lines.append(f"… and {len(left_open) - LISTED_OPEN:,} more; --json lists them all")
    return _under("open", lines)


def topics_field(totals: RowTotals, unfinished: int, skipped: int = 0) -> Field:
    """Say how the topics ended. Lines that were skipped are no topics."""
    counts = [
        f"{totals.ok:,} ok",
        f"{totals.degraded:,} degraded",
        f"{totals.failed:,} failed",
    ]
    if unfinished:
        counts.append(f"{unfinished:,} unfinished")
    if skipped:
        counts.append(f"{skipped:,} skipped")
    return Field("topics", f"{totals.rows + unfinished:,}: {', '.join(counts)}")


def skipped_fields(skipped: int, bad_lines: Sequence[str]) -> list[Field]:
    """Name the first lines of the file that are no topics, and why."""
    lines = list(bad_lines[:LISTED_BAD])
    if skipped > LISTED_BAD:
        lines.append(f"… and {counted(skipped - LISTED_BAD, 'bad line')} more")
    return _under("skipped", lines)


def work_fields(totals: RowTotals, *, streamed: bool) -> list[Field]:
    """Say how many calls there were, and what they took in tokens."""
    usage = totals.usage
    calls = f"{totals.calls:,}, {totals.hits:,} of them answered by the cache"
    advice: tuple[str, ...] = ()
    if usage.untold and streamed:
        advice = ("  → --no-stream may make the server tell them",)
    return [Field("calls", calls), Field("tokens", _tokens_words(usage), advice)]


def _tokens_words(usage: Usage) -> str:
    if is_untold(usage):
        return f"not told by the server for {counted(usage.untold, 'answer')}"
    cached = 0.0
    if usage.input_tokens:
        cached = usage.cached_tokens / usage.input_tokens
    return (
        f"{usage.input_tokens:,} in ({cached:.0%} cached by the provider),"
        f" {usage.output_tokens:,} out"
        f" ({reasoning_words(usage, of=' of them')}){untold_words(usage)}"
    )


def answer_fields(answers: AnswererCounts) -> list[Field]:
    """Say where what answered was not what was asked for, or not the same throughout: a line for
    each model.
    """
    return [Field("model", line) for line in doubt_lines(answers)]


def money_fields(
    outlay: Outlay, totals: RowTotals, unfinished: int, budget: Budget, *, simulated: bool
) -> list[Field]:
    """Say what was spent, then what of it counts against the budget, or what may come on top where
    there is none.
    """
    cost = _cost_words(outlay, totals, unfinished, simulated=simulated)
    return [Field("cost", cost), *budget_fields(outlay, budget)]


def _cost_words(outlay: Outlay, totals: RowTotals, unfinished: int, *, simulated: bool) -> str:
    why = _why_not_known(totals)
    if totals.unpriced and not outlay.cost:
        return f"not known: {why}"
    cost = money(outlay.cost)
    elsewhere = outlay.cost - outlay.cost_in_rows
    if elsewhere >= LEAST_SAID:
        ended = "are not finished" if unfinished else "were run again"
        cost += f", {money(elsewhere)} of it for topics that {ended}"
    if totals.unpriced:
        topics = counted(totals.unpriced, "topic")
        cost += f" (not counting {topics} with calls whose cost is not known: {why})"
    if totals.saved:
        cost += f"; answers worth {money(totals.saved)} came from the cache"
    if simulated:
        cost += "; simulated at DeepSeek's prices, nothing was paid"
    return cost


def _why_not_known(totals: RowTotals) -> str:
    """Say why a cost is not known, where one is not."""
    if totals.usage.untold:
        return "the server told no usage"
    return why_unpriced(totals.answers)


def run_outage_fields(manifest: Manifest) -> list[Field]:
    """Name the outages of all sessions of a run, from its `run.json`, a line each."""
    return outage_fields(run_outages(manifest))


def outage_fields(outages: Sequence[PastOutage]) -> list[Field]:
    """Name outages in the local time of this machine, a line each."""
    return _under("outages", outage_lines(list(map(_local, outages)), _today()))


def _local(outage: PastOutage) -> PastOutage:
    local = replace(outage, since=outage.since.astimezone())
    if outage.until is None:
        return local
    return replace(local, until=outage.until.astimezone())


def _today() -> date:
    return datetime.now().astimezone().date()


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    rounded = dict(values)
    for name, value in values.items():
        if isinstance(value, float):
            rounded[name] = round(value, 9)
    return rounded
