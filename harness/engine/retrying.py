"""The retry layer: the one place where a call is tried again. It sleeps outside every limit.

A failure that reaches everyone for now is not the call's own: it costs no attempt, however often it
comes. Such a call waits for the provider at the limits, with all others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace

from harness.domain.attempt import Attempt
from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, FailedAttempt, Request, Served
from harness.domain.failures import CompletionError, TopicBudgetExceeded, TransientError
from harness.domain.policy import OutagePolicy, RetryPolicy
from harness.domain.pricing import charge_of
from harness.engine.clock import now
from harness.engine.provider import Provider
from harness.engine.stopping import Stop
from harness.errors import Reach
from harness.ports import Completer

log = logging.getLogger("harness.retry")


class Retrying:
    """Tries transient failures again, up to `policy.attempts` of its own, and records each with its
    cause.

    The error that finally leaves carries every failed attempt in its `served`. `provider_of` says
    which provider a call goes to: whether its outages are waited for, and how long a call waits at
    most, is that one's policy.
    """

    def __init__(
        self,
        inner: Completer,
        policy: RetryPolicy,
        provider_of: Callable[[Call], Provider],
        stop: Stop,
        rng: random.Random,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._provider_of = provider_of
        self._stop = stop
        self._rng = rng

    async def complete(self, request: Request, call: Call) -> Completion:
        provider = self._provider_of(call)
        past = Served(attempts=0)
        own = 0
        first_failed_at = None
        attempt = call.attempt
        while True:
            started = now()
            try:
                completion = await self._inner.complete(request, call)
            except TopicBudgetExceeded as error:
                error.served = past
                raise
            except CompletionError as error:
                past = _with_failure(past, error, attempt, elapsed_s=now() - started)
                error.served = past
                failed_at, reach = now(), attempt.reach
                if first_failed_at is None:
                    first_failed_at = failed_at
                own += not _is_spared(reach, provider.policy, waiting_s=failed_at - first_failed_at)
                if not _may_pass(error, reach) or own >= self._policy.attempts:
                    self._log(own, error, call, "given up")
                    raise
                attempt = Attempt(before=provider.after(error, attempt))
                call = replace(call, attempt=attempt)
                past = await self._back_off(past, own, error, reach, call, provider)
            else:
                return _after(past, completion, attempt)

    async def _back_off(
        self,
        past: Served,
        own: int,
        error: CompletionError,
        reach: Reach | None,
        call: Call,
        provider: Provider,
    ) -> Served:
        call.tracker.at("retry")
        if call.on_delta is not None:
            call.on_delta(Delta(kind="restart"))
        if _waits_at_the_limits(error, reach, provider.policy):
            self._log(own, error, call, f"waits for {provider.who}")
            return past
        delay_s = self._policy.delay_s(
            attempt=past.attempts, retry_after_s=error.retry_after_s, draw=self._rng.random()
        )
        self._log(own, error, call, f"next in {delay_s:.2f} s")
        started = now()
        await self._stop.sleep(delay_s)
        last = replace(past.failures[-1], backoff_s=now() - started)
        return replace(past, failures=(*past.failures[:-1], last))

    def _log(self, own: int, error: CompletionError, call: Call, then: str) -> None:
        """Tell of each attempt that failed with its cause, the last one too; `own` counts those
        that cost one.
        """
        log.info(
            "attempt %d of %d failed (%s: %s), %s",
            max(1, own),
            self._policy.attempts,
            error.kind,
            error,
            then,
            extra={"run_id": call.run_id, "topic_id": call.topic_id, "span_id": call.span_id},
        )


def _is_spared(reach: Reach | None, outages: OutagePolicy, *, waiting_s: float) -> bool:
    """Return whether a failure costs the call no attempt. For ever it is not: a call may be refused
    alone.
    """
    return reach == "everyone for now" and outages.waits and waiting_s < outages.patience_s


def _waits_at_the_limits(
    error: CompletionError, reach: Reach | None, outages: OutagePolicy
) -> bool:
    """Return whether the limits hold this call back by themselves. After a 429 they may have a
    place for others.
    """
    return reach == "everyone for now" and outages.waits and error.kind != "rate_limited"


def _may_pass(error: CompletionError, reach: Reach | None) -> bool:
    """Return whether the same request may succeed later."""
    return isinstance(error, TransientError) or reach == "everyone for now"


def _with_failure(
    past: Served, error: CompletionError, attempt: Attempt, *, elapsed_s: float
) -> Served:
    """Return what the call went through so far, the failed attempt and its waits included."""
    partial = error.partial
    charge = charge_of(error)
    failure = FailedAttempt(
        number=past.attempts + 1,
        kind=error.kind,
        message=str(error),
        status=error.status,
        elapsed_s=max(0.0, elapsed_s - attempt.waited_s),
        **attempt.waits,
        usage=charge.usage,
        cost=charge.cost,
        content=partial.content if partial is not None else "",
        reasoning=partial.reasoning if partial is not None else "",
    )
    after = replace(past, attempts=failure.number, failures=(*past.failures, failure))
    return after.waited(**attempt.waits)


def _after(past: Served, completion: Completion, attempt: Attempt) -> Completion:
    """Return the completion with what its call went through, this attempt and those before it."""
    served = completion.served.waited(**attempt.waits)
    if past.attempts:
        served = replace(served, attempts=past.attempts + 1, failures=past.failures)
        served = served.waited(**past.by_field())
    return replace(completion, served=served)
