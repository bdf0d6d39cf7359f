"""A made-up endpoint that takes as long as the fit says, fails as recorded calls failed, and
refuses at its limit.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import anyio

from harness.domain.call import Call
from harness.domain.completion import Completion, FailedAttempt, Request, Served, Usage
from harness.domain.failures import CompletionError, PermanentError, TransientError
from harness.domain.policy import RetryPolicy
from harness.engine.clock import now
from harness.simulation.fit import StepFit
from harness.simulation.recorded import RATE_LIMITED, RecordedCall
from harness.testing.deepseek.server_state import Gate

# The shortest text that is an answer, also where JSON was asked for.
_SAID = "0"
_UNIT = 1 << 64


@dataclass(slots=True)
class Traffic:
    """The requests that the endpoint saw. `busy_s` is the time that requests spent there, summed
    over all of them.
    """

    requests: int = 0
    refusals: int = 0
    busy_s: float = 0.0


class FittedEndpoint:
    """A Completer. The time of a call is drawn by its topic and place, so every limit is tried with
    the same draws.

    `recorded` finds the recorded call that a call plays again, with the failures that it met.
    `limit` is the number of requests that the provider carries at once: the next is refused after
    `refusal_s`, naming the limit, and recorded refusals are not met again, which were of the limits
    of that night. None: any number, and they are. `retry` is the policy under which they were
    recorded. `answered_tokens` has a number for each answer, `last_left_s` is when the last of the
    requests came that were answered.
    """

    def __init__(
        self,
        recorded: Callable[[Call], RecordedCall],
        fits: Mapping[str, StepFit],
        *,
        seed: int,
        limit: int | None,
        refusal_s: float,
        retry: RetryPolicy,
    ) -> None:
        self.traffic = Traffic()
        self.answered_tokens = array("q")
        self.last_left_s = 0.0
        self.gate = Gate(concurrency=limit, rpm=None)
        self._recorded = recorded
        self._fits = fits
        self._seed = seed
        self._refusal_s = refusal_s
        self._retry = retry
        self._met: dict[tuple[int, str], int] = {}

    async def complete(self, request: Request, call: Call) -> Completion:
        """Raises what the recorded call met, in its order, and a TransientError (429) beyond the
        limit.
        """
        recorded = self._recorded(call)
        self.traffic.requests += 1
        began = now()
        if self.gate.enter(began) is not None:
            await self._refuse()
        try:
            error = self._next_error(recorded, request, call)
            if error is not None:
                await anyio.sleep(error[0])
                raise error[1]
            took_s = self._fits[recorded.step].draw_s(
                recorded.usage.output_tokens, self._draw(call)
            )
            await anyio.sleep(took_s)
        finally:
            self.gate.leave()
            self.traffic.busy_s += now() - began
        self._met.pop((call.priority, call.span_id), None)
        self.answered_tokens.append(recorded.usage.total_tokens)
        self.last_left_s = max(self.last_left_s, began)
        return _answer(request, recorded.usage, latency_s=took_s)

    async def _refuse(self) -> None:
        self.traffic.refusals += 1
        limit, in_flight = self.gate.concurrency, self.gate.in_flight
        await anyio.sleep(self._refusal_s)
        raise TransientError(
            f"{in_flight + 1} requests at once, and the limit is {limit}",
            kind=RATE_LIMITED,
            status=429,
            concurrency_limit=limit,
        )

    def _next_error(
        self, recorded: RecordedCall, request: Request, call: Call
    ) -> tuple[float, CompletionError] | None:
        """After how many seconds this attempt fails, and how. A call that failed for good fails on,
        however often it is tried.
        """
        failures = self._played(recorded)
        if not failures:
            return None
        place = (call.priority, call.span_id)
        met = self._met.get(place, 0)
        self._met[place] = met + 1
        if met >= len(failures) and recorded.error is None:
            return None
        failure = failures[min(met, len(failures) - 1)]
        self.traffic.refusals += failure.kind == RATE_LIMITED
        final = recorded.error == PermanentError.__name__ and failure is failures[-1]
        return failure.elapsed_s, self._as_error(failure, request, final=final)

    def _played(self, recorded: RecordedCall) -> Sequence[FailedAttempt]:
        """The recorded failures that are met again."""
        if self.gate.concurrency is None or recorded.error is not None or not recorded.failures:
            return recorded.failures
        return [failure for failure in recorded.failures if failure.kind != RATE_LIMITED]

    def _as_error(
        self, failure: FailedAttempt, request: Request, *, final: bool
    ) -> CompletionError:
        """The error that was recorded, with what it cost."""
        billed: Literal["no", "yes", "unknown"] = "unknown"
        partial = None
        if failure.usage is not None:
            billed = "yes" if failure.usage.total_tokens else "no"
            if billed == "yes":
                partial = _answer(request, failure.usage, latency_s=0.0)
            else:
                partial = None
        if partial is None and (failure.content or failure.reasoning):
            # Broken off in the middle: that is the call's own trouble, and no outage of the
            # provider.
            partial = _answer(request, Usage(), latency_s=0.0)
        if final:
            return PermanentError(
                failure.message,
                kind=failure.kind,
                status=failure.status,
                billed=billed,
                partial=partial,
            )
        return TransientError(
            failure.message,
            kind=failure.kind,
            status=failure.status,
            billed=billed,
            partial=partial,
            retry_after_s=self._asked_s(failure),
        )

    def _asked_s(self, failure: FailedAttempt) -> float | None:
        """Return what the provider had asked for: a longer sleep than the policy's own tells, up to
        the policy's jitter.
        """
        own_s = self._retry.delay_s(attempt=failure.number, retry_after_s=None, draw=1.0)
        if failure.backoff_s > own_s:
            return failure.backoff_s / 1.05
        return None

    def _draw(self, call: Call) -> float:
        place = f"{self._seed}/{call.priority}/{call.span_id}".encode()
        return int.from_bytes(hashlib.blake2b(place, digest_size=8).digest(), "big") / _UNIT


def _answer(request: Request, usage: Usage, *, latency_s: float) -> Completion:
    return Completion(
        model=request.model,
        content=_SAID,
        finish_reason="stop",
        usage=usage,
        served=Served(latency_s=latency_s),
    )
