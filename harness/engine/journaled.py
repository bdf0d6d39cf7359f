"""The journal layer: nothing leaves before it is noted, nothing is handed on before it is kept."""

from __future__ import annotations

from dataclasses import replace

import anyio

from harness.domain.completion import Call, Completion, Request
from harness.domain.key import cache_key
from harness.domain.pricing import Pricing
from harness.domain.validity import defect
from harness.errors import CompletionError
from harness.ports import Cache, Completer, OpenCall, Resolution, WallClock


class Journaled:
    """Prices each request, passes its answer through the gate, and keeps the books.

    A request that is cancelled or crashes on its way stays open in the journal: its payment is unknown. Once an answer
    has arrived, cancellation waits until it is stored.
    """

    def __init__(self, inner: Completer, cache: Cache, pricing: Pricing, clock: WallClock, *, keep: bool) -> None:
        self._inner = inner
        self._cache = cache
        self._pricing = pricing
        self._clock = clock
        self._keep = keep

    async def complete(self, request: Request, call: Call) -> Completion:
        opened_at = self._clock.now()
        most = self._pricing.at_most(request, opened_at)
        number = await self._cache.open_call(
            request,
            OpenCall(
                key=cache_key(request),
                call=call,
                opened_at=opened_at,
                cost_at_most=most.cost,
                tokens_at_most=most.tokens,
            ),
        )
        try:
            answer = await self._inner.complete(request, call)
        except CompletionError as error:
            await self._note_failure(number, request, error)
            raise
        completion = replace(answer, cost=self._price(request, answer), owner=call.owner)
        no_answer = defect(request, completion)
        if no_answer is not None:
            await self._note_failure(number, request, no_answer)
            raise no_answer
        started = anyio.current_time()
        await self._resolve(
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
        stored_s = anyio.current_time() - started
        return replace(completion, served=replace(completion.served, stored_s=stored_s))

    async def _note_failure(self, number: int, request: Request, error: CompletionError) -> None:
        partial = error.partial
        if error.billed == "no":
            cost: float | None = 0.0
        elif error.billed == "yes" and partial is not None:
            cost = partial.cost if partial.cost is not None else self._price(request, partial)
            error.partial = replace(partial, cost=cost)
        else:
            cost = None
        await self._resolve(
            number,
            Resolution(
                outcome="failed",
                closed_at=self._clock.now(),
                cost=cost,
                tokens=partial.usage.total_tokens if partial is not None else 0,
                completion=partial,
                error=f"{error.kind}: {error}",
            ),
        )

    async def _resolve(self, number: int, resolution: Resolution) -> None:
        with anyio.CancelScope(shield=True):
            await self._cache.resolve(number, resolution)

    def _price(self, request: Request, completion: Completion) -> float | None:
        return self._pricing.cost(request.model, completion.usage, self._clock.now())
