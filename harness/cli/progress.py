"""What is shown while a batch runs: a live display on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import click

from harness.batch import Watch
from harness.cli.glance import Glance, calls_words, glance, line_of, money_words, topics_words
from harness.settings import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

LIVE_EVERY_S = 0.25
PLAIN_EVERY_S = 10.0
BAR_WIDTH = 32


async def show_progress(watch: Watch, settings: Settings) -> None:
    """Show what happens, on standard error, until cancelled. A reader that leaves does not end the run."""
    if not settings.quiet and not settings.json_output:
        with suppress(OSError):  # nobody looks any more (`2>&1 | head`, a closed terminal): go on in silence
            await (_live if sys.stderr.isatty() else _plain)(watch, settings)
    await anyio.sleep_forever()


async def _plain(watch: Watch, settings: Settings) -> None:
    while True:
        await anyio.sleep(PLAIN_EVERY_S)
        seen = glance(watch, anyio.current_time())
        if seen is not None:
            click.echo(line_of(seen, settings), err=True)


async def _live(watch: Watch, settings: Settings) -> None:
    from rich.console import Console  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth
    from rich.live import Live  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        await _plain(watch, settings)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            seen = glance(watch, anyio.current_time())
            if seen is not None:
                live.update(picture(seen, settings), refresh=True)
            await anyio.sleep(LIVE_EVERY_S)


def picture(seen: Glance, settings: Settings) -> RenderableType:
    """Three lines: the topics with a bar, the calls, the money and the time. Each is cut to the terminal's width."""
    from rich.console import Group  # noqa: PLC0415 - as above
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    def line(words: str, style: str = "") -> Text:
        return Text(words, style=style, no_wrap=True, overflow="ellipsis")

    first = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=max(1, seen.topics),
        completed=seen.finished,
        width=BAR_WIDTH,
        complete_style="green",
        finished_style="green",
    )
    first.add_row(bar, line(topics_words(seen), "red" if seen.failed else ""))
    return Group(
        first,
        line(calls_words(seen), "yellow" if seen.paused_s > 0 else ""),
        line(money_words(seen, settings)),
    )
