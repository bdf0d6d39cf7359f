"""`harness estimate`: calls, tokens, cost and time, before spending anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from harness.cli.help import SectionedCommand
from harness.cli.live.lines import clock
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.cli.run import note_aliases
from harness.domain.braking import slowdown
from harness.domain.sanitize import terminal_safe
from harness.domain.wording import counted
from harness.machine.wall_clock import SystemClock
from harness.runs.estimating import Estimate, estimate_batch
from harness.text import money


@click.command(cls=SectionedCommand)
@click.argument("dataset")
@settings_options(*RUN_OPTIONS)
def estimate(dataset: str, **values: Any) -> None:
    """What a run of DATASET will take. Nothing is sent: a sample of the topics is rehearsed against the mock.

    --latency is the answer time to reckon with; without it, one second and then 50 tokens a second.
    """
    loaded = loaded_from(values)
    note_aliases(loaded)
    found = estimate_batch(loaded, dataset, SystemClock(), budgets=True)
    if loaded.settings.json_output:
        totals = {"calls": found.calls, "cost": found.cost, "cost_at_most": found.cost_at_most}
        say_json({**asdict(found), **totals})
        return
    click.echo(terminal_safe(_text(found, loaded.settings.budget)))


def _text(found: Estimate, budget: float | None) -> str:
    lines = [f"{'step':<16} {'calls':>10} {'tokens in':>14} {'tokens out':>14} {'cost':>12} {'at most':>12}"]
    lines += [
        f"{step.step:<16} {step.calls:>10,.0f} {step.input_tokens:>14,.0f} {step.output_tokens:>14,.0f} "
        f"{money(step.cost):>12} {money(step.cost_at_most):>12}"
        for step in found.steps
    ]
    tokens_in, tokens_out = (sum(getattr(step, f"{way}_tokens") for step in found.steps) for way in ("input", "output"))
    lines += [
        f"{'all':<16} {found.calls:>10,.0f} {tokens_in:>14,.0f} {tokens_out:>14,.0f} {money(found.cost):>12} "
        f"{money(found.cost_at_most):>12}",
        "",
        f"{counted(found.topics, 'topic')}, from a rehearsal of {found.sample:,}; about {clock(found.wall_s)} "
        f"with answers timed {found.latency}",
        "Tokens out are those of the mock's answers: a real model's may be several times as long. "
        "`At most` is every cap used up at peak rates, without retries.",
    ]
    if found.failed:
        lines.append(
            f"{found.failed:,} of the {found.sample:,} failed in the rehearsal, the first: {found.first_failure}"
        )
    lines += _budget_lines(found, budget)
    if budget is not None and found.cost is not None and found.cost > budget:
        share = budget / found.cost
        lines.append(
            f"The budget of {money(budget)} would end after about {counted(round(found.topics * share), 'topic')}"
        )
    if found.bad_lines:
        lines.append(f"{counted(found.bad_lines, 'bad line')} would be skipped")
    return "\n".join(lines)


def _budget_lines(found: Estimate, budget: float | None) -> list[str]:
    """The smallest budget that does not slow the run, and what lower ones cost."""
    budgets, cost = found.budgets, found.cost
    if budgets is None or not cost:
        return []
    lower = [2 * cost] if budget is None else [budget]
    words = [
        f"{money(one)} {_slowed(slowdown(one, cost=cost, held=budgets.held, places=budgets.places))}"
        for one in lower
        if cost <= one < budgets.enough
    ]
    return [
        f"A budget of {money(budgets.enough)} or more does not slow the run with {budgets.places:,} calls in flight"
        f"{'; ' if words else ''}{', '.join(words)}",
        f"With --budget-reserve likely {money(min(budgets.enough, budgets.enough_likely))} is enough "
        "once each step has had an answer",
    ]


def _slowed(times: float | None) -> str:
    if times is None:
        return "is too little to end it: the last calls are held back at their worst case"
    return f"makes it about {times:.1f} times as long"
