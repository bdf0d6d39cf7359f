"""Ctrl-C: the first lets calls in flight finish and be stored, the second stops at once; SIGTERM is a first."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio
import click

from harness.engine.stopping import Stop


async def interruptible(work: Callable[[], Awaitable[None]], stop: Stop, *, drain_s: float) -> None:
    """Do `work`; a signal sets `stop`, and what is in flight gets `drain_s` seconds before it is cancelled."""
    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(_watch, scope, stop, drain_s)
        with scope:
            await work()
        group.cancel_scope.cancel()


async def _watch(scope: anyio.CancelScope, stop: Stop, drain_s: float) -> None:
    async with anyio.create_task_group() as group:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                if stop.cause is not None and stop.cause.kind == "interrupted":
                    scope.cancel()
                    return
                name = "Ctrl-C" if received == signal.SIGINT else "SIGTERM"
                stop.set("interrupted", f"interrupted by {name}")
                if drain_s > 0:
                    click.echo(
                        f"\n{name}: nothing more is sent; calls in flight have up to {drain_s:g} s to finish "
                        "(again to stop at once)",
                        err=True,
                    )
                group.start_soon(_cancel_after, scope, drain_s)


async def _cancel_after(scope: anyio.CancelScope, seconds: float) -> None:
    await anyio.sleep(seconds)
    scope.cancel()
