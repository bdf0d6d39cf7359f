"""`harness record`: a run whose answers become a cassette."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import click

from harness.cache.cassette import Recording
from harness.cli.consent import agreed, exit_unsent
from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.recording import agreed_to, agreed_to_all, record_into
from harness.cli.run import note_aliases
from harness.errors import SettingsError
from harness.regress.recorded.expecting import Expected, expected
from harness.regress.recorded.recording import known_recordings
from harness.regress.recorded.replaying import replay_file
from harness.runs.wanted import can_be_read_again
from harness.settings import Loaded
from harness.workflows.in_use import workflow_of


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
    """Run the topics of DATASET and keep what was answered in a cassette, to be replayed without
    key or network.

    What the cassette holds already is not asked again, so only what changed is paid for
    (--cache-mode refresh asks all anew). An answer that is found again leaves its line as it is.
    The cassette is written once the run has ended.

    Exit codes: those of harness run.
    """
    loaded = loaded_from(values)
    note_aliases(loaded)
    mode = loaded.settings.cache_mode
    if mode not in ("read_write", "refresh"):
        raise SettingsError(
            f"--cache-mode {mode}: a recording keeps what it pays for; "
            "use read_write, or refresh to ask everything anew"
        )
    known = known_recordings(cassette)
    workflow = workflow_of(loaded)
    # What is piped in can be read once, and the run itself must read it.
    if not can_be_read_again(dataset):
        begin = agreed(loaded, workflow, dataset)
    elif not known or mode == "refresh":
        begin = agreed_to_all(loaded, workflow, dataset)
    else:
        begin = agreed_to(anyio.run(_missing, loaded, dataset, known), loaded, workflow)
    if not begin:
        exit_unsent()
    report = record_into(cassette, loaded, dataset, known, workflow=workflow, prune=prune)
    sys.exit(report.exit_code)


async def _missing(loaded: Loaded, source: str, known: tuple[Recording, ...]) -> Expected:
    """Return what a replay of the topics does not find."""
    return expected(await replay_file(loaded, source, known))
