"""The retry layer: the one place where a call is tried again. It sleeps outside every limit."""

from __future__ import annotations

import logging
import random
from dataclasses import replace

from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, FailedAttempt, Request, Served
from harness.domain.failures import CompletionError, TopicBudgetExceeded, TransientError
from harness.domain.policy import RetryPolicy
from harness.domain.pricing import charge_of
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.ports import Completer

log = logging.getLogger("harness.retry")


class Retrying:
    """Tries transient failures again, up to `policy.attempts` requests, and records each with its cause.

    The error that finally leaves carries every failed attempt in its `served`.
    """

    def __init__(self, inner: Completer, policy: RetryPolicy, stop: Stop, rng: random.Random) -> None:
        self._inner = inner
        self._policy = policy
        self._stop = stop
        self._rng = rng

    async def complete(self, request: Request, call: Call) -> Completion:
        past = Served(attempts=0)
        while True:
            started = now()
            try:
                completion = await self._inner.complete(request, call)
            except TopicBudgetExceeded as error:
                error.served = past
                raise
            except CompletionError as error:
                past = _with_failure(past, error, elapsed_s=now() - started)
                error.served = past
                if not isinstance(error, TransientError) or past.attempts >= self._policy.attempts:
                    self._log(past, error, call, "given up")
                    raise
                past = await self._back_off(past, error, call)
            else:
                return completion if past.attempts == 0 else _after(past, completion)

    async def _back_off(self, past: Served, error: TransientError, call: Call) -> Served:
        delay_s = self._policy.delay_s(
            attempt=past.attempts, retry_after_s=error.retry_after_s, draw=self._rng.random()
        )
        self._log(past, error, call, f"next in {delay_s:.2f} s")
        if call.on_delta is not None:
            call.on_delta(Delta(kind="restart"))
        started = now()
        await self._stop.sleep(delay_s)
        last = replace(past.failures[-1], backoff_s=now() - started)
        return replace(past, failures=(*past.failures[:-1], last))

    def _log(self, past: Served, error: CompletionError, call: Call, then: str) -> None:
        """Each attempt that failed is told with its cause, the last one too."""
        log.info(
            "attempt %d of %d failed (%s: %s), %s",
            past.attempts,
            self._policy.attempts,
            error.kind,
            error,
            then,
            extra={"run_id": call.run_id, "topic_id": call.topic_id, "span_id": call.span_id},
        )


def _with_failure(past: Served, error: CompletionError, *, elapsed_s: float) -> Served:
    """What the call went through so far, the failed attempt and its waits included."""
    here = error.served or Served()
    partial = error.partial
    charge = charge_of(error)
    failure = FailedAttempt(
        number=past.attempts + 1,
        kind=error.kind,
        message=str(error),
        status=error.status,
        elapsed_s=max(0.0, elapsed_s - here.waited_s),
        queued_run_s=here.queued_run_s,
        queued_s=here.queued_s,
        paced_s=here.paced_s,
        budget_s=here.budget_s,
        stored_s=here.stored_s,
        usage=charge.usage,
        cost=charge.cost,
        content=partial.content if partial is not None else "",
        reasoning=partial.reasoning if partial is not None else "",
    )
    return _waits_of(here, replace(past, attempts=failure.number, failures=(*past.failures, failure)))


def _after(past: Served, completion: Completion) -> Completion:
    served = replace(completion.served, attempts=past.attempts + 1, failures=past.failures)
    return replace(completion, served=_waits_of(past, served))


def _waits_of(waits: Served, served: Served) -> Served:
    """`served` after the waits of another, too."""
    return served.waited(
        queued_run_s=waits.queued_run_s,
        queued_s=waits.queued_s,
        paced_s=waits.paced_s,
        budget_s=waits.budget_s,
        stored_s=waits.stored_s,
    )
