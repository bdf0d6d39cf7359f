"""The ways to the endpoints of a run, one for each: what belongs to an endpoint is in its route,
and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.history import Levels
from harness.engine.limiter import Limiter, LimiterState
from harness.engine.provider import Provider
from harness.engine.room import Room
from harness.engine.stopping import RouteStop, Stop, StopCause
from harness.ports import Completer

log = logging.getLogger("harness.limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to one endpoint, behind its own limits.

    `limiter` has its window, its pace and what is known of its provider; `stop` is the end of its
    calls, which is the run's where it is the only one; `completer` is the layers from the limits
    on.
    """

    name: str
    limiter: Limiter
    stop: Stop
    completer: Completer


class Routes:
    """A Completer that goes by the call: each takes the route of the endpoint that it names.

    The first route is that of the run's own endpoint. `room` is what they share.
    """

    def __init__(self, room: Room, run: Stop) -> None:
        self.room = room
        self._run = run
        self._routes: dict[str, Route] = {}
        self._own = ""

    def add(
        self,
        name: str,
        make: Callable[[Stop, str | None], tuple[Limiter, Completer]],
        *,
        several: bool,
    ) -> None:
        """Add the route to an endpoint; `make` is given the stop that ends its calls, and its name
        among `several`.
        """
        stop = RouteStop(self._run, name, self._closed) if several else self._run
        limiter, completer = make(stop, name if several else None)
        if not self._routes:
            self._own = name
        self._routes[name] = Route(name=name, limiter=limiter, stop=stop, completer=completer)

    async def complete(self, request: Request, call: Call) -> Completion:
        return await self.of(call).completer.complete(request, call)

    def of(self, call: Call) -> Route:
        """The route that this call takes."""
        return self._routes[call.endpoint or self._own]

    def provider_of(self, call: Call) -> Provider:
        """Return what is known of the provider that this call goes to."""
        return self.of(call).limiter.provider

    @property
    def all(self) -> Sequence[Route]:
        """All of them, that of the run's own endpoint first."""
        return tuple(self._routes.values())

    @property
    def several(self) -> bool:
        """Return whether there is more than one endpoint."""
        return len(self._routes) > 1

    @property
    def closed(self) -> StopCause | None:
        """The reason why endpoints are asked no more, while the run goes on with others; None where
        all are asked.
        """
        causes = [route.stop.cause for route in self.all if route.stop.cause is not None]
        if not causes:
            return None
        messages = dict.fromkeys(cause.message for cause in causes)
        return StopCause(kind=causes[0].kind, message="; ".join(messages))

    def _closed(self, cause: StopCause) -> None:
        """An endpoint is asked no more; where it was the last one, the run is at its end."""
        if all(route.stop.is_set for route in self.all):
            whole = self.closed or cause
            self._run.set(whole.kind, whole.message)
        else:
            log.warning("%s – the calls to other endpoints go on", cause.message)

    @property
    def in_flight(self) -> int:
        """Calls that have a slot now."""
        return self.room.in_flight

    @property
    def goes_by_arrival(self) -> bool:
        """Return whether calls go in the order of their arrival now, as at the end of a batch."""
        return all(route.limiter.goes_by_arrival for route in self.all)

    @property
    def is_paced(self) -> bool:
        """Return whether the pace, or a pause, holds all calls back now."""
        return all(route.limiter.is_paced for route in self.all)

    @property
    def is_down(self) -> bool:
        """Return whether an endpoint gets nothing but probes now."""
        return any(route.limiter.provider.is_down for route in self.all)

    @property
    def is_certainly_down(self) -> bool:
        """Return whether that is more than a suspicion of one of them."""
        return any(route.limiter.provider.is_certainly_down for route in self.all)

    def down_until(self, at: float) -> float:
        """The seconds, in all until then, in which the endpoint was away that was away longest."""
        return max(route.limiter.provider.down_until(at) for route in self.all)

    def ending(self, left: int) -> None:
        """Learn that only so many topics are left, and no other follows."""
        for route in self.all:
            route.limiter.ending(left)

    def history(self) -> Levels:
        """Return how many calls were let in at once, in all."""
        parts = [route.limiter.history for route in self.all]
        return Levels.sum_of(parts, most=self.room.slots) if self.several else parts[0]

    def states(self) -> Mapping[str, LimiterState]:
        """Return what was learned of each endpoint, by its name."""
        return {route.name: route.limiter.state() for route in self.all}

    def state(self) -> LimiterState:
        """Return what was learned in all. A pause or an outage of one endpoint only stands in
        `states`.
        """
        states = list(self.states().values())
        if len(states) == 1:
            return states[0]
        return LimiterState(
            in_flight=sum(state.in_flight for state in states),
            waiting=sum(state.waiting for state in states),
            places=min(self.room.slots, sum(state.places for state in states)),
            maximum=self.room.slots,
            refusals=sum(state.refusals for state in states),
            named_limit=None,
            paused_s=min(state.paused_s for state in states),
        )
