"""What the numbers mean, in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.domain.waits import BACKOFF, WAITS
from harness.domain.wording import counted, duration
from harness.timing.losses import Cause

_LOST_TO: Mapping[Cause, str] = {
    **{wait.cause: wait.lost_to for wait in (*WAITS, BACKOFF) if wait.lost_to},
    "runs": "a limit of {runs} on topics worked on at once",
    "attempts": "repeated attempts",
    "provider": "slower answers than in the baseline: the provider's queue, or this machine under load",
    "own_code": "our own code and storing",
    "order": "the order of the calls and the end of the batch",
}

# How many intervals from so few rounds hold the true value, simulated: docs/benchmarks.md.
_OF_FEW_HOLD = {2: "50 %", 3: "77 %", 4: "88 %"}
_WORTH_NAMING = 0.01


def story_of(arm: Mapping[str, Any]) -> str:
    """Where the time of an arm went: the whole, the bound and why, and each loss that matters."""
    limits = {"per_run": 0, "runs": 0, "in_flight": 0, **arm["limits"]}
    bound, wall_s = arm["bound"], arm["wall_s"]
    why = {
        "work": f"its work of {duration(bound['work_s'])} with {limits['in_flight']} in flight",
        "critical path": "its longest chain of calls that need each other",
        "pace": "the requests or tokens per minute",
    }[bound["by"]]
    story = f"It took {duration(wall_s)}; {duration(bound['seconds'])} was the bound, by {why}"
    losses = sorted(arm["losses"].items(), key=lambda item: (-item[1], item[0]))
    worth_s = max(_WORTH_NAMING * wall_s, 1e-6)
    told = [(cause, lost) for cause, lost in losses if lost >= worth_s]
    parts = [f"{duration(lost)} was lost to {_LOST_TO[cause].format(**limits)}" for cause, lost in told]
    rest_s = math.fsum(arm["losses"].values()) - math.fsum(lost for _, lost in told)
    if rest_s >= worth_s:
        parts.append(f"{duration(rest_s)} was lost to causes of less than a hundredth each")
    return "; ".join([story, *parts] if parts else [story, "nothing worth naming was lost"]) + "."


_PREFIX_CACHE = {
    True: "To the provider each arm of each round was a user of its own (`user_id`), with a prefix cache of its own.",
    False: "The provider's own prefix cache, if it has one, lives on from arm to arm: cached input says little here.",
}


def marked(arm: Mapping[str, Any]) -> str:
    """The name of an arm, with a star where its speed-up is no measure of its limit."""
    return f"{arm['name']}*" if arm["underfed"] else str(arm["name"])


def few_rounds(repeat: int) -> list[str]:
    """What must be said of intervals from so few rounds, if anything."""
    held = _OF_FEW_HOLD.get(repeat)
    if held is None:
        return []
    return [
        f"Intervals are of 95 % by name and from {repeat} rounds only: of such, some {held} hold the true value "
        "(--repeat 5)."
    ]


def notes_of(description: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], baseline: str) -> list[str]:
    """What a reader must know before believing a number."""
    notes = []
    if description["repeat"] == 1:
        notes.append("One round only: nothing says how much the numbers vary, so there are no intervals (--repeat 5).")
    notes += few_rounds(description["repeat"])
    if description["warm_up"]:
        notes.append(f"Warm-up: {description['warm_up']}.")
    else:
        notes.append("Virtual time: nothing has to warm up, so there was no warm-up round to exclude.")
    if baseline != "sequential":
        notes.append(f"There is no sequential arm: speed-ups are against {baseline}.")
    topics = description["topics"]
    for arm in arms:
        in_flight = arm["limits"]["in_flight"]
        if arm["underfed"]:
            notes.append(
                f"{marked(arm)}: {in_flight:,} calls in flight and only {counted(topics, 'topic')}, so its places "
                "cannot be kept full. It says how long so few topics take, not what the limit can do, and is left out "
                "of the fits."
            )
        most = arm["limits"]["runs"] * arm["limits"]["per_run"]
        if most < in_flight:
            notes.append(
                f"{arm['name']}: {arm['limits']['runs']} topics with {arm['limits']['per_run']} calls each never fill "
                f"{in_flight} places; what that costs shows as a loss to those limits (--runs, --per-run)."
            )
        if arm["failed_calls"]:
            notes.append(f"{arm['name']}: {arm['failed_calls']} calls failed for good within topics that went on.")
    if description["identity"]["endpoint"] != "mock":
        notes.append("A live model answers differently each time, so the arms' work is alike and not equal.")
        notes.append(_PREFIX_CACHE[description["identity"]["endpoint"] == "deepseek"])
    return notes


def laws_words(scaling: Mapping[str, Any] | None) -> list[str]:
    """Both laws as fitted, and where more calls in flight pay no more."""
    if scaling is None:
        return ["Too few numbers of calls in flight for a fit: three are needed."]
    amdahl, usl, most = scaling["amdahl"], scaling["usl"], scaling["measured_to"]
    ceiling = (
        f"by which no number of calls in flight is more than {1 / amdahl['alpha']:.3g} times as fast as one"
        if amdahl["alpha"] > 0
        else "by which nothing is done one at a time"
    )
    points, parameters = len(scaling["points"]), 1 + (usl["alpha"] > 0) + (usl["beta"] > 0)
    exact = f"with as many parameters as there are points, {points}, so it fits them whatever they are"
    error = f"relative error {usl['error']:.1%}" if points > parameters else exact
    knee = "No knee: throughput grew in proportion up to {most:.0f} in flight"
    if usl["knee"] is not None:
        beyond = ", beyond the {most:.0f} that were measured, so it is a forecast" if usl["knee"] > most else ""
        knee = f"The knee is at {usl['knee']:.0f} calls in flight{beyond}"
    return [
        f"Amdahl's law: alpha = {amdahl['alpha']:.4f} (relative error {amdahl['error']:.1%}), {ceiling}.",
        f"Universal scalability law: alpha = {usl['alpha']:.4f}, beta = {usl['beta']:.6f} ({error}). "
        f"{knee.format(most=most)}.",
    ]
