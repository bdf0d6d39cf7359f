"""Sentences about the numbers of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.bench.bench_report import ArmFigures, ComparedArm, FittedLaw, MeanBound, Sweep
from harness.bench.description import Description
from harness.domain.policy import Limits
from harness.domain.waits import BACKOFF, WAITS
from harness.text.amounts import counted, duration
from harness.timing.losses import Cause

_LOST_TO: Mapping[Cause, str] = {
    **{wait.cause: wait.lost_to for wait in (*WAITS, BACKOFF) if wait.lost_to},
    "runs": "a limit of {runs} on topics worked on at once",
    "attempts": "repeated attempts",
    "provider": (
        "slower answers than in the baseline: the provider's queue, or this machine under load"
    ),
    "own_code": "our own code and storing",
    "order": "the order of the calls and the end of the batch",
}

# How many intervals from so few rounds hold the true value, simulated: docs/benchmarks.md.
_OF_FEW_HOLD = {2: "50 %", 3: "77 %", 4: "88 %"}
_WORTH_NAMING = 0.01
_LEAST_NAMED_S = 1e-6


def story_of(limits: Limits, wall_s: float, bound: MeanBound, losses: Mapping[Cause, float]) -> str:
    """Tell where the time of an arm went: the whole, the bound and why, and each loss that
    matters.
    """
    why = {
        "work": f"its work of {duration(bound.work_s)} with {limits.in_flight} in flight",
        "critical path": "its longest chain of calls that need each other",
        "pace": "the requests or tokens per minute",
    }[bound.by]
    parts = [f"It took {duration(wall_s)}; {duration(bound.seconds)} was the bound, by {why}"]
    least_s = max(_WORTH_NAMING * wall_s, _LEAST_NAMED_S)
    named_s = []
    for cause, lost_s in sorted(losses.items(), key=lambda item: (-item[1], item[0])):
        if lost_s >= least_s:
            to = _LOST_TO[cause].format(
                in_flight=limits.in_flight, per_run=limits.per_run, runs=limits.runs
            )
            parts.append(f"{duration(lost_s)} was lost to {to}")
            named_s.append(lost_s)
    rest_s = math.fsum(losses.values()) - math.fsum(named_s)
    if rest_s >= least_s:
        parts.append(f"{duration(rest_s)} was lost to causes of less than a hundredth each")
    if len(parts) == 1:
        parts.append("nothing worth naming was lost")
    return "; ".join(parts) + "."


def marked(arm: ArmFigures | ComparedArm) -> str:
    """Return the name of an arm, with a star where its speed-up is no measure of its limit."""
    return f"{arm.name}*" if arm.underfed else arm.name


def few_rounds(repeat: int) -> list[str]:
    """Return what must be said of intervals from so few rounds, if anything."""
    held = _OF_FEW_HOLD.get(repeat)
    if held is None:
        return []
    return [
        f"Intervals are of 95 % by name and from {repeat} rounds only: of such, some {held} hold"
        " the true value (--repeat 5)."
    ]


def notes_of(description: Description, arms: Sequence[ArmFigures], baseline: str) -> list[str]:
    """Return what a reader must know before believing a number."""
    notes = []
    if description.repeat == 1:
        notes.append(
            "One round only: nothing says how much the numbers vary, so there are no intervals"
            " (--repeat 5)."
        )
    notes += few_rounds(description.repeat)
    if description.warm_up:
        notes.append(f"Warm-up: {description.warm_up}.")
    else:
        notes.append(
            "Virtual time: nothing has to warm up, so there was no warm-up round to exclude."
        )
    if baseline != "sequential":
        notes.append(f"There is no sequential arm: speed-ups are against {baseline}.")
    for arm in arms:
        notes += _notes_of_arm(arm, description.topics)
    if description.endpoint != "mock":
        notes.append(
            "A live model answers differently each time, so the arms' work is alike and not equal."
        )
        notes.append(_prefix_cache(description.endpoint))
    return notes


def _notes_of_arm(arm: ArmFigures, topics: int) -> list[str]:
    limits, notes = arm.limits, []
    if arm.underfed:
        notes.append(
            f"{marked(arm)}: {limits.in_flight:,} calls in flight and only"
            f" {counted(topics, 'topic')}, so its slots cannot be kept full. It says how long so"
            " few topics take, not what the limit can do, and is left out of the fits."
        )
    if limits.open_runs * limits.per_run < limits.in_flight:
        notes.append(
            f"{arm.name}: {limits.open_runs} topics with {limits.per_run} calls each never fill"
            f" {limits.in_flight} slots; what that costs shows as a loss to those limits (--runs,"
            " --per-run)."
        )
    if arm.failed_calls:
        notes.append(
            f"{arm.name}: {arm.failed_calls} calls failed for good within topics that went on."
        )
    return notes


def _prefix_cache(endpoint: str) -> str:
    if endpoint == "deepseek":
        return (
            "To the provider each arm of each round was a user of its own (`user_id`), with a"
            " prefix cache of its own."
        )
    return (
        "The provider's own prefix cache, if it has one, lives on from arm to arm: cached input"
        " says little here."
    )


def law_words(sweep: Sweep | None) -> list[str]:
    """Tell the law as fitted, where more calls in flight pay no more, and what no number of them
    passes.
    """
    if sweep is None:
        return ["Too few numbers of calls in flight for a fit: three are needed."]
    law, points = sweep.usl, len(sweep.points)
    parameters = 1 + (law.alpha > 0) + (law.beta > 0)
    error = f"relative error {law.error:.1%}"
    if points <= parameters:
        error = (
            f"with as many parameters as there are points, {points}, so it fits them whatever"
            " they are"
        )
    knee = _knee_words(law, sweep.measured_to)
    return [
        (
            f"Universal scalability law: alpha = {law.alpha:.4f}, beta = {law.beta:.6f} ({error})."
            f" {knee}"
        ),
        _ceiling_words(law),
    ]


def _knee_words(law: FittedLaw, measured_to: float) -> str:
    if law.knee is None:
        return f"No knee: throughput grew in proportion up to {measured_to:.0f} in flight."
    knee = f"The knee is at {law.knee:.0f} calls in flight"
    if law.knee > measured_to:
        return f"{knee}, beyond the {measured_to:.0f} that were measured, so it is a forecast."
    return f"{knee}."


def _ceiling_words(law: FittedLaw) -> str:
    """Tell the greatest speed-up over one call in flight: at the peak, or else the limit 1 /
    alpha.
    """
    if law.peak is not None:
        n = law.peak
        most = n / (1 + law.alpha * (n - 1) + law.beta * n * (n - 1))
    elif law.alpha > 0:
        most = 1 / law.alpha
    else:
        return "By it nothing is done one at a time."
    return f"By it no number of calls in flight is more than {most:.3g} times as fast as one."
