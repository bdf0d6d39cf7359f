"""`harness mock`: the built-in DeepSeek on a real socket."""

from __future__ import annotations

import errno

import anyio
import click

from harness.cli.signals import interruptible
from harness.engine.stopping import Stop
from harness.errors import InputError


@click.group()
def mock() -> None:
    """The built-in DeepSeek, for clients of any kind: deterministic, offline, without a key of yours."""


def _announce(url: str) -> None:
    click.echo(
        f"DeepSeek's mock listens on {url} (any API key will do, such as HARNESS_API_KEY=sk-any); Ctrl-C ends it"
    )


@mock.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8399, show_default=True, help="0: any free one.")
@click.option("--latency", default="none", show_default=True, help="Such as fixed:0.2 or uniform:8:12.")
@click.option("--faults", default="none", show_default=True, help="A share of failing requests, or KIND=SHARE,…")
@click.option("--concurrency", type=click.IntRange(min=1), help="Calls at a time before it answers 429.")
@click.option("--announce/--silent", default=True, help="Whether its 429 names that limit.")
@click.option("--rpm", type=click.IntRange(min=1), help="Requests per minute before it answers 429.")
@click.option("--delta-tokens", type=click.IntRange(min=1), default=1, show_default=True, help="Tokens a chunk.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def serve(
    port: int,
    latency: str,
    faults: str,
    concurrency: int | None,
    announce: bool,
    rpm: int | None,
    delta_tokens: int,
    seed: int,
) -> None:
    """Listen on 127.0.0.1 until Ctrl-C. Any API key is accepted."""
    from harness.testing.deepseek import FakeDeepSeek  # noqa: PLC0415 - start-up that `--help` must not pay
    from harness.testing.faults import FaultPlan  # noqa: PLC0415 - as above
    from harness.testing.latency import Latency  # noqa: PLC0415 - as above
    from harness.testing.server import serve_forever  # noqa: PLC0415 - as above

    fake = FakeDeepSeek(
        seed,
        latency=Latency.parse(latency),
        faults=FaultPlan.parse(faults),
        concurrency_limit=concurrency,
        announce_limit=announce,
        rpm=rpm,
        delta_tokens=delta_tokens,
    )
    try:
        anyio.run(
            lambda: interruptible(
                lambda: serve_forever(fake, port, _announce),
                Stop(),
                drain_s=0.0,
            )
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise InputError(f"port {port} is in use: choose another with --port, or 0 for any free one") from error
