"""The two limit layers: calls in flight of one workflow run, and of all.

A slot is held around one request only, never while waiting for other limited work, so nested fan-out cannot deadlock.
"""

from __future__ import annotations

from dataclasses import replace

from harness.domain.completion import Call, Completion, Request, Served
from harness.domain.estimate import likely_input_tokens
from harness.domain.policy import Limits, RetryPolicy
from harness.engine.limiter import Limiter, Places
from harness.engine.stopping import Stop
from harness.errors import CompletionError, FatalError, StorageError, TransientError
from harness.ports import Completer


class RunLimited:
    """At most `limits.per_run` calls of one topic in flight."""

    def __init__(self, inner: Completer, limits: Limits, stop: Stop) -> None:
        self._inner = inner
        self._per_run = limits.per_run
        self._stop = stop
        self._runs: dict[str, Places] = {}
        stop.on_set(self._wake_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        self._stop.check()
        places = self._runs.setdefault(call.topic_id, Places(self._per_run))
        queued_s = await places.acquire()
        try:
            completion = await self._inner.complete(request, call)
        except CompletionError as error:
            served = error.served or Served()
            error.served = replace(served, queued_run_s=served.queued_run_s + queued_s)
            raise
        finally:
            places.release()
            if places.unused:
                self._runs.pop(call.topic_id, None)
        if queued_s == 0.0:
            return completion
        served = replace(completion.served, queued_run_s=completion.served.queued_run_s + queued_s)
        return replace(completion, served=served)

    def _wake_all(self) -> None:
        for places in self._runs.values():
            places.wake(self._stop.error)


class Limited:
    """At most the limiter's number of calls in flight in all, and the place where refusals are learned from.

    A refusal that concerns the account ends the run here, before any other call can take the place that it frees.
    """

    OUTPUT_GUESS_TOKENS = 1000
    OUTPUT_GUESS_WEIGHT = 0.1

    def __init__(self, inner: Completer, limiter: Limiter, retry: RetryPolicy, stop: Stop) -> None:
        self._inner = inner
        self._limiter = limiter
        self._retry = retry
        self._stop = stop
        self._likely_output = float(self.OUTPUT_GUESS_TOKENS)

    async def complete(self, request: Request, call: Call) -> Completion:
        likely = likely_input_tokens(request) + round(self._likely_output)
        place = await self._limiter.acquire(priority=call.priority, tokens=likely)
        used = likely
        try:
            completion = await self._inner.complete(request, call)
            used = completion.usage.total_tokens or likely
            self._likely_output += self.OUTPUT_GUESS_WEIGHT * (completion.usage.output_tokens - self._likely_output)
            self._limiter.succeeded()
        except TransientError as error:
            if error.kind == "rate_limited":
                used = 0
                self._limiter.refused(
                    place,
                    named=error.concurrency_limit,
                    pause_s=self._pause_s(error),
                    by_rate=_is_about_rate(str(error)),
                )
            error.served = _waited(error.served, place.queued_s, place.paced_s)
            raise
        except FatalError as error:
            self._stop.set("auth" if error.kind == "auth" else "balance", str(error))
            error.served = _waited(error.served, place.queued_s, place.paced_s)
            raise
        except CompletionError as error:
            error.served = _waited(error.served, place.queued_s, place.paced_s)
            raise
        except StorageError as error:
            self._stop.set("storage", str(error))
            raise
        finally:
            self._limiter.release(place, tokens_used=used)
        return replace(completion, served=_waited(completion.served, place.queued_s, place.paced_s))

    def _pause_s(self, error: TransientError) -> float:
        """How long the whole account rests: what the server asks for, capped; nothing if it asks for nothing."""
        if error.retry_after_s is None:
            return self._retry.base_s if _is_about_rate(str(error)) else 0.0
        return self._retry.delay_s(attempt=1, retry_after_s=error.retry_after_s, draw=0.0)


def _is_about_rate(message: str) -> bool:
    text = message.lower()
    return any(word in text for word in ("tpm", "rpm", "per minute", "tokens per", "requests per"))


def _waited(served: Served | None, queued_s: float, paced_s: float) -> Served:
    served = served or Served()
    return replace(served, queued_s=served.queued_s + queued_s, paced_s=served.paced_s + paced_s)
