"""The journal layer: nothing leaves before it is noted, nothing is handed on before it is kept."""

from __future__ import annotations

from dataclasses import replace

import anyio

from harness.domain.completion import Call, Completion, Request, Served
from harness.domain.key import cache_key
from harness.domain.pricing import Pricing, charge_of
from harness.domain.validity import defect
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.errors import CompletionError, FatalError, RunStopped
from harness.ports import Cache, Completer, OpenCall, Resolution, WallClock


class Journaled:
    """Prices each request, passes its answer through the gate, and keeps the books.

    A request that is cancelled or crashes on its way stays open in the journal: its payment is unknown. Once an answer
    has arrived, cancellation waits until it is stored. A run that ends while the request is noted sends nothing. A
    refusal that concerns the account ends the run here, before any other call can leave.
    """

    def __init__(
        self, inner: Completer, cache: Cache, pricing: Pricing, clock: WallClock, *, keep: bool, stop: Stop
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._pricing = pricing
        self._clock = clock
        self._keep = keep
        self._stop = stop

    async def complete(self, request: Request, call: Call) -> Completion:
        started = now()
        number = await self._open(request, call)
        stored_s = now() - started
        try:
            self._stop.check()
            answer = await self._inner.complete(request, call)
            completion = replace(answer, cost=self._price(request, answer), owner=call.owner)
            no_answer = defect(request, completion)
            if no_answer is not None:
                raise no_answer
        except RunStopped as stopped:
            await self._resolve(number, self._failure(f"not sent: {stopped}", cost=0.0))
            raise
        except CompletionError as error:
            if isinstance(error, FatalError):
                # Before the row is closed: on a slow disk many more would be sent meanwhile.
                self._stop.set("auth" if error.kind == "auth" else "balance", str(error))
            stored_s += await self._resolve(number, self._failed(request, error))
            error.served = (error.served or Served()).waited(stored_s=stored_s)
            raise
        stored_s += await self._resolve(
            number,
            Resolution(
                outcome="stored",
                closed_at=self._clock.now(),
                cost=completion.cost,
                tokens=completion.usage.total_tokens,
                completion=completion,
                keep=self._keep,
            ),
        )
        served = completion.served.waited(stored_s=stored_s)
        return completion if served is completion.served else replace(completion, served=served)

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
        return await self._cache.open_call(request, entry)

    def _failed(self, request: Request, error: CompletionError) -> Resolution:
        """How the journal closes a failed request; what had arrived of its answer is priced on the way."""
        partial = error.partial
        if partial is not None and error.billed == "yes":
            partial = error.partial = replace(partial, cost=self._price(request, partial))
        return self._failure(f"{error.kind}: {error}", cost=charge_of(error).cost, partial=partial)

    def _failure(self, error: str, *, cost: float | None, partial: Completion | None = None) -> Resolution:
        return Resolution(
            outcome="failed",
            closed_at=self._clock.now(),
            cost=cost,
            tokens=partial.usage.total_tokens if partial is not None else 0,
            completion=partial,
            error=error,
        )

    async def _resolve(self, number: int, resolution: Resolution) -> float:
        """Close the row, whoever is cancelled meanwhile; returns the seconds that took."""
        started = now()
        with anyio.CancelScope(shield=True):
            await self._cache.resolve(number, resolution)
        return now() - started

    def _price(self, request: Request, completion: Completion) -> float | None:
        """USD, or None: no price is known, or the provider did not say what was used."""
        if completion.usage.total_tokens == 0:
            return None
        return self._pricing.cost(request.model, completion.usage, self._clock.now())
