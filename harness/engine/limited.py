"""The two limit layers: calls in flight of one workflow run, and of all.

A slot is held around one request and the note of it, never while waiting for other limited work, so
nested fan-out cannot deadlock.
"""

from __future__ import annotations

from harness.domain.attempt import OnSilence
from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.failures import CompletionError, FatalError, TransientError
from harness.domain.key import cache_key
from harness.domain.policy import Limits, RetryPolicy
from harness.domain.pricing import charge_of
from harness.domain.token_estimate import likely_input_tokens
from harness.engine.clock import now
from harness.engine.provider import Provider
from harness.engine.stopping import Stop
from harness.engine.topic_slots import TopicSlots
from harness.ports import Completer, Slot, Slots


class RunLimited:
    """At most `limits.per_run` calls of one topic in flight at one endpoint.

    Slots are held while a call waits for its endpoint, so those of an endpoint that is away are no
    other's.
    """

    def __init__(self, inner: Completer, limits: Limits, stop: Stop) -> None:
        self._inner = inner
        self._per_run = limits.per_run
        self._stop = stop
        self._runs: dict[tuple[str, str], TopicSlots] = {}
        stop.on_set(self._refuse_all)

    async def complete(self, request: Request, call: Call) -> Completion:
        run = (call.topic_id, call.endpoint)
        slots = self._runs.get(run)
        if slots is None:
            slots = self._runs[run] = TopicSlots(self._per_run, self._stop)
        try:
            call.tracker.at("run")
            call.attempt.waited(queued_run_s=await slots.acquire())
            try:
                return await self._inner.complete(request, call)
            finally:
                slots.release()
        finally:
            if slots.unused:
                self._runs.pop(run, None)

    def _refuse_all(self) -> None:
        for slots in self._runs.values():
            slots.refuse_all()


class Limited:
    """At most so many calls in flight as there are slots, and the layer where failures are learned
    from.

    `first_token_s` is how long a call may be silent before its first token. Beyond that it is left
    waiting as long as others are served: then it is queued, and not forgotten.
    """

    OUTPUT_GUESS_TOKENS = 1000
    OUTPUT_GUESS_WEIGHT = 0.1

    def __init__(
        self,
        inner: Completer,
        slots: Slots,
        provider: Provider,
        retry: RetryPolicy,
        stop: Stop,
        *,
        first_token_s: float,
    ) -> None:
        self._inner = inner
        self._slots = slots
        self._provider = provider
        self._retry = retry
        self._stop = stop
        self._first_token_s = first_token_s
        self._likely_output = float(self.OUTPUT_GUESS_TOKENS)

    async def complete(self, request: Request, call: Call) -> Completion:
        likely = likely_input_tokens(request) + round(self._likely_output)
        tracker, attempt = call.tracker, call.attempt
        tracker.at("all")
        slot = await self._slots.acquire(priority=call.priority, tokens=likely)
        attempt.waited(queued_s=slot.queued_s, paced_s=slot.paced_s, outage_s=slot.outage_s)
        used = likely
        tracker.at("sent")
        try:
            self._watch(call, slot)
            completion = await self._inner.complete(request, call)
            tracker.answered(completion.usage.output_tokens)
            used = completion.usage.total_tokens or likely
            self._likely_output += self.OUTPUT_GUESS_WEIGHT * (
                completion.usage.output_tokens - self._likely_output
            )
            self._provider.answered(attempt.before)
            self._provider.alive(owner=call.owner, number=slot.number)
            self._slots.succeeded(slot)
        except CompletionError as error:
            tracker.failed(error)
            charged = charge_of(error).usage
            used = likely if charged is None else charged.total_tokens
            self._learn(slot, error, request, call)
            raise
        else:
            return completion
        finally:
            self._slots.release(slot, tokens_used=used)

    def _watch(self, call: Call, slot: Slot) -> None:
        """Note in the attempt what is told of its first sign of life, and what decides about its
        silence.
        """

        def alive() -> None:
            self._provider.begun(owner=call.owner, number=slot.number, after_s=now() - slot.sent_at)

        def silent(seconds: float) -> OnSilence:
            if call.stream and self._provider.is_lost(sent_at=slot.sent_at, number=slot.number):
                return "give up"
            if seconds >= self._first_token_s and self._is_queued(call, slot):
                self._slots.queued(slot)
                return "wait on"
            return "as set"

        call.attempt.on_life, call.attempt.on_silence = alive, silent

    def _is_queued(self, call: Call, slot: Slot) -> bool:
        return slot.among > 1 and self._provider.others_lived_within(
            self._first_token_s, call.owner
        )

    def _learn(self, slot: Slot, error: CompletionError, request: Request, call: Call) -> None:
        """Learn what a failure says about the calls that come after it."""
        reach = call.attempt.reach = self._provider.failed(
            error,
            owner=call.owner,
            key=cache_key(request),
            sent_at=slot.sent_at,
            number=slot.number,
            before=call.attempt.before,
            probe=slot.probe,
            alone=self._slots.in_flight == 1,
        )
        if reach == "everyone until someone acts" and not isinstance(error, FatalError):
            self._refuse_all(error)
        if isinstance(error, TransientError):
            self._slow_down(slot, error)

    def _refuse_all(self, error: CompletionError) -> None:
        """End the run for a refusal that every call meets, and that was never said to be for
        everyone.
        """
        message = f"the same refusal again and again, and nothing was answered: {error}"
        self._stop.set(
            "refused", f"{message} – mend what it names (harness doctor looks), then resume"
        )
        raise FatalError(
            message,
            kind=error.kind,
            status=error.status,
            partial=error.partial,
            billed=error.billed,
        ) from error

    def _slow_down(self, slot: Slot, error: TransientError) -> None:
        asked_s = error.retry_after_s
        if error.kind == "rate_limited":
            by_rate = is_about_rate(str(error))
            self._slots.refused(slot, named=error.concurrency_limit, by_rate=by_rate)
            # With nothing else in flight there is nothing left to shrink: only time helps.
            if asked_s is not None or by_rate or self._slots.in_flight == 1:
                self._pause(asked_s)
        elif asked_s is not None:
            self._pause(asked_s)

    def _pause(self, asked_s: float | None) -> None:
        """Let the whole account rest: as long as the server asks for, else longer with each refusal
        in a row.
        """
        self._slots.pause(
            self._retry.pause_s(streak=max(1, self._slots.streak), retry_after_s=asked_s)
        )


def is_about_rate(message: str) -> bool:
    """Return whether a 429 is about requests or tokens a minute, and so not about calls in
    flight.
    """
    text = message.lower()
    return any(word in text for word in ("tpm", "rpm", "per minute", "tokens per", "requests per"))
