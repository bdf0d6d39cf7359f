"""`harness record`: a run whose answers become a cassette."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import click

from harness.adapters.cassette import Recording
from harness.adapters.datasets import open_dataset
from harness.adapters.memory import MemoryCache
from harness.adapters.wall_clock import SystemClock
from harness.batch import dataset_spec
from harness.cli.consent import agreed, asks
from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.run import note_aliases, reported
from harness.domain.sanitize import terminal_safe
from harness.engine.stopping import Stop
from harness.errors import SettingsError
from harness.regress.expecting import Expected, expected
from harness.regress.merging import Merged
from harness.regress.recording import known_recordings, recorded_from
from harness.regress.replaying import recorded_calls, replay
from harness.settings import Loaded
from harness.workflows.loading import load_workflow


@click.command(cls=SectionedCommand)
@click.argument("dataset")
@click.option(
    "--cassette",
    cls=SectionedOption,
    section="Cache",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The recording: JSON lines, gzipped where the name ends in .gz.",
)
@click.option(
    "--prune",
    cls=SectionedOption,
    section="Cache",
    is_flag=True,
    help="Remove what this recording did not ask for.",
)
@settings_options(*RUN_OPTIONS)
def record(dataset: str, cassette: Path, prune: bool, **values: Any) -> None:
    """Run the topics of DATASET and keep what was answered in a cassette, to be replayed without key or network.

    What the cassette holds already is not asked again, so only what changed is paid for (--cache-mode refresh asks all
    anew). An answer that is found again leaves its line as it is. The cassette is written once the run has ended.

    Exit codes: those of harness run.
    """
    loaded = loaded_from(values)
    note_aliases(loaded)
    if loaded.settings.cache_mode not in ("read_write", "refresh"):
        raise SettingsError(
            f"--cache-mode {loaded.settings.cache_mode}: a recording keeps what it pays for; "
            "use read_write, or refresh to ask everything anew"
        )
    known = known_recordings(cassette)
    if not may_begin(loaded, dataset, known):
        click.echo("nothing was sent", err=True)
        sys.exit(130)
    recording = MemoryCache.holding(recorded_calls(known, loaded.settings.pricing()))
    report = reported(loaded, dataset, recording=recording)
    if report.stop is None:
        merged = recorded_from(report.path, cassette, known, day=today(), prune=prune)
        click.echo(terminal_safe(merged_words(merged, cassette, prune=prune)), err=True)
    else:
        click.echo(f"cassette  {cassette}: not written; the same command goes on from the cache", err=True)
    sys.exit(report.exit_code)


def may_begin(loaded: Loaded, source: str, known: tuple[Recording, ...]) -> bool:
    """Say what is not recorded yet, and ask where `harness run` would ask."""
    if not known or loaded.settings.cache_mode == "refresh":
        return agreed(loaded, source)
    missing = anyio.run(_missing, loaded, source, known)
    click.echo(expected_words(missing), err=True)
    someone_there = sys.stdin.isatty() and sys.stderr.isatty()
    if missing.is_nothing or not asks(loaded.settings, someone_there=someone_there):
        return True
    loaded.endpoint()
    return click.confirm("Begin?", default=True, err=True)


async def _missing(loaded: Loaded, source: str, known: tuple[Recording, ...]) -> Expected:
    settings = loaded.settings
    workflow = load_workflow(settings.workflow, prompts_file=settings.prompts, settings=settings.workflow_settings)
    with closing(open_dataset(dataset_spec(settings, source))) as dataset:
        if not settings.skip_bad:
            dataset.raise_if_bad()
        return expected(await replay(loaded, workflow, dataset, known, stop=Stop()))


def expected_words(missing: Expected) -> str:
    """`missing   12 calls, likely $0.0123; …`, in one or two lines."""
    if missing.is_nothing:
        return "missing   nothing: all calls are recorded"
    lines = []
    if missing.calls:
        lines.append(f"{missing.calls:,} calls{_about(missing.cost)}")
        if missing.calls_at_most > missing.calls:
            lines[0] += (
                f"; up to {missing.calls_at_most:,} calls{_about(missing.cost_at_most)}, "
                "if their answers change what is asked after them"
            )
    if missing.unknown:
        lines.append(f"{missing.unknown:,} of {missing.topics:,} topics ask what was never asked, and pay for it")
    return "missing   " + "\n          ".join(lines)


def _about(cost: float | None) -> str:
    return "" if cost is None else f", some ${cost:,.4f}"


def merged_words(merged: Merged, cassette: Path, *, prune: bool) -> str:
    """What became of the cassette, in one line."""
    text = (
        f"cassette  {cassette}: {len(merged.recordings):,} answers; {merged.added:,} added, "
        f"{merged.replaced:,} replaced, {merged.unchanged:,} unchanged"
    )
    if merged.stale:
        text += f", {len(merged.stale):,} stale" + (" removed" if prune else " (--prune removes them)")
    return text


def today() -> date:
    """This day, in UTC."""
    return SystemClock().now().date()
