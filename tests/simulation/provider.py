"""The provider of the nights: answers by content, misbehaves by the seed, and keeps its own ledger of what it bills."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace

from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Request, Served, Usage
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.key import cache_key
from harness.domain.pace import Bucket
from harness.domain.pricing import Pricing
from harness.ports import WallClock
from simulation.session import Sent, Session
from simulation.workflows import share_of
from simulation.world import Fault, World

MAX_TOKENS = 300
ROUND_TRIP_S = 0.03
WRITES_PER_S = (30.0, 45.0)
"""The slowest and the fastest at which it writes, in tokens a second: no answer comes faster than it can be written."""

WHOLE_RESPONSES: dict[Fault, tuple[str, str]] = {
    "blank": ("  \n", "stop"),
    "unfinished": ("half of", ""),
    "interrupted": ("half of", "insufficient_system_resource"),
}
"""Faults that come as a response with status 200: its text, and its finish reason."""


def true_answer(world: World, request: Request) -> Completion:
    """What this request is answered for ever, its usage as the provider counts it. Raises what it can never pass."""
    key = cache_key(request)
    usage = Usage(
        input_tokens=20 + int(share_of(f"in {key}") * 60), output_tokens=1 + int(share_of(f"out {key}") * 299)
    )
    text = f"answer {key[:10]}" + " so" * usage.output_tokens
    answer = Completion(model=request.model, content=text, finish_reason="stop", usage=usage)
    if share_of(f"hopeless {world.seed} {key}") >= world.hopeless_prompts:
        return answer
    why = share_of(f"why {key}")
    if why < 0.4:
        spent = Usage(input_tokens=20, output_tokens=MAX_TOKENS, reasoning_tokens=MAX_TOKENS)
        return replace(answer, content="", finish_reason="length", usage=spent)
    if why < 0.7:
        return replace(answer, content="", finish_reason="content_filter")
    raise PermanentError("400: no such thing", kind="bad_request", status=400)


class Provider:
    """One account at a provider, through the whole night. Work goes on there whether or not anybody still listens."""

    def __init__(self, world: World, pricing: Pricing, clock: WallClock) -> None:
        self.requests = 0
        self.cost = 0.0
        self.tokens = 0
        self._world = world
        self._pricing = pricing
        self._clock = clock
        self._carried = 0
        self._asked: Counter[str] = Counter()
        self._bucket = None if world.rate_per_minute is None else Bucket.full(world.rate_per_minute)

    async def answer(self, sent: Sent, call: Call, session: Session) -> Completion:
        """Answer one request, or do what this night wants instead; `sent` is filled in."""
        self.requests += 1
        number = self._asked[sent.key] = self._asked[sent.key] + 1
        chance = random.Random(f"{self._world.seed}/{sent.key}/{number}")
        at = asyncio.get_running_loop().time()
        refusal = self._refusal(at, session)
        fault, retry_after_s = (None, None) if at >= self._world.calm_from_s else self._fault(at, chance)
        if refusal is None and fault in {"reset before", "refused", "server error"}:
            refusal = _at_once(fault, retry_after_s)
        if refusal is not None:
            sent.due_at = at + ROUND_TRIP_S * chance.random()
            await self._listening(sent, at, bill=0.0, chance=chance)
            self._settle(sent, None, 0.0)
            if isinstance(refusal, FatalError):
                session.refused_for_good()
            raise refusal
        return await self._generated(sent, call, fault, chance, at)

    async def _generated(
        self, sent: Sent, call: Call, fault: Fault | None, chance: random.Random, at: float
    ) -> Completion:
        world = self._world
        first_s = world.latency(chance) + (60.0 if fault == "stall" else 0.0)
        slowest, fastest = WRITES_PER_S
        refused: PermanentError | None = None
        try:
            truth = true_answer(world, sent.request)
            seconds = first_s + truth.usage.output_tokens / (slowest + (fastest - slowest) * chance.random())
        except PermanentError as error:
            refused, seconds = error, first_s
        sent.due_at = at + seconds
        self._carried += 1
        asyncio.get_running_loop().call_later(seconds + world.holds_s, self._put_down)
        if refused is not None:
            await self._listening(sent, at, bill=0.0, chance=chance)
            self._settle(sent, None, 0.0)
            raise refused
        await self._listening(sent, at, bill=1.0, chance=chance, usage=truth.usage)
        if fault in {"reset after", "stall", "garbage"}:
            if call.on_delta is not None:
                call.on_delta(Delta(kind="answer", text="half of"))
            sent.known = False
            self._settle(sent, truth.usage, chance.choice([0.0, 0.5, 1.0]))
            raise TransientError("broken off", kind="timeout" if fault == "stall" else "connection", billed="unknown")
        self._settle(sent, truth.usage, 1.0)
        told = truth
        if fault in WHOLE_RESPONSES:
            content, reason = WHOLE_RESPONSES[fault]
            told = replace(truth, content=content, finish_reason=reason)
        else:
            sent.answered = truth.finish_reason == "stop"
        if chance.random() >= world.tells_usage:
            sent.known = False
            told = replace(told, usage=Usage())
        if call.on_delta is not None and told.content:
            call.on_delta(Delta(kind="answer", text=told.content[:4]))
            call.on_delta(Delta(kind="answer", text=told.content[4:]))
        took_s = asyncio.get_running_loop().time() - at
        return replace(told, served=Served(latency_s=took_s, ttft_answer_s=first_s))

    async def _listening(
        self, sent: Sent, at: float, *, bill: float, chance: random.Random, usage: Usage | None = None
    ) -> None:
        """Until it is due. Who goes away before may be billed for all of it, for some, or for nothing."""
        try:
            await asyncio.sleep(sent.due_at - at)
        except BaseException:
            sent.state, sent.known = "cut off", False
            self._settle(sent, usage, bill * chance.choice([0.0, 0.3, 1.0]))
            raise
        sent.state = "told"

    def _settle(self, sent: Sent, usage: Usage | None, share: float) -> None:
        """Bill this share of the output, and the input with it."""
        billed = Usage()
        if usage is not None and share > 0:
            billed = replace(usage, output_tokens=int(usage.output_tokens * share), reasoning_tokens=0)
        sent.tokens = billed.total_tokens
        sent.cost = self._pricing.cost(sent.request.model, billed, self._clock.now()) or 0.0
        self.cost += sent.cost
        self.tokens += sent.tokens

    def _refusal(self, at: float, session: Session) -> CompletionError | None:
        """What this account is told at the door, as it stands."""
        if session.account_refuses() and session.ending is not None:
            if session.ending.kind == "auth":
                return FatalError("401: this key is not known", kind="auth", status=401)
            return FatalError("402: the balance is used up", kind="balance", status=402)
        if at >= self._world.calm_from_s:
            return None
        limit = next((limit for since, limit in reversed(self._world.carries) if at >= since), None)
        if limit is not None and self._carried >= limit:
            named = limit if self._world.announces else None
            return TransientError(
                "429: too many calls at once", kind="rate_limited", status=429, concurrency_limit=named
            )
        if self._bucket is not None:
            if self._bucket.wait_s(at) > 0:
                return TransientError("429: requests per minute", kind="rate_limited", status=429)
            self._bucket = self._bucket.filled(at).taken(1)
        return None

    def _fault(self, at: float, chance: random.Random) -> tuple[Fault | None, float | None]:
        for storm in self._world.storms:
            if storm.start_s <= at < storm.end_s and chance.random() < storm.share:
                return storm.fault, storm.retry_after_s
        drawn = chance.random()
        for fault, share in self._world.faults:
            if drawn < share:
                return fault, None
            drawn -= share
        return None, None

    def _put_down(self) -> None:
        self._carried -= 1


def _at_once(fault: Fault, retry_after_s: float | None) -> TransientError:
    """A fault that comes before anything is generated."""
    if fault == "refused":
        return TransientError("429: busy", kind="rate_limited", status=429, retry_after_s=retry_after_s)
    if fault == "server error":
        return TransientError("503: busy", kind="server", status=503, retry_after_s=retry_after_s)
    return TransientError("connection reset", kind="connection")
