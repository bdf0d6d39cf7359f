"""The numbers of a benchmark, from its calls. Pure, and seeded where chance is drawn.

Where an arm was measured several times, a number is the mean over its rounds; ratios are of pairs
within a round.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.bench.arms import SEQUENTIAL, Arm
from harness.bench.bench_report import (
    ArmFigures,
    BenchReport,
    FittedLaw,
    MeanBound,
    StepFigures,
    Sweep,
    SweepPoint,
)
from harness.bench.comparable import by_round, check_arms
from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.bench.provider_share import provider_figures
from harness.bench.words import notes_of, story_of
from harness.domain.policy import Limits
from harness.timing.bounds import Bound, bound_of
from harness.timing.losses import CAUSES, RARE_CAUSES, Cause, losses_of
from harness.timing.scaling import fitted
from harness.timing.stats import Distribution, Ratio, paired_ratio

# A provider is never quite as fast twice; less than this is not called its queue.
_SLOWER = 1.001
_ROUNDING_S = 1e-6

_Calls = Sequence[Measured]


def report_of(bench: Bench) -> BenchReport:
    """Return all numbers of a benchmark. Raises ResultsError where its arms cannot be compared."""
    check_arms(bench)
    description, rounds = bench.description, by_round(bench.calls)
    baseline = _baseline_of(bench.arms)
    arms = []
    for arm in bench.arms:
        numbers = range(1, description.repeat + 1)
        own = [rounds[arm.name, number] for number in numbers]
        base = [rounds[baseline.name, number] for number in numbers]
        figures = _figures_of(arm, own, base, description.topics)
        met = [one for one in description.met if one.arm == arm.name]
        provider = provider_figures(own, figures.walls_s, met, arm.limits)
        arms.append(replace(figures, provider=provider))
    arms = _without_rare_causes(arms)
    return BenchReport(
        benchmark=bench.name,
        about=description.about,
        virtual=description.virtual,
        repeat=description.repeat,
        topics=description.topics,
        warm_up=description.warm_up,
        settings=description.settings,
        model=description.model,
        endpoint=description.endpoint,
        baseline=baseline.name,
        arms=tuple(arms),
        scaling=_sweep_of(arms),
        notes=tuple(notes_of(description, arms, baseline.name)),
    )


def wall_s(calls: _Calls) -> float:
    """Return the seconds from the first call wanted to the last answer had."""
    return max(call.times.end_s for call in calls) - min(call.times.start_s for call in calls)


def elapsed_by_topic(calls: _Calls, step: str | None = None) -> dict[str, float]:
    """Return the seconds from the first call of a topic wanted to its last answer had.

    Of all its steps, or of one.
    """
    spans: dict[str, tuple[float, float]] = {}
    for call in calls:
        if step in (None, call.times.step):
            start_s, end_s = spans.get(call.times.topic_id, (math.inf, -math.inf))
            earliest_s, latest_s = min(start_s, call.times.start_s), max(end_s, call.times.end_s)
            spans[call.times.topic_id] = earliest_s, latest_s
    return {topic: end_s - start_s for topic, (start_s, end_s) in spans.items()}


def ratio_of(groups: Sequence[Sequence[tuple[float, float]]]) -> Ratio | None:
    """Return `paired_ratio` with the same draws for every arm, whatever their order in the
    report.
    """
    return paired_ratio(groups, random.Random(0).random)  # noqa: S311 - a bootstrap, no secret


def _baseline_of(arms: Sequence[Arm]) -> Arm:
    for arm in arms:
        if arm.name == SEQUENTIAL:
            return arm
    return arms[0]


def _figures_of(arm: Arm, own: Sequence[_Calls], base: Sequence[_Calls], topics: int) -> ArmFigures:
    """Return the numbers of an arm from its rounds and those of the baseline, round by round."""
    walls = [wall_s(calls) for calls in own]
    wall, rounds = _mean(walls), len(own)
    bound, losses = _bound_and_losses(own, walls, _slower(own, base), arm.limits)
    limits = replace(arm.limits, runs=arm.limits.open_runs)
    all_calls = [call for calls in own for call in calls]
    both = list(zip(base, own, strict=True))
    return ArmFigures(
        name=arm.name,
        limits=limits,
        swept=arm.swept,
        underfed=arm.swept and arm.limits.in_flight > topics,
        wall_s=wall,
        walls_s=tuple(walls),
        calls=len(all_calls) / rounds,
        failed_calls=sum(call.failed for call in all_calls),
        calls_per_s=_mean_rate([len(calls) for calls in own], walls),
        tokens_per_s=_mean_rate([_tokens_of(calls) for calls in own], walls),
        output_tokens_per_s=_mean_rate([_output_of(calls) for calls in own], walls),
        input_tokens=sum(call.input_tokens for call in all_calls) / rounds,
        cached_tokens=sum(call.cached_tokens for call in all_calls) / rounds,
        output_tokens=sum(call.output_tokens for call in all_calls) / rounds,
        cost=_cost_of(all_calls, rounds),
        speedup=ratio_of([[(wall_s(one), wall_s(other))] for one, other in both]),
        topic_speedup=ratio_of([_topic_pairs(one, other) for one, other in both]),
        bound=bound,
        efficiency=bound.seconds / wall,
        losses=losses,
        steps=_steps_of(all_calls, rounds, wall),
        story=story_of(limits, wall, bound, losses),
    )


def _bound_and_losses(
    own: Sequence[_Calls], walls: Sequence[float], slower: Mapping[str, float], limits: Limits
) -> tuple[MeanBound, dict[Cause, float]]:
    """Return the bound of an arm and the seconds lost by cause: means over its rounds."""
    bounds: list[Bound] = []
    seconds: list[float] = []
    lost: dict[Cause, list[float]] = {cause: [] for cause in CAUSES}
    for calls, wall in zip(own, walls, strict=True):
        times = [call.times.slowed(slower.get(call.times.step, 1.0)) for call in calls]
        bound = bound_of(times, limits)
        bounds.append(bound)
        seconds.append(_unrounded(bound.seconds, wall, len(calls)))
        for cause, lost_s in losses_of(times, wall, bound, limits).items():
            lost[cause].append(lost_s)
    mean = MeanBound(
        seconds=_mean(seconds),
        by=max(bounds, key=lambda bound: bound.seconds).by,
        work_s=_mean([bound.work_s for bound in bounds]),
        critical_path_s=_mean([bound.critical_path_s for bound in bounds]),
        pace_s=_mean([bound.pace_s for bound in bounds]),
    )
    return mean, {cause: _mean(values) for cause, values in lost.items()}


def _without_rare_causes(arms: Sequence[ArmFigures]) -> list[ArmFigures]:
    """Return the arms without each rare cause of a loss that none of them met."""
    never = set(RARE_CAUSES)
    for arm in arms:
        never -= {cause for cause, lost_s in arm.losses.items() if lost_s}
    kept = []
    for arm in arms:
        losses = {cause: lost_s for cause, lost_s in arm.losses.items() if cause not in never}
        kept.append(replace(arm, losses=losses))
    return kept


def _slower(own: Sequence[_Calls], base: Sequence[_Calls]) -> dict[str, float]:
    """Return, by step, how many times as long the provider took as in the baseline, where
    longer.
    """
    baseline = _service_means(base)
    found = {}
    for step, mean in _service_means(own).items():
        if step in baseline and mean / baseline[step] > _SLOWER:
            found[step] = mean / baseline[step]
    return found


def _service_means(rounds: Sequence[_Calls]) -> dict[str, float]:
    """Return the mean time of the answers to each step; a step without any has none."""
    steps: dict[str, list[float]] = {}
    for calls in rounds:
        for call in calls:
            if call.times.service_s > 0:
                steps.setdefault(call.times.step, []).append(call.times.service_s)
    return {step: _mean(times) for step, times in steps.items()}


def _unrounded(bound_s: float, wall: float, calls: int) -> float:
    """Return the bound, or the wall where only rounding lifted the bound above it.

    Each time of a call was rounded, so the sum of 100 calls may be 100 roundings too long.
    """
    return wall if wall < bound_s <= wall + calls * _ROUNDING_S else bound_s


def _topic_pairs(one: _Calls, other: _Calls) -> list[tuple[float, float]]:
    ours, theirs = elapsed_by_topic(one), elapsed_by_topic(other)
    return [(seconds, theirs[topic]) for topic, seconds in ours.items()]


def _mean_rate(amounts: Sequence[int], walls: Sequence[float]) -> float:
    return _mean([amount / wall for amount, wall in zip(amounts, walls, strict=True)])


def _tokens_of(calls: _Calls) -> int:
    return sum(call.times.tokens for call in calls)


def _output_of(calls: _Calls) -> int:
    return sum(call.output_tokens for call in calls if call.is_useful)


def _cost_of(calls: _Calls, rounds: int) -> float | None:
    """Return the cost of a round; None where that of a single call is not known."""
    costs = []
    for call in calls:
        if call.cost is None:
            return None
        costs.append(call.cost)
    return math.fsum(costs) / rounds


def _steps_of(calls: _Calls, rounds: int, wall: float) -> tuple[StepFigures, ...]:
    """Return the steps in the order in which they were first wanted."""
    groups: dict[str, list[Measured]] = {}
    for call in sorted(calls, key=lambda call: call.times.start_s):
        groups.setdefault(call.times.step, [])
    # The calls of a step stay in the order of the file, which sums of floats depend on.
    for call in calls:
        groups[call.times.step].append(call)
    return tuple(_step_of(step, group, rounds, wall) for step, group in groups.items())


def _step_of(step: str, calls: _Calls, rounds: int, wall: float) -> StepFigures:
    by_number: dict[int, list[Measured]] = {}
    for call in calls:
        by_number.setdefault(call.round, []).append(call)
    walls_of_topics: list[float] = []
    for of_round in by_number.values():
        walls_of_topics += elapsed_by_topic(of_round, step).values()
    return StepFigures(
        step=step,
        calls=len(calls) / rounds,
        calls_per_s=len(calls) / rounds / wall,
        tokens_per_s=_tokens_of(calls) / rounds / wall,
        queue_wait_s=_distribution([call.queue_wait_s for call in calls]),
        ttft_reasoning_s=_distribution([call.ttft_reasoning_s for call in calls]),
        ttft_answer_s=_distribution([call.ttft_answer_s for call in calls]),
        total_s=_distribution([call.total_s for call in calls]),
        wall_of_a_topic_s=_distribution(walls_of_topics),
        sent_ttft_reasoning_s=_distribution([call.sent_ttft_reasoning_s for call in calls]),
        sent_ttft_answer_s=_distribution([call.sent_ttft_answer_s for call in calls]),
        service_s=_distribution([call.service_s for call in calls]),
        inter_token_s=_distribution([call.inter_token_s for call in calls]),
        output_tokens_per_s=_distribution([call.output_tokens_per_s for call in calls]),
    )


def _distribution(values: Sequence[float | None]) -> Distribution | None:
    return Distribution.of([value for value in values if value is not None])


def _sweep_of(arms: Sequence[ArmFigures]) -> Sweep | None:
    """Fit the law to the arms of the sweep; None where there are too few numbers of calls in
    flight.
    """
    points = []
    for arm in arms:
        if arm.swept and not arm.underfed:
            points.append(SweepPoint(in_flight=arm.limits.in_flight, calls_per_s=arm.calls_per_s))
    law = fitted([(float(point.in_flight), point.calls_per_s) for point in points])
    if law is None:
        return None
    usl = FittedLaw(
        gamma=law.gamma,
        alpha=law.alpha,
        beta=law.beta,
        error=law.error,
        knee=law.knee,
        peak=law.peak,
    )
    most = max(point.in_flight for point in points)
    return Sweep(points=tuple(points), usl=usl, measured_to=float(most))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
