"""Ctrl-C: the first lets calls in flight finish and be stored, the second stops at once; SIGTERM is
a first.

So is SIGHUP, which comes when the terminal is closed. It is left alone where it is ignored when the
command begins, as under `nohup`. It never counts as a second signal: a shell and the kernel each
send one for the same closed terminal, and systemd sends one right after its SIGTERM. Nor does the
first SIGTERM after it: of two that wait for a busy process, the one with the lower number is heard
first.

Python's own signal handlers are used, and not the event loop's: they run between two bytecodes,
also while a workflow of the user's blocks the loop. And should even the end not come (a read that
nobody answers, a thread that hangs), the process ends itself: whatever was reported as stored is,
as after any other kill.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import anyio
import click

from harness.cli.terminal import give_back_cursor, let_go_of_what_is_left
from harness.engine.stopping import Stop

INTERRUPTED = 130
CLOSING_S = 1.5
"""Seconds that a run has after the drain to write its last rows."""
AT_ONCE_S = 0.8
"""The same after the second signal: all of it within the second."""
_NAMES = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "SIGHUP (the terminal was closed)",
}


def _never() -> bool:
    return False


async def interruptible(
    work: Callable[[], Awaitable[None]],
    stop: Stop,
    *,
    drain_s: float,
    idle: Callable[[], bool] = _never,
) -> None:
    """Do `work`; a signal sets `stop`, and what is in flight gets `drain_s` seconds before it is
    cancelled.

    Where `idle` says that nothing is in flight, there is nothing to wait for. Raises what `work`
    raises, as it raised it.
    """
    loop = asyncio.get_running_loop()
    scope = anyio.CancelScope()

    def drain(name: str) -> None:
        stop.set("interrupted", f"interrupted by {name}")
        if drain_s <= 0 or idle():
            _end_within(AT_ONCE_S)
            scope.cancel()
        else:
            _announce(name, drain_s)
            loop.call_later(drain_s, scope.cancel)

    def at_once(name: str) -> None:
        scope.cancel()

    try:
        with _signals_to(loop, drain, at_once, first_within_s=drain_s + CLOSING_S), scope:
            await work()
    finally:
        let_go_of_what_is_left()


@contextmanager
def _signals_to(
    loop: asyncio.AbstractEventLoop,
    first: Callable[[str], None],
    again: Callable[[str], None],
    *,
    first_within_s: float,
) -> Iterator[None]:
    """While this is open, a signal calls `first` on the loop, and each one after it that counts
    calls `again`.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        is_first = not received
        received.append(number)
        if not is_first and _says_the_same(received):
            return
        _end_within(first_within_s if is_first else AT_ONCE_S)
        loop.call_soon_threadsafe(first if is_first else again, _NAMES[signal.Signals(number)])

    before = {number: signal.signal(number, receive) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _says_the_same(received: Sequence[int]) -> bool:
    """Return whether the last of these signals says no more than those before it."""
    *before, last = received
    if last == signal.SIGHUP:
        return True
    return last == signal.SIGTERM and set(before) == {signal.SIGHUP}


def _heeded() -> list[signal.Signals]:
    """The signals that end the work in order."""
    hangup_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in _NAMES if number != signal.SIGHUP or not hangup_ignored]


def _end_within(seconds: float) -> None:
    """See to it that this process has ended by then, whatever holds it up."""
    timer = threading.Timer(seconds, _leave)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    """End without another word, but with the cursor that a live display has hidden."""
    give_back_cursor(2)
    os._exit(INTERRUPTED)


def _announce(name: str, drain_s: float) -> None:
    with suppress(OSError):  # whoever read our words may have left; the drain goes on without them
        click.echo(
            f"\n{name}: nothing more is sent; calls in flight have up to {drain_s:g} s to finish "
            "(again to stop at once)",
            err=True,
        )
