"""`harness view`: all runs of a directory in the browser, live."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import anyio
import click

from harness.cli.signals import interruptible
from harness.engine.stopping import Stop
from harness.errors import InputError
from harness.runs.batch import RESULTS_ROOT
from harness.text.safe import terminal_safe


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=RESULTS_ROOT)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1.  [default: any free one]",
)
def view(directory: Path, port: int) -> None:
    """The runs in DIRECTORY (by default results/) in the browser, up to date while they go on;
    Ctrl-C ends it.

    Read-only and for this machine only: the address that is printed holds a random token, and
    nothing is answered without it. DIRECTORY may also be a single run.
    """
    if not directory.is_dir():
        raise InputError(
            f"{directory}: is no directory; expected one that holds runs, such as {RESULTS_ROOT}/"
        )
    try:
        anyio.run(lambda: interruptible(lambda: _serve(directory, port), Stop(), drain_s=0.0))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "is not ours to take"
        raise InputError(
            f"port {port} {why}: choose another with --port, or leave it out for any free one"
        ) from error


async def _serve(directory: Path, port: int) -> None:
    from harness.report.plotting import plotting  # noqa: PLC0415 - start-up that `--help` must not pay
    from harness.report.serving import serve_view  # noqa: PLC0415 - as above

    if missing := plotting().missing:
        click.echo(f"without plots. {missing}", err=True)
    async with serve_view(directory, port) as address:
        click.echo(terminal_safe(f"the runs in {directory}: {address} (Ctrl-C ends it)"))
        await asyncio.get_running_loop().create_future()
