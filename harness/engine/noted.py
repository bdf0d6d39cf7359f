"""The journal before a request: nothing leaves before it is noted."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.failures import FatalError
from harness.domain.key import cache_key
from harness.domain.pricing import Pricing
from harness.engine.clock import now
from harness.engine.stopping import Stop, StopKind
from harness.errors import FailureKind, RunStopped
from harness.ports import Completer, Journal, OpenCall, Resolution, WallClock

_STOP_KINDS: Mapping[FailureKind, StopKind] = {
    "auth": "auth",
    "balance": "balance",
    "quota": "quota",
    "unknown_model": "unknown_model",
}

NOT_SENT = "not sent: "
"""The beginning of the journal's error for a request that was noted but never sent."""


class Noted:
    """Opens a row of the journal for each request, and notes its number in the attempt.

    `Journaled` closes it, outside the limits: a slot among the calls in flight is free when the
    answer is there, and not only when it is on the disk. A request that is cancelled or crashes on
    its way stays open: its payment is unknown. A run that ends while the request is noted sends
    nothing. A refusal that concerns the account ends the run here, before any other call can leave.
    """

    def __init__(
        self, inner: Completer, journal: Journal, pricing: Pricing, clock: WallClock, stop: Stop
    ) -> None:
        self._inner = inner
        self._journal = journal
        self._pricing = pricing
        self._clock = clock
        self._stop = stop

    async def complete(self, request: Request, call: Call) -> Completion:
        started = now()
        row = call.attempt.row = await self._open(request, call)
        call.attempt.waited(stored_s=now() - started)
        try:
            self._stop.check()
            return await self._inner.complete(request, call)
        except RunStopped as stopped:
            await self._not_sent(row, stopped)
            raise
        except FatalError as error:
            self._stop.set(_STOP_KINDS.get(error.kind, "refused"), str(error))
            raise

    async def _open(self, request: Request, call: Call) -> int:
        opened_at = self._clock.now()
        most = self._pricing.at_most(request, opened_at)
        entry = OpenCall(
            key=cache_key(request),
            call=call,
            opened_at=opened_at,
            cost_at_most=most.cost,
            tokens_at_most=most.tokens,
        )
        return await self._journal.open_call(request, entry)

    async def _not_sent(self, row: int, stopped: RunStopped) -> None:
        resolution = Resolution(
            outcome="failed",
            closed_at=self._clock.now(),
            cost=0.0,
            tokens=0,
            error=f"{NOT_SENT}{stopped}",
        )
        with anyio.CancelScope(shield=True):
            await self._journal.resolve(row, resolution)
