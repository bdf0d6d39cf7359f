"""THE place where the adapters meet the engine: builds the stack of layers, opens what they need, and closes it."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.adapters.cache.sqlite_cache import SqliteCache
from harness.adapters.cassettes.recorded_first import RecordedFirst
from harness.adapters.endpoint.http import build_http_client
from harness.adapters.endpoint.openai_chat import OpenAIChat
from harness.adapters.file_limit import budgeted_files
from harness.adapters.stall_meter import StallMeter
from harness.adapters.wall_clock import SystemClock
from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.likely import Likely
from harness.domain.policy import CachePolicy, Limits, Patience
from harness.domain.pricing import Pricing
from harness.domain.profiles import form_mark, resolve_model
from harness.domain.purse import Purse, Spent
from harness.engine.board import Board, Stage
from harness.engine.budgeted import Budgeted
from harness.engine.cached import Cached
from harness.engine.journaled import Journaled
from harness.engine.leases import Leases
from harness.engine.limited import Limited, RunLimited
from harness.engine.limiter import Limiter
from harness.engine.noted import Noted
from harness.engine.rejections import Rejections
from harness.engine.retrying import Retrying
from harness.engine.step import RunContext
from harness.engine.stopping import Stop
from harness.errors import CacheError, SettingsError
from harness.ports import Cache, Completer, OpenCall, WallClock
from harness.settings import Loaded, Settings
from harness.workflows.loading import LoadedWorkflow

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("harness.run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The layers over one endpoint, ready to be asked. `before` is what the run had spent in earlier sessions.

    `left_open` are the requests of earlier sessions whose payment is unknown. `rejections` hears which answers a step
    would not take. `stalls` measures the event loop.
    """

    completer: Completer
    cache: Cache
    rejections: Rejections
    limiter: Limiter
    purse: Purse
    pricing: Pricing
    before: Spent
    left_open: tuple[OpenCall, ...]
    stalls: StallMeter


def layered(
    endpoint: Completer,
    *,
    cache: Cache,
    settings: Settings,
    limits: Limits,
    purse: Purse,
    stop: Stop,
    clock: WallClock,
    answered_before: bool = False,
    board: Board | None = None,
    rejections: Rejections | None = None,
) -> tuple[Completer, Limiter]:
    """The layers around an endpoint, from the inside out: journal, limits, budget, retry, cache.

    `answered_before`: the run had answers in earlier sessions. A `board` notes between the layers where each call is;
    `rejections` are those that the steps tell of.
    """

    def told(layer: Completer, stage: Stage) -> Completer:
        return layer if board is None else board.watching(layer, stage)

    pricing, policy = settings.pricing(), settings.cache_policy()
    outages = settings.outages()
    rng = random.Random(settings.seed)  # noqa: S311 - jitter, not secrets
    probing = random.Random(f"{settings.seed}/probes")  # noqa: S311 - as above
    limiter = Limiter(
        limits,
        stop,
        capped=lambda: reserving.may_end_the_run(),  # noqa: PLW0108 - the budget comes further out, so it is made later
        outages=outages,
        rng=probing,
        answered_before=answered_before,
    )
    sent = told(Noted(endpoint, cache, pricing, clock, stop), "sent")
    limited = told(
        Limited(sent, limiter, settings.retry(), stop, first_token_s=settings.timeouts().first_token_s), "all"
    )
    run_limited = told(RunLimited(limited, limits, stop), "run")
    journaled = told(Journaled(run_limited, cache, pricing, clock, keep=policy.stores), "cache")
    likely = Likely() if settings.budget_reserve == "likely" else None
    reserving = Budgeted(
        journaled,
        purse,
        pricing,
        clock,
        stop,
        likely=likely,
        limits=limits,
        places=lambda: limiter.state().places,
        by_arrival=lambda: limiter.goes_by_arrival,
    )
    budgeted = told(reserving, "money")
    retrying = told(Retrying(budgeted, settings.retry(), limiter.provider, stop, rng), "retry")
    leases = Leases(cache, policy, stop, rng, Patience(total_s=settings.timeouts().total_s + outages.patience_s))
    return told(Cached(retrying, cache, policy, clock, leases, rejections), "cache"), limiter


def run_context(loaded: Loaded, workflow: LoadedWorkflow, *, run_id: str, name: str) -> RunContext:
    """What all calls of a run have in common, from its settings and its workflow, which rows call by `name`."""
    settings, profile, service = loaded.settings, loaded.settings.profile, loaded.settings.service
    return RunContext(
        run_id=run_id,
        endpoint=loaded.endpoint(key_needed=False).identity,
        workflow=name,
        defaults=settings.defaults(),
        overrides={step: table.options() for step, table in settings.steps.items()},
        prompts=workflow.prompts,
        settings=workflow.settings,
        known_model=lambda model: resolve_model(profile, model)[:2],
        max_calls_per_topic=settings.max_calls,
        max_depth=settings.max_depth,
        topic_budget=settings.topic_cap(),
        form=form_mark(service),
        aliases=service.aliases,
        own_files=workflow.own_files,
        redact=loaded.endpoint(key_needed=False).redact,
    )


