"""The journal after a request: nothing is handed on before it is kept."""

from __future__ import annotations

from dataclasses import replace

import anyio

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served
from harness.domain.failures import CompletionError
from harness.domain.pricing import Pricing, charge_of
from harness.domain.validity import defect
from harness.engine.clock import now
from harness.ports import Cache, Completer, Resolution, WallClock


class Journaled:
    """Prices each answer, passes it through the gate, keeps it, and closes the row that `Noted` opened for it.

    Once an answer has arrived, cancellation waits until it is stored.
    """

    def __init__(self, inner: Completer, cache: Cache, pricing: Pricing, clock: WallClock, *, keep: bool) -> None:
        self._inner = inner
        self._cache = cache
        self._pricing = pricing
        self._clock = clock
        self._keep = keep

    async def complete(self, request: Request, call: Call) -> Completion:
        try:
            answer = await self._inner.complete(request, call)
            completion = replace(answer, cost=self._price(request, answer), owner=call.owner, row=0)
            no_answer = defect(request, completion)
            if no_answer is not None:
                no_answer.row = answer.row
                raise no_answer
        except CompletionError as error:
            stored_s = await self._resolve(error.row, self._failed(request, error))
            error.served = (error.served or Served()).waited(stored_s=stored_s)
            raise
        stored_s = await self._resolve(
            answer.row,
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

    def _failed(self, request: Request, error: CompletionError) -> Resolution:
        """How the journal closes a failed request; what had arrived of its answer is priced on the way."""
        partial = error.partial
        if partial is not None and error.billed == "yes":
            partial = error.partial = replace(partial, cost=self._price(request, partial))
        return Resolution(
            outcome="failed",
            closed_at=self._clock.now(),
            cost=charge_of(error).cost,
            tokens=partial.usage.total_tokens if partial is not None else 0,
            completion=partial,
            error=f"{error.kind}: {error}",
        )

    async def _resolve(self, row: int, resolution: Resolution) -> float:
        """Close the row, whoever is cancelled meanwhile; returns the seconds that took."""
        started = now()
        with anyio.CancelScope(shield=True):
            await self._cache.resolve(row, resolution)
        return now() - started

    def _price(self, request: Request, completion: Completion) -> float | None:
        """USD, or None: no price is known, or the provider did not say what was used."""
        if completion.usage.total_tokens == 0:
            return None
        return self._pricing.cost(request.model, completion.usage, self._clock.now())
