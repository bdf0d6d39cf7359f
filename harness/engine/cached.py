"""The outermost layer: what was answered before is not asked again, and what is being asked is
asked once.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import replace
from functools import partial

from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Request, Served, Source
from harness.domain.failures import CacheMiss, CompletionError
from harness.domain.key import cache_key, size_of
from harness.domain.policy import CachePolicy
from harness.domain.recorded_call import Explain
from harness.engine.clock import now
from harness.engine.leased_keys import LeasedKeys
from harness.engine.single_flight import SingleFlight
from harness.machine.threads import off_loop
from harness.ports import Answers, Completer, Stored, WallClock

log = logging.getLogger("harness.cache")


class Cached:
    """Answers from the cache where the policy lets it; else asks the layers within, which store
    what they bring.

    A hit costs no slot, no budget and no retry. Equal requests at the same time share one answer,
    or one error: twenty that must fail are paid for once. Between processes only answers are
    shared: a failure leaves nothing behind. In mode `off` every request is asked on its own.

    What was rejected before this session is no answer: it is asked for anew, and what comes takes
    its place. Only on the way to a later answer that is kept and accepted does it count, so that
    what came of a re-ask is not paid twice.

    `explain` says why a replay does not know a request. `rejections` are the keys of the answers
    that were rejected in this session.
    """

    def __init__(
        self,
        inner: Completer,
        answers: Answers,
        policy: CachePolicy,
        clock: WallClock,
        leases: LeasedKeys,
        explain: Explain,
        rejections: Container[str] = (),
    ) -> None:
        self._inner = inner
        self._answers = answers
        self._policy = policy
        self._clock = clock
        self._leases = leases
        self._explain = explain
        self._rejections = rejections
        self._flights: SingleFlight[Completion | CompletionError] = SingleFlight()

    async def complete(self, request: Request, call: Call) -> Completion:
        if self._policy.mode == "off":
            return await self._inner.complete(request, call)
        key = await off_loop(partial(cache_key, request), size_of(request))
        started = now()
        while True:
            answer, shared = await self._flights.do(
                key, lambda: self._find_or_ask(key, request, call, started)
            )
            if (
                not shared
                or isinstance(answer, CompletionError)
                or self._may_share(key, answer, call)
            ):
                break
        waited_s = now() - started
        if isinstance(answer, CompletionError):
            if shared:
                raise answer.for_another(_second_hand("shared", waited_s)) from answer
            raise answer
        if not shared:
            return answer
        source: Source = "shared" if answer.served.source == "endpoint" else answer.served.source
        return _shown(_handed_on(answer, source, waited_s), call)

    async def _find_or_ask(
        self, key: str, request: Request, call: Call, started: float
    ) -> Completion | CompletionError:
        found = await self._find(key, request, call)
        hit = found is not None and await self._is_answer(found, key, request, call)
        if hit:
            log.debug("hit")
        elif found is None:
            log.debug("miss")
        else:
            log.debug("the answer that is kept was rejected: asked anew")
        if found is not None and hit:
            source: Source = "replay" if self._policy.mode == "replay" else "cache"
            return _shown(_handed_on(found.completion, source, now() - started), call)
        if self._policy.mode == "replay":
            raise await self._miss(request, call)

        async def come_since() -> Completion | None:
            newer = await self._find(key, request, call)
            if newer is None or newer == found:
                return None
            return newer.completion

        async with self._leases.asking(key, come_since) as brought:
            if brought is not None:
                return _shown(_handed_on(brought, "shared", now() - started), call)
            stored_s = now() - started
            try:
                completion = await self._inner.complete(request, call)
            except CompletionError as error:
                error.served = (error.served or Served()).waited(stored_s=stored_s)
                return error
            return replace(completion, served=completion.served.waited(stored_s=stored_s))

    async def _miss(self, request: Request, call: Call) -> CacheMiss:
        """Explain why replay knows no answer. Earlier answers of the topic came from its recording,
        too.
        """
        recorded = await self._answers.recorded(call.topic_id)
        answers = {
            one.span_id: one.completion.content for one in recorded if one.span_id != call.span_id
        }
        explanation = await off_loop(
            partial(
                self._explain,
                request=request,
                topic_id=call.topic_id,
                span_id=call.span_id,
                recorded=recorded,
                earlier=answers,
            ),
            size_of(request),
        )
        return CacheMiss(explanation.text(), explanation=explanation)

    async def _find(self, key: str, request: Request, call: Call) -> Stored | None:
        """Return what the cache holds, where the policy lets it answer."""
        stored = await self._answers.get(key, request)
        if stored is None:
            return None
        age_s = (self._clock.now() - stored.created_at).total_seconds()
        answers = self._policy.answers(age_s=age_s, owned_by_run=stored.run_id == call.run_id)
        return stored if answers else None

    async def _is_answer(self, found: Stored, key: str, request: Request, call: Call) -> bool:
        """Return whether it may answer now: it, or what was asked after it, is accepted, or it is
        from this session.

        A call that demands something has the last word on that; to one that demands nothing the
        mark counts.
        """
        if self._policy.mode == "replay" or found.recorded or key in self._rejections:
            return True
        check = call.check
        if check is None:
            return found.rejected is None
        while (problem := check.problem(found.completion)) is not None:
            following = check.following(request, found.completion, problem)
            if following is None:
                return False
            request, check = following
            later = await self._find(cache_key(request), request, call)
            if later is None or later.recorded:
                return later is not None
            found = later
        return True

    def _may_share(self, key: str, answer: Completion, call: Call) -> bool:
        """Return whether another call's answer is one for this call, too. One that was just asked
        for always is.
        """
        if answer.served.source != "cache" or key in self._rejections:
            return True
        return call.check is None or call.check.problem(answer) is None


def _second_hand(source: Source, latency_s: float) -> Served:
    """The history of what another asked for: nothing in it counts the same attempts twice."""
    return Served(source=source, attempts=0, latency_s=latency_s)


def _handed_on(completion: Completion, source: Source, latency_s: float) -> Completion:
    return replace(completion, served=_second_hand(source, latency_s))


def _shown(completion: Completion, call: Call) -> Completion:
    """Show a completion that was not streamed to whoever watches the call."""
    if call.on_delta is not None:
        if completion.reasoning:
            call.on_delta(Delta(kind="reasoning", text=completion.reasoning))
        if completion.content:
            call.on_delta(Delta(kind="answer", text=completion.content))
    return completion