@asynccontextmanager
async def open_stack(
    loaded: Loaded,
    *,
    run_id: str,
    stop: Stop,
    clock: WallClock | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    recording: Cache | None = None,
    board: Board | None = None,
) -> AsyncIterator[Stack]:
    """Open the cache and the client of an endpoint, and close both on every way out.

    `transport` replaces the network; without it the mock brings its own. What `recording` knows is neither asked nor
    looked up: its answers rule over those of the cache file, and it is only read. A `board` is told where each call
    is. Raises SettingsError for a missing key or a budget that cannot be kept, CacheError for a file that is no cache.
    """
    settings, clock = loaded.settings, clock or SystemClock()
    check_budget(settings)
    if settings.cache_mode == "replay" and not settings.cache.exists():
        raise CacheError(
            f"{settings.cache}: there is no such cache to replay; record one first, or name it with --cache"
        )
    endpoint = loaded.endpoint(key_needed=settings.cache_mode != "replay")
    if transport is None and settings.is_mock:
        transport = mock_transport(settings, clock)
    limits = settings.limits()
    if transport is None:
        files = budgeted_files(limits.in_flight)
        limits = replace(limits, in_flight=files.in_flight)
        if files.note is not None:
            log.warning(files.note)
    async with SqliteCache.open(settings.cache) as file:
        cache: Cache = file if recording is None else RecordedFirst(recording, file)
        rejections = Rejections(cache)
        before = await cache.spent(run_id)
        left_open = tuple(await cache.left_open(run_id))
        purse = Purse.after(settings.spending_cap(), before)
        client = build_http_client(
            settings.timeouts(), base_url=endpoint.base_url, transport=transport, carrier=settings.transport
        )
        async with client:
            chat = OpenAIChat(endpoint, timeouts=settings.timeouts(), http_client=client, wall_clock=clock)
            completer, limiter = layered(
                chat,
                cache=cache,
                settings=settings,
                limits=limits,
                purse=purse,
                stop=stop,
                clock=clock,
                answered_before=before.tokens > 0 or before.untold > 0,
                board=board,
                rejections=rejections,
            )
            with StallMeter().running() as stalls:
                yield Stack(
                    completer=completer,
                    cache=cache,
                    rejections=rejections,
                    limiter=limiter,
                    purse=purse,
                    pricing=settings.pricing(),
                    before=before,
                    left_open=left_open,
                    stalls=stalls,
                )


def replaying(recording: Cache, *, stop: Stop, clock: WallClock) -> Completer:
    """Answers from a recording and from nothing else: no file, no client, no key. A request it does not know raises
    CacheMiss.
    """
    policy = CachePolicy(mode="replay")
    leases = Leases(recording, policy, stop, random.Random(0))  # noqa: S311 - nobody asks, so nobody waits
    return Cached(_Nobody(), recording, policy, clock, leases)


class _Nobody:
    """Stands where an endpoint would. A replay that came here would be a defect of ours."""

    async def complete(self, request: Request, call: Call) -> Completion:
        raise AssertionError(f"replay asked an endpoint for {call.owner}")


MOCK_DELTA_TOKENS = 8


def mock_transport(settings: Settings, clock: WallClock) -> httpx2.AsyncBaseTransport:
    """The built-in DeepSeek, in this process. Raises SettingsError for a latency or faults unknown to it."""
    from harness.testing.deepseek.fake import FakeDeepSeek  # noqa: PLC0415 - only those who use the mock pay for it
    from harness.testing.deepseek.faults import FaultPlan  # noqa: PLC0415 - as above
    from harness.testing.deepseek.latency import Latency  # noqa: PLC0415 - as above
    from harness.testing.transport import FakeTransport  # noqa: PLC0415 - as above

    fake = FakeDeepSeek(
        seed=settings.seed,
        latency=Latency.parse(settings.latency),
        faults=FaultPlan.parse(settings.faults),
        delta_tokens=MOCK_DELTA_TOKENS,
        log_size=0,  # a night of calls that nobody will look at
        clock=clock,
    )
    return FakeTransport(fake)


def check_budget(settings: Settings) -> None:
    """Raise SettingsError for a budget in money where the price of the model is not known."""
    model = settings.defaults().model or ""
    for flag, cap in (("--budget", settings.budget), ("--topic-budget", settings.topic_budget)):
        if cap is None or settings.pricing().prices.get(model):
            continue
        raise SettingsError(
            f"{flag} {cap:g}: no price is known for the model {model!r}; give one in harness.toml as "
            f'[prices."{model}"] with input and output in USD per million tokens, or cap with {flag}-tokens'
        )
