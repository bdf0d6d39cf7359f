"""The numbers of a benchmark: from its calls to plain values that every kind of output shows. Pure, seeded.

Where an arm was measured several times, a number is the mean over its rounds; ratios are of pairs within a round.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.bench.arms import SEQUENTIAL, Arm
from harness.bench.comparable import by_round, check_arms
from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.bench.published import distribution_of
from harness.bench.words import notes_of, story_of
from harness.timing.bounds import Bound, bound_of
from harness.timing.losses import CAUSES, RARE_CAUSES, losses_of
from harness.timing.scaling import fit_amdahl, fit_usl
from harness.timing.stats import Distribution, Ratio, paired_ratio

REPORT_VERSION = 1
# A provider is never quite as fast twice; less than this is not called its queue.
_SLOWER = 1.001
_ROUNDING_S = 1e-6

_Rounds = Mapping[tuple[str, int], Sequence[Measured]]


def report_of(bench: Bench) -> dict[str, Any]:
    """All numbers of a benchmark. Raises ResultsError where its arms cannot be compared."""
    check_arms(bench)
    description, rounds = bench.description, by_round(bench.calls)
    baseline = next((arm for arm in bench.arms if arm.name == SEQUENTIAL), bench.arms[0])
    arms = _without_rare_causes([_arm(bench, arm, baseline, rounds) for arm in bench.arms])
    return {
        "version": REPORT_VERSION,
        "benchmark": bench.name,
        **{name: description[name] for name in ("about", "virtual", "repeat", "topics", "warm_up", "settings")},
        "model": description["identity"]["model"],
        "endpoint": description["identity"]["endpoint"],
        "baseline": baseline.name,
        "arms": arms,
        "scaling": _scaling([arm for arm in arms if arm["swept"] and not arm["underfed"]]),
        "published": distribution_of(description["settings"].get("latency", "none"))
        if description["virtual"]
        else None,
        "notes": notes_of(description, arms, baseline.name),
    }


def rounded(value: Any) -> Any:
    """Numbers as they are shown: to the microsecond, so that no machine's last digit shows."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def wall_s(calls: Sequence[Measured]) -> float:
    """From the first call wanted to the last answer had."""
    return max(call.times.end_s for call in calls) - min(call.times.start_s for call in calls)


def _arm(bench: Bench, arm: Arm, baseline: Arm, rounds: _Rounds) -> dict[str, Any]:
    numbers = range(1, bench.description["repeat"] + 1)
    own = [rounds[arm.name, number] for number in numbers]
    base = [rounds[baseline.name, number] for number in numbers]
    walls = [wall_s(calls) for calls in own]
    slower = _slower(own, base)
    bounds, losses = [], []
    for calls, wall in zip(own, walls, strict=True):
        times = [call.times.slowed(slower.get(call.times.step, 1.0)) for call in calls]
        bounds.append(bound_of(times, arm.limits))
        losses.append(losses_of(times, wall, bounds[-1], arm.limits))
    lost = {cause: _mean([loss[cause] for loss in losses]) for cause in CAUSES}
    all_calls = [call for calls in own for call in calls]
    costs = [call.cost for call in all_calls]
    seconds = [_unrounded(one.seconds, wall, len(calls)) for one, wall, calls in zip(bounds, walls, own, strict=True)]
    wall, bound = _mean(walls), _mean_bound(bounds, seconds)
    topics = bench.description["topics"]
    limits = {**asdict(arm.limits), "runs": arm.limits.open_runs}
    found = {
        "name": arm.name,
        "limits": {name: value for name, value in limits.items() if value is not None},
        "swept": arm.swept,
        "underfed": arm.swept and arm.limits.in_flight > topics,
        "wall_s": wall,
        "walls_s": walls,
        "calls": len(all_calls) / len(own),
        "failed_calls": sum(call.failed for call in all_calls),
        "calls_per_s": _mean([len(calls) / wall for calls, wall in zip(own, walls, strict=True)]),
        "tokens_per_s": _mean([sum(c.times.tokens for c in calls) / w for calls, w in zip(own, walls, strict=True)]),
        "input_tokens": sum(call.input_tokens for call in all_calls) / len(own),
        "cached_tokens": sum(call.cached_tokens for call in all_calls) / len(own),
        "output_tokens": sum(call.output_tokens for call in all_calls) / len(own),
        "cost": None if None in costs else math.fsum(cost for cost in costs if cost is not None) / len(own),
        "speedup": _ratio([[(wall_s(one), wall_s(other))] for one, other in zip(base, own, strict=True)]),
        "topic_speedup": _ratio([_topic_pairs(one, other) for one, other in zip(base, own, strict=True)]),
        "bound": bound,
        "efficiency": bound["seconds"] / wall if wall > 0 else None,
        "losses": lost,
        "steps": _steps(all_calls, len(own), wall),
    }
    return {**found, "story": story_of(found)}


