"""The outermost layer: what was answered before is not asked again, and what is being asked is asked once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import anyio

from harness.domain.completion import Call, Completion, Delta, Request, Served, Source
from harness.domain.key import cache_key
from harness.domain.policy import CachePolicy
from harness.engine.single_flight import SingleFlight
from harness.errors import CacheMiss
from harness.ports import Cache, Completer, WallClock


class Cached:
    """Answers from the cache where the policy lets it; else asks the layers within, which store what they bring.

    A hit costs no slot, no budget and no retry. In mode `off` every request is asked on its own.
    """

    def __init__(self, inner: Completer, cache: Cache, policy: CachePolicy, clock: WallClock) -> None:
        self._inner = inner
        self._cache = cache
        self._policy = policy
        self._clock = clock
        self._flights: SingleFlight[Completion] = SingleFlight()

    async def complete(self, request: Request, call: Call) -> Completion:
        if self._policy.mode == "off":
            return await self._inner.complete(request, call)
        key = cache_key(request)
        completion, shared = await self._flights.do(key, lambda: self._find_or_ask(key, request, call))
        if not shared:
            return completion
        source: Source = "shared" if completion.served.source == "endpoint" else completion.served.source
        served = replace(_origin(completion.served), source=source)
        return _shown(replace(completion, served=served), call)

    async def _find_or_ask(self, key: str, request: Request, call: Call) -> Completion:
        started = anyio.current_time()
        stored = await self._cache.get(key, request)
        if stored is not None:
            age_s = (self._clock.now().astimezone(UTC) - stored.created_at).total_seconds()
            if self._policy.answers(age_s=age_s, owned_by_run=stored.run_id == call.run_id):
                source: Source = "replay" if self._policy.mode == "replay" else "cache"
                served = replace(
                    _origin(stored.completion.served), source=source, latency_s=anyio.current_time() - started
                )
                return _shown(replace(stored.completion, served=served), call)
        if self._policy.mode == "replay":
            raise CacheMiss(
                f"replay knows no answer to step {call.span_id!r} of topic {call.topic_id!r} (key {key[:16]}…): the "
                "request differs from every recorded one; if a prompt or a setting was changed on purpose, record it "
                "with --cache-mode read_write"
            )
        return await self._inner.complete(request, call)


def _origin(served: Served) -> Served:
    """What a second reader may know of how it was served: nothing that would count the same work twice."""
    return Served(source=served.source, attempts=0)


def _shown(completion: Completion, call: Call) -> Completion:
    """Show a completion that was not streamed to whoever watches the call."""
    if call.on_delta is not None:
        if completion.reasoning:
            call.on_delta(Delta(kind="reasoning", text=completion.reasoning))
        if completion.content:
            call.on_delta(Delta(kind="answer", text=completion.content))
    return completion
