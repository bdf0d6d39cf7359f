"""`harness simulate`: what a night would take, from a recorded run, before spending anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from harness.bench.arms import numbers_of
from harness.cli.forecast_text import Forecast, forecast_document, forecast_json
from harness.cli.help import SectionedCommand
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_json
from harness.errors import SettingsError
from harness.render.terminal import show
from harness.settings import Settings
from harness.simulation.forecast import arms_of, jobs_of
from harness.simulation.from_run import read_run
from harness.simulation.many_runs import OnNight, simulate_nights, workers_for
from harness.simulation.recording import Recording
from harness.simulation.simulated_run import Plan, SimulatedRun
from harness.simulation.start import start_of

_LIMITS = ("per_run", "runs", "rpm", "tpm", "attempts", "budget", "budget_tokens", "run_calls")
# What the recorded run was bounded by in money says nothing of tonight; the flags given here do.
_NOT_TAKEN = {
    "budget",
    "budget_tokens",
    "run_calls",
    "topic_budget",
    "topic_budget_tokens",
    "limit",
    "out",
}
_SHOWN = {"json", "quiet", "verbose", "yes"}
_MOST_TOPICS = 10_000_000


@click.command(cls=SectionedCommand)
@click.argument("recorded", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--topics",
    type=click.IntRange(1, _MOST_TOPICS),
    metavar="N",
    help="Topics of the night.  [default: the run's]",
)
@click.option(
    "--in-flight", metavar="N,N,…", help="Calls in flight to compare.  [default: the run's]"
)
@click.option(
    "--start",
    metavar="HH:MM",
    help="Local time at which it begins, or a date and time.  [default: now]",
)
@click.option(
    "--provider-limit",
    type=click.IntRange(1),
    metavar="N",
    help=(
        "Refuse (429) more than N requests at once.  [default: what the provider named in the run]"
    ),
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=4,
    show_default=True,
    help="Nights for each number.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of all draws.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes that simulate.  [default: one a core]",
)
@settings_options(*_LIMITS, "json_output", "quiet", config=False)
def simulate(
    recorded: Path,
    topics: int | None,
    in_flight: str | None,
    start: str | None,
    provider_limit: int | None,
    repeat: int,
    seed: int,
    jobs: int | None,
    **values: Any,
) -> None:
    """Simulate a run like a recorded one: its time, cost and limits. Nothing is sent.

    \b
    harness simulate results/<run> --topics 10000 --in-flight 8,32,128 --rpm 500 --start 22:00

    RUN is a directory under results/. Topics are drawn from the recorded ones, whole, with their
    calls, tokens and failures; times are drawn from what was fitted to their calls; and the real
    engine works through them on virtual time. Limits and prices are the run's where no flag says
    otherwise. Every call counts as asked: nothing is expected from the cache.
    """
    began = start_of(start, datetime.now().astimezone())
    slots = () if in_flight is None else numbers_of(in_flight)
    recording = read_run(recorded, seed=seed)
    settings = _settings(recording, values)
    _check_budget(settings, recording, began)
    plan = Plan(
        topics=topics or recording.topics_in_all,
        settings=settings,
        limits=settings.limits(),
        start=began,
        provider_limit=provider_limit or recording.provider_limit,
        refusal_s=recording.refusal_s,
    )
    nights = jobs_of(plan, slots or (settings.in_flight,), repeat=repeat, seed=seed)
    with _progress(len(nights), shown=not settings.quiet and sys.stderr.isatty()) as on_night:
        simulated = simulate_nights(
            recording.topics,
            nights,
            workers=jobs or workers_for(recording.topics, nights),
            on_night=on_night,
        )
    arms = arms_of(nights, simulated, interval=recording.allows_interval)
    forecast = Forecast(recording=recording, plan=plan, arms=arms, repeat=repeat, seed=seed)
    if settings.json_output:
        say_json(forecast_json(forecast))
    else:
        show(forecast_document(forecast), sys.stdout)


def _settings(recording: Recording, values: dict[str, Any]) -> Settings:
    """Those of the recorded run where no flag says otherwise."""
    base = {}
    for name, value in recording.settings.items():
        if value is not None and name not in _NOT_TAKEN | _SHOWN:
            base[name] = value
    return loaded_from(values, base=base).settings


def _check_budget(settings: Settings, recording: Recording, began: datetime) -> None:
    """Raise SettingsError for a budget in money where a price is not known: such a night would end
    before it began.
    """
    unpriced = [
        model for model in recording.models() if settings.pricing().price(model, began) is None
    ]
    if settings.budget is not None and unpriced:
        raise SettingsError(
            f"--budget {settings.budget:g}: no price is known for the model {unpriced[0]!r} at"
            f" {began:%Y-%m-%d}; cap with --budget-tokens or --run-calls"
        )


@contextmanager
def _progress(nights: int, *, shown: bool) -> Iterator[OnNight]:
    """A bar on standard error that goes on with each night, for as long as this is open."""

    def unseen(number: int, night: SimulatedRun) -> None:
        """Nobody looks."""

    if not shown:
        yield unseen
        return
    from rich.console import Console  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (SpinnerColumn(), TextColumn("nights simulated:"), MofNCompleteColumn(), BarColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as progress:
        task = progress.add_task("", total=nights)

        def seen(number: int, night: SimulatedRun) -> None:
            progress.advance(task)

        yield seen
