"""The question before a live model is benchmarked: what all arms and rounds will take, in calls,
money and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from harness.bench.experiment import WARM_UP_TOPICS, Plan, plan_endpoints
from harness.cli.terminal import someone_answers
from harness.errors import SettingsError
from harness.ports import WallClock
from harness.runs.estimating import Estimate, estimate_batch
from harness.text.amounts import counted, duration, money
from harness.workflows.in_use import is_simulated


def agreed(plan: Plan, topics: int, clock: WallClock) -> bool:
    """Return whether a benchmark that costs money may begin. Raises SettingsError where nobody is
    there to say so.
    """
    settings = plan.loaded.settings
    if is_simulated(plan_endpoints(plan)):
        return True
    click.echo(question_of(estimates_of(plan, clock), plan, topics), err=True)
    if settings.yes:
        return True
    if not someone_answers():
        raise SettingsError("a benchmark sends all that to a live model; say --yes to agree to it")
    return click.confirm("Begin?", default=False, err=True)


def estimates_of(plan: Plan, clock: WallClock) -> list[Estimate]:
    """Estimate one session of each arm; sends nothing.

    Raises what a run would raise for its file, settings and prompts.
    """
    settings = plan.loaded.settings
    return [
        estimate_batch(
            replace(plan.loaded, settings=settings.model_copy(update=arm.settings())),
            plan.source,
            clock,
        )
        for arm in plan.arms
    ]


def question_of(estimates: Sequence[Estimate], plan: Plan, topics: int) -> str:
    """Return what the whole benchmark will take, its warm-up included, as a question."""
    one, warm_up = estimates[0], min(WARM_UP_TOPICS, topics)
    times = plan.sessions + warm_up / topics
    lines = [
        f"{counted(len(plan.arms), 'arm')}, {counted(plan.repeat, 'round')} and a warm-up:"
        f" {counted(plan.sessions * topics + warm_up, 'topic')} in all, about"
        f" {one.calls * times:,.0f} calls, {_likely_words(one, times)}; some"
        f" {duration(sum(estimate.wall_s for estimate in estimates) * plan.repeat)} with answers"
        f" timed {one.latency}, and a real model may take several times as long"
    ]
    budget = plan.loaded.settings.budget
    if budget is not None and one.cost is not None:
        line = f"the budget of {money(budget)} is one for all of that"
        if one.cost * times > budget:
            line += ", and likely too small: the benchmark would not be complete"
        lines.append(line)
    return "\n".join(lines)


def _likely_words(one: Estimate, times: float) -> str:
    if one.cost is None or one.cost_at_most is None:
        return "at prices that are not known"
    return (
        f"likely some {money(one.cost * times)}, {money(one.cost_at_most * times)} at most without"
        " retries"
    )
