"""`harness estimate`: calls, tokens, cost and time, before spending anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from harness.cli.help import SectionedCommand
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.cli.run import note_aliases
from harness.domain.braking import slowdown
from harness.machine.wall_clock import SystemClock
from harness.render.document import Block, Table, paragraph
from harness.render.terminal import show
from harness.runs.estimating import Estimate, StepEstimate, estimate_batch
from harness.text.amounts import clock, counted, money


@click.command(cls=SectionedCommand)
@click.argument("dataset")
@settings_options(*RUN_OPTIONS)
def estimate(dataset: str, **values: Any) -> None:
    """Estimate what a run of DATASET will take. Nothing is sent: a sample of the topics is
    rehearsed against the mock.

    --latency is the answer time to reckon with; without it, one second and then 50 tokens a second.
    """
    loaded = loaded_from(values)
    note_aliases(loaded)
    found = estimate_batch(loaded, dataset, SystemClock(), budgets=True)
    if loaded.settings.json_output:
        totals = {"calls": found.calls, "cost": found.cost, "cost_at_most": found.cost_at_most}
        say_json({**asdict(found), **totals})
        return
    show(_document(found, loaded.settings.budget), sys.stdout)


def _document(found: Estimate, budget: float | None) -> Iterator[Block]:
    """A table of the steps, and in words what must be known of it."""
    everything = StepEstimate(
        step="all",
        calls=found.calls,
        input_tokens=sum(step.input_tokens for step in found.steps),
        output_tokens=sum(step.output_tokens for step in found.steps),
        cost=found.cost,
        cost_at_most=found.cost_at_most,
    )
    yield Table(
        columns=("step", "calls", "tokens in", "tokens out", "cost", "at most"),
        rows=tuple(_row(step) for step in (*found.steps, everything)),
        least=(16, 9, 13, 13, 11, 11),
    )
    yield paragraph(*_notes(found, budget))


def _row(step: StepEstimate) -> tuple[str, ...]:
    counts = (f"{step.calls:,.0f}", f"{step.input_tokens:,.0f}", f"{step.output_tokens:,.0f}")
    return (step.step, *counts, money(step.cost), money(step.cost_at_most))


def _notes(found: Estimate, budget: float | None) -> Iterator[str]:
    yield (
        f"{counted(found.topics, 'topic')}, from a rehearsal of {found.sample:,}; about"
        f" {clock(found.wall_s)} with answers timed {found.latency}"
    )
    yield (
        "Tokens out are those of the mock's answers: a real model's may be several times as long. "
        "`At most` is every cap used up at peak rates, without retries."
    )
    if found.failed:
        failed = f"{found.failed:,} of the {found.sample:,} failed in the rehearsal"
        yield f"{failed}, the first: {found.first_failure}"
    yield from _budget_lines(found, budget)
    if budget is not None and found.cost is not None and found.cost > budget:
        topics = counted(round(found.topics * budget / found.cost), "topic")
        yield f"The budget of {money(budget)} would end after about {topics}"
    if found.bad_lines:
        yield f"{counted(found.bad_lines, 'bad line')} would be skipped"


def _budget_lines(found: Estimate, budget: float | None) -> list[str]:
    """The smallest budget that does not slow the run, and what lower ones cost."""
    budgets, cost = found.budgets, found.cost
    if budgets is None or not cost:
        return []
    lower = [2 * cost] if budget is None else [budget]
    words = [
        f"{money(one)} {_slowed(slowdown(one, cost=cost, held=budgets.held, slots=budgets.slots))}"
        for one in lower
        if cost <= one < budgets.enough
    ]
    return [
        (
            f"A budget of {money(budgets.enough)} or more does not slow the run with"
            f" {budgets.slots:,} calls in flight{'; ' if words else ''}{', '.join(words)}"
        ),
        (
            f"With --budget-reserve likely {money(min(budgets.enough, budgets.enough_likely))} is"
            " enough once each step has had an answer"
        ),
    ]


def _slowed(times: float | None) -> str:
    if times is None:
        return "is too little to end it: the last calls are held back at their worst case"
    return f"makes it about {times:.1f} times as long"