def _without_rare_causes(arms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The arms without each rare cause of a loss that none of them met."""
    never = {cause for cause in RARE_CAUSES if not any(arm["losses"][cause] for arm in arms)}
    return [
        {**arm, "losses": {cause: lost for cause, lost in arm["losses"].items() if cause not in never}} for arm in arms
    ]


def _slower(own: Sequence[Sequence[Measured]], base: Sequence[Sequence[Measured]]) -> dict[str, float]:
    """By step, how many times as long the provider took as in the baseline, where it took longer."""
    means = [_service_means([call for calls in side for call in calls]) for side in (own, base)]
    ratios = {step: mean / means[1][step] for step, mean in means[0].items() if means[1].get(step, 0) > 0}
    return {step: ratio for step, ratio in ratios.items() if ratio > _SLOWER}


def _service_means(calls: Sequence[Measured]) -> dict[str, float]:
    steps: dict[str, list[float]] = {}
    for call in calls:
        if call.times.service_s > 0:
            steps.setdefault(call.times.step, []).append(call.times.service_s)
    return {step: _mean(times) for step, times in steps.items()}


def _mean_bound(bounds: Sequence[Bound], seconds: Sequence[float]) -> dict[str, Any]:
    return {
        "seconds": _mean(seconds),
        "by": max(bounds, key=lambda bound: bound.seconds).by,
        "work_s": _mean([bound.work_s for bound in bounds]),
        "critical_path_s": _mean([bound.critical_path_s for bound in bounds]),
        "pace_s": _mean([bound.pace_s for bound in bounds]),
    }


def _unrounded(bound_s: float, wall: float, calls: int) -> float:
    """A bound that was met, of times that were each rounded, comes out above its wall by as much at most."""
    return wall if wall < bound_s <= wall + calls * _ROUNDING_S else bound_s


def _topic_pairs(one: Sequence[Measured], other: Sequence[Measured]) -> list[tuple[float, float]]:
    ours, theirs = elapsed_by_topic(one), elapsed_by_topic(other)
    return [(seconds, theirs[topic]) for topic, seconds in ours.items()]


def elapsed_by_topic(calls: Sequence[Measured], step: str | None = None) -> dict[str, float]:
    """Seconds from the first call of a topic wanted to its last answer had, of all its steps or of one."""
    ends: dict[str, tuple[float, float]] = {}
    for call in calls:
        if step in (None, call.times.step):
            start_s, end_s = ends.get(call.times.topic_id, (math.inf, -math.inf))
            ends[call.times.topic_id] = (min(start_s, call.times.start_s), max(end_s, call.times.end_s))
    return {topic: end_s - start_s for topic, (start_s, end_s) in ends.items()}


def ratio_of(groups: Sequence[Sequence[tuple[float, float]]]) -> Ratio | None:
    """`paired_ratio` with the same draws for every arm, whatever the order in which they are reported."""
    return paired_ratio(groups, random.Random(0).random)  # noqa: S311 - a bootstrap, no secret


def _ratio(groups: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any] | None:
    found = ratio_of(groups)
    return None if found is None else asdict(found)


def _steps(calls: Sequence[Measured], rounds: int, wall: float) -> list[dict[str, Any]]:
    found = []
    for step in dict.fromkeys(call.times.step for call in sorted(calls, key=lambda call: call.times.start_s)):
        group = [call for call in calls if call.times.step == step]
        per_round = [[call for call in group if call.round == number] for number in {call.round for call in group}]
        found.append(
            {
                "step": step,
                "calls": len(group) / rounds,
                "calls_per_s": len(group) / rounds / wall if wall > 0 else None,
                "tokens_per_s": sum(call.times.tokens for call in group) / rounds / wall if wall > 0 else None,
                "queue_wait_s": _distribution([call.queue_wait_s for call in group]),
                "ttft_reasoning_s": _distribution([call.ttft_reasoning_s for call in group]),
                "ttft_answer_s": _distribution([call.ttft_answer_s for call in group]),
                "total_s": _distribution([call.total_s for call in group]),
                "wall_of_a_topic_s": _distribution(
                    [value for one in per_round for value in elapsed_by_topic(one, step).values()]
                ),
            }
        )
    return found


def _distribution(values: Sequence[float | None]) -> dict[str, Any] | None:
    found = Distribution.of([value for value in values if value is not None])
    return None if found is None else asdict(found)


def _scaling(arms: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Both laws over the sweep, and the knee. None where there are too few numbers of calls in flight."""
    points = [(float(arm["limits"]["in_flight"]), arm["calls_per_s"]) for arm in arms]
    usl, amdahl = fit_usl(points), fit_amdahl(points)
    if usl is None or amdahl is None:
        return None
    return {
        "points": [{"in_flight": int(n), "calls_per_s": x} for n, x in points],
        "usl": {**asdict(usl), "knee": usl.knee, "peak": usl.peak},
        "amdahl": {**asdict(amdahl), "knee": amdahl.knee},
        "measured_to": max(n for n, _ in points),
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
