"""A simulated night in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from harness._version import __version__
from harness.cli.glance import clock
from harness.domain.pricing import is_peak
from harness.simulation.fit import StepFit, fit_steps
from harness.simulation.forecast import Arm, Range
from harness.simulation.night import Plan, with_in_flight
from harness.simulation.recording import Recording


def forecast_text(recording: Recording, plan: Plan, arms: Sequence[Arm], *, repeat: int) -> str:
    """A table of the steps as fitted, one of the nights, and what must be known of both."""
    calls = sum(len(topic.calls) for topic in recording.topics)
    lines = [
        f"{'step':<16} {'calls':>8} {'mean s':>9} {'s + s/1000 tokens out':>24} {'first token s':>14}",
        *map(_fit_line, _fits(recording)),
        "",
        f"{plan.topics:,} topics of {calls / len(recording.topics):.1f} calls, from {_when(plan.start)}"
        f"{', which is in peak hours' if is_peak(plan.start) else ''}; {_limits(plan)}",
        "",
        f"{'in flight':>9} {'wall time':>10} {'(range)':>19} {'ends':>9} {'cost':>9} {'(range)':>17} {'peak':>5} "
        f"{'busy':>7} {'429s':>7} {'failed':>7}",
        *(_arm_line(arm, plan) for arm in arms),
        "",
        *_words(recording, plan, arms, repeat),
    ]
    return "\n".join(lines)


def forecast_json(recording: Recording, plan: Plan, arms: Sequence[Arm], *, repeat: int, seed: int) -> dict[str, Any]:
    """The same for machines. Times of day are in UTC, but for `start`, which has its zone."""
    limits = plan.limits
    return {
        "version": 1,
        "harness": __version__,
        "run": recording.manifest["run_id"],
        "model": recording.manifest["identity"].get("model"),
        "topics": plan.topics,
        "start": plan.start.isoformat(timespec="seconds"),
        "start_utc": plan.start.astimezone(UTC).isoformat(timespec="seconds"),
        "repeat": repeat,
        "seed": seed,
        "limits": {
            "per_run": limits.per_run,
            "runs": limits.runs,
            "rpm": limits.requests_per_minute,
            "tpm": limits.tokens_per_minute,
            "provider_limit": plan.provider_limit,
        },
        "recorded": {"finished_topics": recording.finished, "used_topics": len(recording.topics)},
        "steps": [
            {
                "step": fit.step,
                "calls": fit.calls,
                "mean_s": round(fit.mean_s, 6),
                "base_s": round(fit.base_s, 6),
                "per_token_s": round(fit.per_token_s, 9),
                "ttft_s": None if fit.ttft_s is None else round(fit.ttft_s, 6),
            }
            for fit in _fits(recording)
        ],
        "nights": [arm.as_json(plan) for arm in arms],
        "notes": list(_notes(recording, plan, arms, repeat)),
    }


def _fits(recording: Recording) -> Sequence[StepFit]:
    return tuple(fit_steps(sample for topic in recording.topics for sample in topic.samples()).values())


def _fit_line(fit: StepFit) -> str:
    ttft = "-" if fit.ttft_s is None else f"{fit.ttft_s:.2f}"
    line = f"{fit.base_s:.2f} + {fit.per_token_s * 1000:.2f}"
    return f"{fit.step:<16.16} {fit.calls:>8,} {fit.mean_s:>9.2f} {line:>24} {ttft:>14}"


def _arm_line(arm: Arm, plan: Plan) -> str:
    wall, cost = arm.wall_s, arm.cost
    ends = plan.start + timedelta(seconds=wall.mean)
    peak = "-" if cost is None or not cost.mean else f"{arm.peak_cost.mean / cost.mean:.0%}"
    wall_range = "-" if wall.low is None or wall.high is None else f"{_time(wall.low)} – {_time(wall.high)}"
    failed = arm.range_of(lambda night: float(night.failed_calls)).mean
    return (
        f"{arm.in_flight:>9,} {_time(wall.mean):>10} {wall_range:>19} {f'{ends:%a %H:%M}':>9} {_money(cost):>9} "
        f"{_money_range(cost):>17} {peak:>5} {arm.mean_in_flight:>7.1f} {arm.refusals.mean:>7,.0f} {failed:>7,.0f}"
    )


def _words(recording: Recording, plan: Plan, arms: Sequence[Arm], repeat: int) -> Iterator[str]:
    for arm in arms:
        waits = sorted(((value, name) for name, value in arm.waits_s().items() if value > 0.0005), reverse=True)
        if waits:
            causes = ", ".join(f"{value:,.2f} s {_CAUSES[name]}" for value, name in waits)
            yield f"{arm.in_flight:,} in flight: a call waits {causes} on average"
    yield from _notes(recording, plan, arms, repeat)
    yield (
        "`busy` is the mean number of requests at the provider. The provider is taken to be as fast under these "
        "limits, at this hour, as it was when the run was recorded."
    )


_CAUSES = {
    "queued_run_s": "for a place in its own topic (--per-run)",
    "queued_s": "for a place among all (--in-flight)",
    "paced_s": "for pace or a pause (--rpm, --tpm, 429)",
    "budget_s": "for money that others hold in reserve",
    "backoff_s": "between attempts",
}


def _notes(recording: Recording, plan: Plan, arms: Sequence[Arm], repeat: int) -> Iterator[str]:
    yield from recording.notes
    if repeat == 1:
        yield "one repetition: no range can be given; --repeat 5 gives one"
    elif arms[0].interval:
        yield f"ranges are the lowest and the highest of {repeat} nights, each from a resample of the recorded topics"
    for arm in arms:
        if arm.stopped is not None:
            yield (
                f"{arm.in_flight:,} in flight: the night ends early, after {arm.finished.mean:,.0f} of {plan.topics:,} "
                f"topics: {arm.stopped}"
            )
        most = max(night.most_in_flight for night in arm.nights)
        if most < arm.in_flight and arm.stopped is None and plan.provider_limit is None:
            open_runs = with_in_flight(plan, arm.in_flight).limits.open_runs
            yield (
                f"{arm.in_flight:,} in flight: never more than {most:,} were; "
                f"--runs {open_runs} and --per-run {plan.limits.per_run} let no more come"
            )
    if any(arm.cost is None for arm in arms):
        yield "the cost is not known: a model has no known price, or a recorded answer does not tell its tokens"


def _limits(plan: Plan) -> str:
    limits = plan.limits
    opened = f"{limits.RUNS_PER_PLACE} topics open for each call in flight"
    if limits.runs is not None:
        opened = f"{limits.runs} topics open at once"
    parts = [opened, f"{limits.per_run} calls of one in flight"]
    if limits.requests_per_minute is not None:
        parts.append(f"{limits.requests_per_minute:,} requests a minute")
    if limits.tokens_per_minute is not None:
        parts.append(f"{limits.tokens_per_minute:,} tokens a minute")
    if plan.provider_limit is not None:
        parts.append(f"the provider carries {plan.provider_limit:,}")
    return ", ".join(parts)


def _when(moment: datetime) -> str:
    """`Mon 2026-11-16 22:00 CET (21:00 UTC)`."""
    return f"{moment:%a %Y-%m-%d %H:%M} {moment.tzname()} ({moment.astimezone(UTC):%H:%M} UTC)"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else clock(seconds)


def _money(cost: Range | None) -> str:
    return "not known" if cost is None else f"${cost.mean:,.2f}"


def _money_range(cost: Range | None) -> str:
    return "-" if cost is None or cost.low is None or cost.high is None else f"${cost.low:,.2f} – ${cost.high:,.2f}"
