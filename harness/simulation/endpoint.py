"""A made-up endpoint that takes as long as the fit says, fails as recorded calls failed, and refuses at its limit."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from harness.domain.completion import Call, Completion, FailedAttempt, Request, Served, Usage
from harness.engine.clock import now
from harness.errors import CompletionError, PermanentError, TransientError
from harness.simulation.fit import StepFit
from harness.simulation.recorded import RecordedCall
from harness.testing.gate import Gate

# The shortest text that is an answer, also where JSON was asked for.
_SAID = "0"
_UNIT = 1 << 64


@dataclass(slots=True)
class Traffic:
    """What the endpoint saw. `busy_s` is the time that requests spent there, summed over all of them."""

    requests: int = 0
    refusals: int = 0
    busy_s: float = 0.0


class FittedEndpoint:
    """A Completer. The time of a call is drawn by its topic and place, so every limit is tried with the same draws.

    `recorded` finds the recorded call that a call plays again. `limit` is the number of requests that the provider
    carries at once (None: any number); the next is refused after `refusal_s`, naming the limit. `answered_tokens` has a
    number for each answer.
    """

    def __init__(
        self,
        recorded: Callable[[Call], RecordedCall],
        fits: Mapping[str, StepFit],
        *,
        seed: int,
        limit: int | None,
        refusal_s: float,
    ) -> None:
        self.traffic = Traffic()
        self.answered_tokens = array("q")
        self.gate = Gate(concurrency=limit, rpm=None)
        self._recorded = recorded
        self._fits = fits
        self._seed = seed
        self._refusal_s = refusal_s
        self._met: dict[tuple[int, str], int] = {}

    async def complete(self, request: Request, call: Call) -> Completion:
        """Raises what the recorded call met, in its order, and a TransientError (429) beyond the limit."""
        recorded = self._recorded(call)
        self.traffic.requests += 1
        began = now()
        if self.gate.enter(began) is not None:
            await self._refuse()
        try:
            hitch = self._next_hitch(recorded, call)
            if hitch is not None:
                await anyio.sleep(hitch.elapsed_s)
                final = recorded.error == PermanentError.__name__ and hitch is recorded.hitches[-1]
                raise _as_error(hitch, request, final=final)
            took_s = self._fits[recorded.step].draw_s(recorded.usage.output_tokens, self._draw(call))
            await anyio.sleep(took_s)
        finally:
            self.gate.leave()
            self.traffic.busy_s += now() - began
        self._met.pop((call.priority, call.span_id), None)
        self.answered_tokens.append(recorded.usage.total_tokens)
        return _answer(request, recorded.usage, latency_s=took_s)

    async def _refuse(self) -> None:
        self.traffic.refusals += 1
        limit, in_flight = self.gate.concurrency, self.gate.in_flight
        await anyio.sleep(self._refusal_s)
        raise TransientError(
            f"{in_flight + 1} requests at once, and the limit is {limit}",
            kind="rate_limited",
            status=429,
            concurrency_limit=limit,
        )

    def _next_hitch(self, recorded: RecordedCall, call: Call) -> FailedAttempt | None:
        """The failure that this attempt meets. A call that failed for good fails on, however often it is tried."""
        if not recorded.hitches:
            return None
        place = (call.priority, call.span_id)
        met = self._met.get(place, 0)
        self._met[place] = met + 1
        if met < len(recorded.hitches):
            return recorded.hitches[met]
        return recorded.hitches[-1] if recorded.error is not None else None

    def _draw(self, call: Call) -> float:
        place = f"{self._seed}/{call.priority}/{call.span_id}".encode()
        return int.from_bytes(hashlib.blake2b(place, digest_size=8).digest(), "big") / _UNIT


def _as_error(hitch: FailedAttempt, request: Request, *, final: bool) -> CompletionError:
    """The error that was recorded, with what it cost."""
    raised = PermanentError if final else TransientError
    if hitch.usage is None:
        return raised(hitch.message, kind=hitch.kind, status=hitch.status, billed="unknown")
    if not hitch.usage.total_tokens:
        return raised(hitch.message, kind=hitch.kind, status=hitch.status)
    partial = _answer(request, hitch.usage, latency_s=0.0)
    return raised(hitch.message, kind=hitch.kind, status=hitch.status, billed="yes", partial=partial)


def _answer(request: Request, usage: Usage, *, latency_s: float) -> Completion:
    return Completion(
        model=request.model,
        content=_SAID,
        finish_reason="stop",
        usage=usage,
        served=Served(latency_s=latency_s),
    )
