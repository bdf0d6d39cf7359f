"""`harness simulate`: what a night would take, from a recorded run, before spending anything."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from harness.cli.forecast_text import forecast_json, forecast_text
from harness.cli.help import SectionedCommand
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_json
from harness.domain.sanitize import terminal_safe
from harness.errors import SettingsError
from harness.simulation.forecast import forecast
from harness.simulation.night import Night, Plan
from harness.simulation.recording import ENOUGH_TOPICS, read_recording
from harness.simulation.start import start_of

_LIMITS = ("per_run", "runs", "rpm", "tpm", "attempts", "budget", "budget_tokens", "run_calls")
# What the recorded run was bounded by in money says nothing of tonight; the flags given here do.
_NOT_TAKEN = {"budget", "budget_tokens", "run_calls", "topic_budget", "topic_budget_tokens", "limit", "out"}
_SHOWN = {"json", "quiet", "verbose", "yes"}
_MOST_TOPICS = 10_000_000


@click.command(cls=SectionedCommand)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--topics", type=click.IntRange(1, _MOST_TOPICS), metavar="N", help="Topics of the night.  [default: the run's]"
)
@click.option("--in-flight", metavar="N,N,…", help="Calls in flight to compare.  [default: the run's]")
@click.option("--start", metavar="HH:MM", help="Local time at which it begins, or a date and time.  [default: now]")
@click.option(
    "--provider-limit", type=click.IntRange(1), metavar="N", help="Refuse (429) more than N requests at once."
)
@click.option(
    "--repeat", type=click.IntRange(1, 1000), metavar="N", default=5, show_default=True, help="Nights for each number."
)
@click.option("--seed", type=click.IntRange(0), metavar="N", default=0, show_default=True, help="Seed of all draws.")
@settings_options(*_LIMITS, "json_output", "quiet", config=False)
def simulate(
    run: Path,
    topics: int | None,
    in_flight: str | None,
    start: str | None,
    provider_limit: int | None,
    repeat: int,
    seed: int,
    **values: Any,
) -> None:
    """What a night like the recorded RUN (a directory under results/) would take. Nothing is sent.

    Topics are drawn from the recorded ones, whole, with their calls, tokens and failures; times are drawn from what was
    fitted to their calls; and the real engine works through them on virtual time. Limits and prices are the run's where
    no flag says otherwise. Every call counts as asked: nothing is expected from the cache.
    """
    began = start_of(start, datetime.now().astimezone())
    recording = read_recording(run, seed=seed)
    base = {
        name: value
        for name, value in recording.manifest["settings"].items()
        if value is not None and name not in _NOT_TAKEN | _SHOWN
    }
    settings = loaded_from(values, base=base).settings
    plan = Plan(
        topics=topics or recording.topics_in_file,
        settings=settings,
        limits=settings.limits(),
        start=began,
        provider_limit=provider_limit,
        refusal_s=recording.refusal_s,
    )
    places = _places(in_flight, settings.in_flight)

    def told(number: int, repetition: int, night: Night) -> None:
        if not settings.quiet and sys.stderr.isatty():
            click.echo(f"{number} in flight, night {repetition} of {repeat}: {night.wall_s:,.0f} s", err=True)

    arms = forecast(
        recording.topics,
        plan,
        places,
        repeat=repeat,
        seed=seed,
        interval=len(recording.topics) >= ENOUGH_TOPICS,
        on_night=told,
    )
    if settings.json_output:
        say_json(forecast_json(recording, plan, arms, repeat=repeat, seed=seed))
    else:
        click.echo(terminal_safe(forecast_text(recording, plan, arms, repeat=repeat)))


def _places(text: str | None, default: int) -> tuple[int, ...]:
    """`8,32,128` as numbers. Raises SettingsError."""
    if text is None:
        return (default,)
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 1_000_000 for part in parts):
        raise SettingsError(f"--in-flight {text}: expected numbers of calls such as 8,32,128, each 1 to 1,000,000")
    return tuple(dict.fromkeys(int(part) for part in parts))
