"""The early end of a run: one signal that every layer asks before it sends, and that wakes all who
wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import anyio

from harness.errors import BudgetExceeded, RunStopped

StopKind = Literal[
    "interrupted",  # Ctrl-C, SIGTERM, SIGHUP
    "auth",  # the key is refused
    "balance",  # the account is empty
    "quota",  # a day's or a month's quota is used up
    "unknown_model",  # the server has no such model
    "refused",  # the same refusal again and again, and nothing was ever answered
    "provider",  # the provider was away for longer than the patience lasts
    "workflow",  # the workflow raised the same exception for the first topics
    "budget",
    "storage",
]


OF_ONE_ENDPOINT: frozenset[StopKind] = frozenset({"quota", "balance", "provider"})
"""Causes that end the calls to one endpoint only, in a run that asks several: its quota or balance
is used up, or it is away. A mistake in the settings (a wrong key, an unknown model) ends the run, so
that the user learns of it at once.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCause:
    """The reason why no more calls are sent."""

    kind: StopKind
    message: str


class Stop:
    """Set once; the first cause stays. Calls in flight finish, nothing new is sent."""

    def __init__(self) -> None:
        self.cause: StopCause | None = None
        self._event = anyio.Event()
        self._wakers: list[Callable[[], None]] = []
        # In order, so that a run replays exactly: a set's order is that of addresses.
        self._sleepers: dict[asyncio.Future[None], None] = {}

    @property
    def is_set(self) -> bool:
        return self.cause is not None

    def set(self, kind: StopKind, message: str) -> None:
        """End the run; wakes all who wait for a slot, for money, or for the end of a backoff."""
        if self.cause is not None:
            return
        self.cause = StopCause(kind=kind, message=message)
        self._event.set()
        for sleeper in self._sleepers:
            _wake(sleeper)
        for wake in self._wakers:
            wake()

    def error(self) -> RunStopped:
        """Return the error that a caller gets who may not send any more."""
        if self.cause is None:
            return RunStopped("the run is ending")
        error = BudgetExceeded if self.cause.kind == "budget" else RunStopped
        return error(self.cause.message)

    def check(self) -> None:
        """Raise RunStopped if the run is ending."""
        if self.cause is not None:
            raise self.error()

    def on_set(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when the run ends; it must not block."""
        self._wakers.append(wake)

    async def sleep(self, seconds: float) -> None:
        """Sleep, or raise RunStopped as soon as the run ends."""
        self.check()
        loop = asyncio.get_running_loop()
        awake: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, awake)
        self._sleepers[awake] = None
        try:
            await awake
        finally:
            timer.cancel()
            del self._sleepers[awake]
        self.check()

    async def wait(self) -> None:
        """Return when the run is to end."""
        await self._event.wait()


class RouteStop(Stop):
    """The end of the calls to one endpoint of several.

    A quota or an account that is used up, and an outage beyond the patience, end this endpoint's
    calls alone, and `closed` is told; anything else ends the run. The end of the run is also its
    end. `name` stands in each message.
    """

    def __init__(self, run: Stop, name: str, closed: Callable[[StopCause], None]) -> None:
        super().__init__()
        self._run = run
        self._name = name
        self._closed = closed
        run.on_set(self._end_with_the_run)

    def set(self, kind: StopKind, message: str) -> None:
        """End what this cause ends."""
        if self.cause is not None:
            return
        told = f"{self._name}: {message}"
        if kind not in OF_ONE_ENDPOINT:
            self._run.set(kind, told)
            return
        super().set(kind, told)
        self._closed(StopCause(kind=kind, message=told))

    def _end_with_the_run(self) -> None:
        cause = self._run.cause or StopCause(kind="interrupted", message="the run is ending")
        super().set(cause.kind, cause.message)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
