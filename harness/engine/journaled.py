"""The journal after a request: nothing is handed on before it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request
from harness.domain.failures import CompletionError
from harness.domain.pricing import Pricing, charge_of
from harness.domain.unsettled import LINGER_S, FastestWriting, usage_at_most
from harness.domain.validity import defect
from harness.engine.clock import now
from harness.ports import Completer, Journal, Resolution, WallClock


class Journaled:
    """Prices each answer, passes it through the gate, keeps it, and closes the row that `Noted`
    opened for it.

    Once an answer has arrived, cancellation waits until it is stored. Where nobody told what a
    request used, it is judged here what that can have been at most (`domain/unsettled.py`), for the
    journal and for who counts the money.
    """

    def __init__(
        self, inner: Completer, journal: Journal, pricing: Pricing, clock: WallClock, *, keep: bool
    ) -> None:
        self._inner = inner
        self._journal = journal
        self._pricing = pricing
        self._clock = clock
        self._keep = keep
        self._fastest = FastestWriting()

    async def complete(self, request: Request, call: Call) -> Completion:
        started, asked_at, before_s = now(), self._clock.now(), call.attempt.waited_s
        try:
            answer = await self._inner.complete(request, call)
            self._fastest.learn(answer)
            completion = self._told(request, answer, call, asked_at)
            no_answer = defect(request, completion)
            if no_answer is not None:
                raise no_answer
        except CompletionError as error:
            elapsed_s = now() - started - (call.attempt.waited_s - before_s)
            await self._resolve(call, self._failed(request, error, call, asked_at, elapsed_s))
            raise
        await self._resolve(
            call,
            Resolution(
                outcome="stored",
                closed_at=self._clock.now(),
                cost=completion.cost,
                tokens=completion.usage.total_tokens,
                completion=completion,
                keep=self._keep,
                at_most=call.attempt.at_most,
            ),
        )
        return completion

    def _told(
        self, request: Request, answer: Completion, call: Call, asked_at: datetime
    ) -> Completion:
        """The answer with its price; where its usage was not told, what it can have cost is judged."""
        told = answer.as_told
        if told.usage.total_tokens:
            cost = self._price(request, told)
            return replace(told, owner=call.owner, span_id=call.span_id, cost=cost)
        call.attempt.at_most = self._judged(
            request, told, call, asked_at, elapsed_s=told.served.latency_s, ended=True
        )
        return replace(told, owner=call.owner, span_id=call.span_id)

    def _failed(
        self,
        request: Request,
        error: CompletionError,
        call: Call,
        asked_at: datetime,
        elapsed_s: float,
    ) -> Resolution:
        """Return how the journal closes a failed request; what had arrived of its answer is priced
        on the way.
        """
        attempt = call.attempt
        error.priced(lambda partial: self._price(request, partial))
        partial, charge = error.partial, charge_of(error)
        if charge.usage is None and attempt.at_most is None:
            attempt.at_most = self._judged(
                request, partial, call, asked_at, elapsed_s=elapsed_s, ended=False
            )
        return Resolution(
            outcome="failed",
            closed_at=self._clock.now(),
            cost=charge.cost,
            tokens=partial.usage.total_tokens if partial is not None else 0,
            completion=partial,
            at_most=attempt.at_most if charge.usage is None else None,
            error=f"{error.kind}: {error}",
        )

    def _judged(
        self,
        request: Request,
        seen: Completion | None,
        call: Call,
        asked_at: datetime,
        *,
        elapsed_s: float,
        ended: bool,
    ) -> AtMost:
        """Return the most that a request can have cost that did not say it; see
        `domain/unsettled.py`.
        """
        usage = usage_at_most(
            request,
            seen,
            elapsed_s=elapsed_s,
            ended=ended,
            streamed=call.stream,
            fastest=self._fastest,
        )
        last = self._clock.now() + timedelta(seconds=LINGER_S)
        first = max(asked_at, last - timedelta(seconds=elapsed_s + LINGER_S))
        prices = self._pricing.of(request)
        model = prices.billed(request.model, seen.model if seen is not None else "")
        if not (ended or call.stream):
            return prices.dearest(model, usage, first)
        return prices.dearest_between(model, usage, first, last)

    async def _resolve(self, call: Call, resolution: Resolution) -> None:
        """Close the row, whoever is cancelled meanwhile."""
        call.tracker.at("cache")
        started = now()
        with anyio.CancelScope(shield=True):
            await self._journal.resolve(call.attempt.row, resolution)
        call.attempt.waited(stored_s=now() - started)

    def _price(self, request: Request, completion: Completion) -> float | None:
        """USD: what the server said, else the price at the model that answered; None where nobody
        knows.

        A server that says that an answer cost nothing is believed only where no price says
        otherwise.
        """
        if completion.cost:
            return completion.cost
        if completion.usage.total_tokens == 0:
            return completion.cost
        prices = self._pricing.of(request)
        billed = prices.billed(request.model, completion.model)
        priced = prices.cost(billed, completion.usage, self._clock.now())
        return completion.cost if priced is None else priced
