"""`harness mock`: the built-in DeepSeek on a real socket."""

from __future__ import annotations

import errno

import anyio
import click

from harness.cli.mock_forms import forms
from harness.cli.signals import interruptible
from harness.engine.stopping import Stop
from harness.errors import InputError
from harness.text.safe import terminal_safe


@click.group()
def mock() -> None:
    """The built-in DeepSeek, for clients of any kind: deterministic, offline, without a key of
    yours.

    It also plays what goes wrong and how other servers answer: `harness mock forms` lists the names
    for --faults.
    """


mock.add_command(forms)


def _announce(url: str) -> None:
    click.echo(
        f"DeepSeek's mock listens on {url} (any API key will do, such as HARNESS_API_KEY=sk-any);"
        " Ctrl-C ends it"
    )


def _tell_left(path: str) -> None:
    click.echo(terminal_safe(f"{path}: the client hung up before its answer was whole"), err=True)


@mock.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8399,
    show_default=True,
    help="0: any free one.",
)
@click.option(
    "--latency",
    default="none",
    metavar="MODEL",
    show_default=True,
    help="fixed:S, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA or per-token:FIRST:EACH.",
)
@click.option(
    "--faults",
    default="none",
    metavar="WHAT",
    show_default=True,
    help=(
        "Share of requests that fail, 0.05; or by name, 429-tpm=0.1,reset=0.05; or think-tags, how"
        " a server answers every request. `harness mock forms` lists the names; a file of yours is"
        " named by its path."
    ),
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Calls at a time before it answers 429.",
)
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    metavar="N",
    help="Answers that it works on at a time; the others wait in silence, first come, first served.",
)
@click.option(
    "--announce/--silent",
    default=True,
    show_default=True,
    help="Whether the text of that 429 names the limit.",
)
@click.option(
    "--rpm",
    type=click.IntRange(min=1),
    metavar="N",
    help="Requests per minute before it answers 429.",
)
@click.option(
    "--delta-tokens",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Tokens a chunk.  [default: 1]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Seed of answers and faults."
)
def serve(
    port: int,
    latency: str,
    faults: str,
    concurrency: int | None,
    capacity: int | None,
    announce: bool,
    rpm: int | None,
    delta_tokens: int,
    seed: int,
) -> None:
    """Listen on 127.0.0.1 until Ctrl-C. Any API key is accepted."""
    # Start-up that `--help` must not pay.
    from harness.testing.deepseek.fake import FakeDeepSeek  # noqa: PLC0415
    from harness.testing.deepseek.fault_plan import FaultPlan  # noqa: PLC0415 - as above
    from harness.testing.deepseek.latency import Latency  # noqa: PLC0415 - as above
    from harness.testing.server import serve_forever  # noqa: PLC0415 - as above

    fake = FakeDeepSeek(
        seed,
        latency=Latency.parse(latency),
        faults=FaultPlan.parse(faults),
        concurrency_limit=concurrency,
        capacity=capacity,
        announce_limit=announce,
        rpm=rpm,
        delta_tokens=delta_tokens,
    )
    try:
        anyio.run(
            lambda: interruptible(
                lambda: serve_forever(fake, port, _announce, _tell_left), Stop(), drain_s=0.0
            )
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "is not ours to take"
        raise InputError(
            f"port {port} {why}: choose another with --port, or 0 for any free one"
        ) from error
