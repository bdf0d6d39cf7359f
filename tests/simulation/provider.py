"""The provider of the nights: answers by content, misbehaves by the seed, and keeps its own ledger
of what it bills.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import replace

from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Request, Served, Usage
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.key import cache_key
from harness.domain.pace import Bucket
from harness.domain.pricing import Pricing
from harness.errors import FailureKind
from harness.ports import WallClock
from simulation.session import Sent, Session
from simulation.workflows import share_of
from simulation.world import Fault, Outage, OutageKind, World

MAX_TOKENS = 300
ROUND_TRIP_S = 0.03
WRITES_PER_S = (30.0, 45.0)
"""The slowest and the fastest at which it writes, in tokens a second: no answer comes faster than
it can be written.
"""
ASKS_EVERY_S = 15.0
"""Seconds between two questions of a client about a silent request."""

AT_THE_DOOR: dict[OutageKind, tuple[str, FailureKind, int | None]] = {
    "unavailable": ("503: service unavailable", "server", 503),
    "bad gateway": ("502: a page of HTML", "gateway", 502),
    "internal": ("500: internal server error", "server", 500),
    "no connection": ("no connection: refused", "connection", None),
    "reset": ("connection reset", "connection", None),
    "too many": ("429: too many requests", "rate_limited", 429),
    "loading": ("503: Loading model", "server", 503),
}
"""The answer of an outage to a request that comes while it lasts; a silence gives none."""
BREAKS_OFF: frozenset[OutageKind] = frozenset({"reset", "silence"})
"""Outages that also take the requests whose answers have not begun."""

WHOLE_RESPONSES: dict[Fault, tuple[str, str]] = {
    "blank": ("  \n", "stop"),
    "unfinished": ("half of", ""),
    "interrupted": ("half of", "insufficient_system_resource"),
}
"""Faults that come as a response with status 200: its text, and its finish reason."""


def true_answer(world: World, request: Request) -> Completion:
    """What this request is answered for ever, its usage as the provider counts it. Raises what it
    can never pass.
    """
    key = cache_key(request)
    usage = Usage(
        input_tokens=20 + int(share_of(f"in {key}") * 60),
        output_tokens=1 + int(share_of(f"out {key}") * 299),
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
    """One account at a provider, through the whole night. Work goes on there whether or not anybody
    still listens.
    """

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

    def outage_at(self, at: float) -> Outage | None:
        """The outage that goes on at this time of the night."""
        return next(
            (outage for outage in self._world.outages if outage.start_s <= at < outage.end_s), None
        )

    async def answer(self, sent: Sent, call: Call, session: Session) -> Completion:
        """Answer one request, or do what this night wants instead; `sent` is filled in."""
        self.requests += 1
        number = self._asked[sent.key] = self._asked[sent.key] + 1
        chance = random.Random(f"{self._world.seed}/{sent.key}/{number}")
        at = asyncio.get_running_loop().time()
        if sent.outage is not None:
            raise await self._away(sent.outage, sent, call, session, chance)
        refusal = self._refusal(at, session)
        fault, retry_after_s = (
            (None, None) if at >= self._world.calm_from_s else self._fault(at, chance)
        )
        if refusal is None and fault in {"reset before", "refused", "server error"}:
            refusal = _at_once(fault, retry_after_s)
        if refusal is not None:
            sent.due_at = at + ROUND_TRIP_S * chance.random()
            await self._listening(sent, bill=0.0, chance=chance)
            self._settle(sent, None, 0.0)
            if isinstance(refusal, FatalError):
                session.refused_for_good()
            raise refusal
        return await self._generated(sent, call, fault, chance, session)

    async def _away(
        self, outage: Outage, sent: Sent, call: Call, session: Session, chance: random.Random
    ) -> CompletionError:
        """What a request meets that is sent while the provider is away."""
        if outage.kind == "silence":
            return await self._unheard(sent, call, session, chance)
        sent.due_at = sent.at + ROUND_TRIP_S * chance.random()
        await self._listening(sent, bill=0.0, chance=chance)
        self._settle(sent, None, 0.0)
        text, kind, status = AT_THE_DOOR[outage.kind]
        return TransientError(text, kind=kind, status=status)

    async def _unheard(
        self, sent: Sent, call: Call, session: Session, chance: random.Random
    ) -> CompletionError:
        """Nothing comes for this request, until it is given up."""
        sent.unheard = session.unheard = True
        given_up = await self._listening(sent, call, begins_at=math.inf, bill=0.0, chance=chance)
        assert given_up is not None
        self._settle(sent, None, 0.0)
        return given_up

    async def _generated(
        self, sent: Sent, call: Call, fault: Fault | None, chance: random.Random, session: Session
    ) -> Completion:
        world, at = self._world, sent.at
        first_s = world.latency(chance) + (60.0 if fault == "stall" else 0.0)
        slowest, fastest = WRITES_PER_S
        refused: PermanentError | None = None
        try:
            truth = true_answer(world, sent.request)
            seconds = first_s + truth.usage.output_tokens / (
                slowest + (fastest - slowest) * chance.random()
            )
        except PermanentError as error:
            refused, seconds = error, first_s
        sent.due_at = at + seconds
        begins_at = at + seconds * world.begins_after
        self._carried += 1
        asyncio.get_running_loop().call_later(seconds + world.holds_s, self._put_down)
        outage = next(
            (
                one
                for one in world.outages
                if at < one.start_s < begins_at and one.kind in BREAKS_OFF
            ),
            None,
        )
        if outage is not None:
            raise await self._caught(outage, sent, call, session, chance)
        if refused is not None:
            await self._listening(sent, bill=0.0, chance=chance)
            self._settle(sent, None, 0.0)
            raise refused
        given_up = await self._listening(
            sent,
            call,
            begins_at=begins_at,
            bill=1.0,
            chance=chance,
            usage=truth.usage,
            session=session,
        )
        if given_up is not None:
            self._settle(sent, truth.usage, chance.choice([0.0, 0.5, 1.0]))
            raise given_up
        if fault in {"reset after", "stall", "garbage"}:
            if call.on_delta is not None:
                call.on_delta(Delta(kind="answer", text="half of"))
            sent.known, sent.own_failure = False, True
            self._settle(sent, truth.usage, chance.choice([0.0, 0.5, 1.0]))
            partial = replace(truth, content="half of", finish_reason="", usage=Usage())
            kind: FailureKind = "timeout" if fault == "stall" else "connection"
            raise TransientError("broken off", kind=kind, billed="unknown", partial=partial)
        self._settle(sent, truth.usage, 1.0)
        sent.own_failure = fault in WHOLE_RESPONSES
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

    async def _caught(
        self, outage: Outage, sent: Sent, call: Call, session: Session, chance: random.Random
    ) -> CompletionError:
        """What an outage does to a request that was sent before it and has no answer yet."""
        sent.outage = outage
        if outage.kind == "silence":
            return await self._unheard(sent, call, session, chance)
        sent.due_at = outage.start_s
        await self._listening(sent, bill=1.0, chance=chance)
        sent.known = False
        self._settle(sent, None, 0.0)
        return TransientError("connection reset", kind="connection", billed="unknown")

    async def _listening(
        self,
        sent: Sent,
        call: Call | None = None,
        *,
        begins_at: float | None = None,
        bill: float,
        chance: random.Random,
        usage: Usage | None = None,
        session: Session | None = None,
    ) -> TransientError | None:
        """Until it is due, or is given up while nothing has come of an answer that begins at
        `begins_at`.

        Who goes away before may be billed for all of it, for some, or for nothing.
        """
        try:
            given_up = None
            if call is not None and begins_at is not None:
                given_up = await self._silent(sent, call, until=begins_at)
            if given_up is None:
                if session is not None and call is not None and call.attempt.on_life is not None:
                    session.begins(_at() - sent.at)
                    call.attempt.on_life()
                await asyncio.sleep(sent.due_at - _at())
        except BaseException:
            sent.state, sent.known = "cut off", False
            self._settle(sent, usage, bill * chance.choice([0.0, 0.3, 1.0]))
            raise
        sent.state = "told"
        return given_up

    async def _silent(self, sent: Sent, call: Call, *, until: float) -> TransientError | None:
        """Wait for the first token as a client does, and return its error if it gives up before."""
        first_token_s = self._world.settings.first_token_timeout
        give_up_at, total_at = sent.at + first_token_s, sent.at + self._world.settings.total_timeout
        if sent.unheard:
            sent.due_at = total_at
        while (left_s := until - _at()) > 0:
            await asyncio.sleep(min(ASKS_EVERY_S, left_s))
            if left_s <= ASKS_EVERY_S:
                return None
            verdict = (
                call.attempt.on_silence(_at() - sent.at)
                if call.attempt.on_silence is not None
                else "as set"
            )
            if verdict == "wait on" and give_up_at <= _at() < total_at:
                give_up_at = _at() + first_token_s
            elif verdict == "give up" or _at() >= give_up_at:
                sent.known = False
                return TransientError("sent no first token", kind="timeout", billed="unknown")
        return None

    def _settle(self, sent: Sent, usage: Usage | None, share: float) -> None:
        """Bill this share of the output, and the input with it."""
        billed = Usage()
        if usage is not None and share > 0:
            billed = replace(
                usage, output_tokens=int(usage.output_tokens * share), reasoning_tokens=0
            )
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
                "429: too many calls at once",
                kind="rate_limited",
                status=429,
                concurrency_limit=named,
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


def _at() -> float:
    return asyncio.get_running_loop().time()


def _at_once(fault: Fault, retry_after_s: float | None) -> TransientError:
    """A fault that comes before anything is generated."""
    if fault == "refused":
        return TransientError(
            "429: busy", kind="rate_limited", status=429, retry_after_s=retry_after_s
        )
    if fault == "server error":
        return TransientError("503: busy", kind="server", status=503, retry_after_s=retry_after_s)
    return TransientError("connection reset", kind="connection")
