"""The display while a batch runs: a live display on a terminal, a plain line now and then
elsewhere.
"""

from __future__ import annotations

import os
import signal
import sys

import anyio
import click

from harness.cli.live.lines import line_of
from harness.cli.terminal import can_be_painted, can_be_written, in_foreground
from harness.engine.stopping import Stop
from harness.runs.session import Watch
from harness.runs.snapshot import Snapshot, glance
from harness.settings import Settings
from harness.text.safe import terminal_safe
from harness.timing.outlook import Track

LIVE_EVERY_S = 0.25
PLAIN_EVERY_S = 10.0
LOOKS_A_LINE = 10
"""A plain line tells of as many looks: the spread of the throughput is not seen in a single one."""


def is_shown(settings: Settings) -> bool:
    """Return whether there is any display of progress."""
    return not settings.quiet and not settings.json_output


async def show_progress(watch: Watch, settings: Settings, stop: Stop) -> None:
    """Show what happens, on standard error, until cancelled. A reader that leaves does not end the
    run.
    """
    if is_shown(settings):
        try:
            if can_be_painted(sys.stderr):
                await _live(watch, settings, stop)
            else:
                await _plain(watch, settings, stop)
        # Alone or out of a task group: nobody looks any more (`2>&1 | head`, a closed terminal).
        except* OSError:
            pass
    await anyio.sleep_forever()


async def _plain(watch: Watch, settings: Settings, stop: Stop) -> None:
    track, looks = Track(), 0
    while True:
        await anyio.sleep(PLAIN_EVERY_S / LOOKS_A_LINE)
        looks += 1
        seen = glance(watch, track, anyio.current_time(), stopping=_cause(stop))
        if seen is not None and looks % LOOKS_A_LINE == 0:
            _say_line(seen, settings)


def _say_line(seen: Snapshot, settings: Settings) -> None:
    click.echo(terminal_safe(line_of(seen, settings)), err=True)


async def _live(watch: Watch, settings: Settings, stop: Stop) -> None:
    # What measures words is of use to a terminal only.
    from harness.cli.live.picture import picture  # noqa: PLC0415 - as above
    from harness.cli.live.screen import Screen  # noqa: PLC0415 - as above

    track, terminal = Track(), sys.stderr.fileno()
    said_s = anyio.current_time()
    with Screen(sys.stderr, color=not os.environ.get("NO_COLOR")) as screen:

        def paint() -> None:
            nonlocal said_s
            seen = glance(watch, track, anyio.current_time(), stopping=_cause(stop))
            if seen is None:
                return
            if in_foreground(terminal):
                size = screen.size
                # The last column stays free: a terminal that wraps there would do it for nothing.
                lines = picture(seen, settings, width=size.columns - 1, height=size.lines - 1)
                screen.show(lines, size=size)
            elif anyio.current_time() >= said_s + PLAIN_EVERY_S and can_be_written(terminal):
                # Behind `timeout`, or sent to the background, the terminal is another's to paint
                # on.
                said_s = anyio.current_time()
                _say_line(seen, settings)

        async def follow_signals() -> None:
            with anyio.open_signal_receiver(
                signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT
            ) as received:
                async for number in received:
                    if number == signal.SIGTSTP:
                        screen.suspend()
                    paint()

        async with anyio.create_task_group() as group:
            group.start_soon(follow_signals)
            while True:
                paint()
                await anyio.sleep(LIVE_EVERY_S)


def _cause(stop: Stop) -> str | None:
    return stop.cause.message if stop.cause is not None else None
