"""Simulated nights in words and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from harness._version import __version__
from harness.domain.pricing import is_peak
from harness.domain.waits import HELD
from harness.render.document import Block, Table, paragraph
from harness.simulation.books import SIMULATED_WAITS
from harness.simulation.fit import StepFit
from harness.simulation.forecast import Arm, Range
from harness.simulation.recording import Recording
from harness.simulation.simulated_run import Plan, with_in_flight
from harness.text.amounts import counted, elapsed, money

_ARMS_A_BLOCK = 4
_WORTH_TELLING_S = 0.005
_WORTH_NAMING = 0.01

_Row: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """All that is to be told: what was recorded, what was asked, and the nights that were
    simulated.
    """

    recording: Recording
    plan: Plan
    arms: Sequence[Arm]
    repeat: int
    seed: int


def forecast_document(forecast: Forecast) -> Iterator[Block]:
    """A table of the steps as fitted, one of the nights, and what must be known of both."""
    recording, plan = forecast.recording, forecast.plan
    calls = sum(len(topic.calls) for topic in recording.topics)
    peak = ", which is in peak hours" if is_peak(plan.start) else ""
    yield Table(
        columns=("step", "calls", "mean s", "s + s/1000 tokens out", "first token s"),
        rows=tuple(map(_fit_row, recording.fits().values())),
        least=(16, 7, 8, 23, 13),
    )
    yield paragraph(
        f"{counted(plan.topics, 'topic')} of {calls / len(recording.topics):.1f} calls, from"
        f" {_when(plan.start)}{peak}",
        _limits(plan),
    )
    yield from _tables(forecast)
    yield paragraph(*_notes(forecast))


def forecast_json(forecast: Forecast) -> dict[str, Any]:
    """The same for machines. Times of day are in UTC, but for `start`, which has its zone."""
    recording, plan = forecast.recording, forecast.plan
    limits = plan.limits
    return {
        "version": 1,
        "harness": __version__,
        "run": recording.run_id,
        "endpoint": recording.endpoint,
        "models": list(recording.models()),
        "topics": plan.topics,
        "start": plan.start.isoformat(timespec="seconds"),
        "start_utc": plan.start.astimezone(UTC).isoformat(timespec="seconds"),
        "repeat": forecast.repeat,
        "seed": forecast.seed,
        "limits": {
            "per_run": limits.per_run,
            "runs": limits.runs,
            "rpm": limits.requests_per_minute,
            "tpm": limits.tokens_per_minute,
            "provider_limit": plan.provider_limit,
        },
        "recorded": {"finished_topics": recording.finished, "used_topics": len(recording.topics)},
        "steps": [_step_json(fit) for fit in recording.fits().values()],
        "nights": [arm.as_json(plan) for arm in forecast.arms],
        "notes": list(_notes(forecast)),
    }


def _step_json(fit: StepFit) -> dict[str, Any]:
    return {
        "step": fit.step,
        "calls": fit.calls,
        "mean_s": round(fit.mean_s, 6),
        "base_s": round(fit.base_s, 6),
        "per_token_s": round(fit.per_token_s, 9),
        "ttft_s": None if fit.ttft_s is None else round(fit.ttft_s, 6),
    }


def _fit_row(fit: StepFit) -> _Row:
    ttft = "-" if fit.ttft_s is None else f"{fit.ttft_s:.2f}"
    line = f"{fit.base_s:.2f} + {fit.per_token_s * 1000:.2f}"
    return (fit.step, f"{fit.calls:,}", f"{fit.mean_s:.2f}", line, ttft)


def _tables(forecast: Forecast) -> Iterator[Table]:
    """A column for each number of calls in flight, at most four beside each other."""
    for first in range(0, len(forecast.arms), _ARMS_A_BLOCK):
        arms = forecast.arms[first : first + _ARMS_A_BLOCK]
        columns, *rows = [row for row in _rows(forecast, arms) if any(row[1:])]
        yield Table(columns=columns, rows=tuple(rows))


def _rows(forecast: Forecast, arms: Sequence[Arm]) -> Iterator[_Row]:
    """The rows of a block; one whose cells are all empty says nothing."""
    start, topics, ranges = (
        forecast.plan.start,
        forecast.plan.topics,
        f"  of {forecast.repeat} nights",
    )

    def row(name: str, cell: Callable[[Arm], str]) -> _Row:
        return (name, *map(cell, arms))

    def figure(
        name: str, of: Callable[[Arm], Range | None], shown: Callable[[float], str]
    ) -> Iterator[_Row]:
        yield row(
            name, lambda arm: "not known" if (found := of(arm)) is None else shown(found.mean)
        )
        yield row(ranges, lambda arm: _span(of(arm), shown))

    yield row("calls in flight", lambda arm: f"{arm.in_flight:,}")
    yield from figure("wall time", lambda arm: arm.wall_s, elapsed)
    yield row("ends", lambda arm: _end(start, arm.wall_s.mean))
    yield row("lower bound", lambda arm: f"{elapsed(arm.bound_s.mean)}, {arm.bound_by}")
    yield from figure("efficiency", lambda arm: arm.efficiency, "{:.0%}".format)
    yield from figure("cost", lambda arm: arm.cost, money)
    yield row("  in peak hours", _peak)
    yield from figure("refused (429)", lambda arm: arm.refusals, "{:,.0f}".format)
    yield from figure("requests", lambda arm: arm.requests, "{:,.0f}".format)
    if any(arm.finished.mean < topics for arm in arms):
        yield row("topics finished", lambda arm: f"{arm.finished.mean:,.0f} of {topics:,}")
    yield row(
        "calls that failed", lambda arm: f"{arm.failed_calls.mean:,.0f} of {arm.calls.mean:,.0f}"
    )
    yield row(
        "at the provider",
        lambda arm: f"{arm.mean_in_flight.mean:,.1f}, most {arm.most_in_flight:,}",
    )
    yield row(
        "limit in the end", lambda arm: f"{arm.places_at_the_end.mean:,.0f} of {arm.in_flight:,}"
    )
    waits = [arm.waits_s() for arm in arms]
    for wait in SIMULATED_WAITS:
        if any(found[wait.field] >= _WORTH_TELLING_S for found in waits):
            yield (f"a call: {wait.words}", *(f"{found[wait.field]:,.2f} s" for found in waits))


def _peak(arm: Arm) -> str:
    cost, peak = arm.cost, arm.peak_cost
    if cost is None or peak is None:
        return "not known"
    return f"{money(peak.mean)}, {peak.mean / cost.mean:.0%}" if peak.mean else "$0"


def _span(figures: Range | None, shown: Callable[[float], str]) -> str:
    if figures is None or figures.low is None or figures.high is None:
        return ""
    low, high = shown(figures.low), shown(figures.high)
    return low if low == high else f"{low} – {high}"


def _notes(forecast: Forecast) -> Iterator[str]:
    plan, repeat = forecast.plan, forecast.repeat
    yield from forecast.recording.notes
    if repeat == 1:
        yield "one repetition: no range can be given; --repeat 4 gives one"
    elif forecast.recording.allows_interval:
        yield (
            f"ranges are the lowest and the highest of {repeat} nights, each from a resample of the"
            " recorded topics: one more night would lie within with a chance of"
            f" {(repeat - 1) / (repeat + 1):.0%}"
        )
    for arm in forecast.arms:
        if arm.stopped is not None:
            yield (
                f"{arm.in_flight:,} in flight: the night ends early, after {arm.finished.mean:,.0f}"
                f" of {plan.topics:,} topics: {arm.stopped}"
            )
        if arm.most_in_flight < arm.in_flight and not _held_back(arm):
            yield (
                f"{arm.in_flight:,} in flight: never more than {arm.most_in_flight:,} were;"
                f" {_why_no_more(plan, arm)}"
            )
    if any(arm.cost is None for arm in forecast.arms):
        yield (
            "the cost is not known: a model has no known price at that time, or a recorded answer"
            " does not tell its tokens"
        )
    yield (
        "the provider is taken to be as fast under these limits, and at this hour, as it was when"
        " the run was recorded"
    )


def _why_no_more(plan: Plan, arm: Arm) -> str:
    """Say what kept an arm from having more calls to make at once, where nothing held its calls
    back.
    """
    open_runs = with_in_flight(plan, arm.in_flight).limits.open_runs
    if plan.topics <= open_runs:
        return (
            f"{counted(plan.topics, 'topic')} in all, with at most {plan.limits.per_run:,} calls of"
            " one at once"
        )
    return f"--runs {open_runs:,} and --per-run {plan.limits.per_run} let no more come"


def _held_back(arm: Arm) -> bool:
    """Return whether something else than too few topics or calls kept its slots free."""
    waits = arm.waits_s()
    waited_s = sum(waits[wait.field] for wait in HELD if wait.attribute != "queue")
    return (
        arm.stopped is not None
        or arm.refusals.mean > 0
        or waited_s > _WORTH_NAMING * arm.mean_call_s
    )


def _limits(plan: Plan) -> str:
    limits = plan.limits
    opened = f"{limits.RUNS_PER_PLACE} topics open for each call in flight"
    if limits.runs is not None:
        opened = f"{limits.runs:,} topics open at once"
    parts = [opened, f"{limits.per_run:,} calls of one in flight"]
    if limits.requests_per_minute is not None:
        parts.append(f"{limits.requests_per_minute:,} requests a minute")
    if limits.tokens_per_minute is not None:
        parts.append(f"{limits.tokens_per_minute:,} tokens a minute")
    if plan.provider_limit is not None:
        parts.append(f"the provider carries {plan.provider_limit:,} requests at once")
    return ", ".join(parts)


def _when(moment: datetime) -> str:
    """`Mon 2026-11-16 22:00 CET (21:00 UTC)`."""
    return f"{moment:%a %Y-%m-%d %H:%M} {moment.tzname()} ({moment.astimezone(UTC):%H:%M} UTC)"


def _end(start: datetime, seconds: float) -> str:
    """`Tue 05:12`, with its date where the day of the week would not say which."""
    end = start + timedelta(seconds=seconds)
    return f"{end:%a %H:%M}" if end - start < timedelta(days=6) else f"{end:%a %Y-%m-%d %H:%M}"
