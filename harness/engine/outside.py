"""The layer where calls wait while their endpoint is away: before the money, so that they hold
none.

At the limits, where the calls of a run with one endpoint wait for it, each holds what it may cost.
Among several that money is wanted by the calls to the others.
"""

from __future__ import annotations

import asyncio

from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.engine.clock import now
from harness.engine.provider import Provider
from harness.engine.routes import Routes
from harness.engine.stopping import Stop
from harness.engine.turns import SteppedBackError, Turns
from harness.ports import Completer


class Outside:
    """Holds the calls to each endpoint that is certainly away; one goes on whenever it is time to
    look for it.
    """

    def __init__(self, inner: Completer, routes: Routes) -> None:
        self._inner = inner
        self._routes = routes
        self._doors: dict[str, _Door] = {}
        for route in routes.all:
            door = self._doors[route.name] = _Door(route.limiter.provider, route.stop)
            route.limiter.on_provider_changed(door.look)

    async def complete(self, request: Request, call: Call) -> Completion:
        door = self._doors[self._routes.of(call).name]
        started = now()
        while True:
            call.tracker.at("retry")
            await door.enter(call)
            try:
                call.attempt.waited(outage_s=now() - started)
                return await self._inner.complete(request, call)
            except SteppedBackError:
                # All the time since `started` is the outage's: what the layers within noted, too.
                call.attempt.waits.clear()


class _Door:
    """The way to one endpoint: open, or while it is away open for one call at each time to look."""

    def __init__(self, provider: Provider, stop: Stop) -> None:
        self._provider = provider
        self._turns: Turns[str] = Turns(stop)
        # Each look is another call's: one that fails by itself must not be all of them.
        self._turns.go_by_arrival(True)
        self._timer: asyncio.TimerHandle | None = None
        self._sent_before = -1
        self._let_in_at = 0.0
        stop.on_set(self._turns.refuse_all)

    async def enter(self, call: Call) -> None:
        """Return when the call may go on. Raises RunStopped once its endpoint is asked no more."""
        if self._provider.is_certainly_down:
            await self._turns.take(call.owner, advance=self.look)

    def look(self) -> None:
        """Let all in, or where the endpoint is away the next, if it is time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._turns.first is not None:
            wait_s = self._wait_s()
            if wait_s > 0:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self.look)
                return
            self._sent_before, self._let_in_at = self._provider.sent, now()
            self._turns.grant()

    def _wait_s(self) -> float:
        """Seconds until the next may go on. One that was let in may be waiting for money, or be
        cancelled.
        """
        if not self._provider.is_certainly_down:
            return 0.0
        if self._sent_before == self._provider.sent:
            return max(0.0, self._let_in_at + self._provider.policy.longest_s - now())
        return self._provider.wait_s(now())
