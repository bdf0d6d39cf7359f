"""THE place where the adapters meet the engine: builds the stack of layers, opens what they need,
and closes it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Collection, Container, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from harness.cache.recorded_first import RecordedFirst
from harness.cache.sqlite_cache import SqliteCache
from harness.diffs.misses import explain
from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.endpoint import endpoint_identity
from harness.domain.ledger import Ledger, Spent
from harness.domain.likely import Likely
from harness.domain.policy import (
    CachePolicy,
    Limits,
    OutagePolicy,
    Patience,
    Reserve,
    RetryPolicy,
    within,
)
from harness.domain.pricing import Pricing
from harness.domain.profiles import MOCK, form_mark, resolve_model
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat
from harness.engine.budgeted import Budgeted, end_run
from harness.engine.cached import Cached
from harness.engine.journaled import Journaled
from harness.engine.leased_keys import LeasedKeys
from harness.engine.limited import Limited, RunLimited
from harness.engine.limiter import Limiter
from harness.engine.noted import Noted
from harness.engine.outside import Outside
from harness.engine.rejections import Rejections
from harness.engine.reservations import LedgerFunds
from harness.engine.retrying import Retrying
from harness.engine.room import Room
from harness.engine.routes import Routes
from harness.engine.step import Addressee, RunContext
from harness.engine.stopping import Stop
from harness.errors import CacheError, SettingsError
from harness.machine.file_limit import budgeted_files
from harness.machine.stall_meter import StallMeter
from harness.machine.wall_clock import SystemClock
from harness.ports import Answers, Cache, Claim, Completer, OpenCall, WallClock
from harness.settings import Loaded, Settings
from harness.workflows.endpoint_names import DECLARED as ENDPOINTS_DECLARED
from harness.workflows.in_use import InUse, check_access, models_at
from harness.workflows.loading import LoadedWorkflow

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("harness.run")

RUNS_OWN = "the run's own"
"""The name of the route to the run's endpoint if nothing else names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The layers over the endpoints of a run, ready to be asked.

    `before` is what the run had spent in earlier sessions, `left_open` are their requests whose
    payment is unknown. `rejections` hears which answers a step would not take. `stalls` measures
    the event loop.
    """

    completer: Completer
    cache: Cache
    rejections: Rejections
    routes: Routes
    ledger: Ledger
    pricing: Pricing
    before: Spent
    left_open: tuple[OpenCall, ...]
    stalls: StallMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """An endpoint that a run asks besides its own: its name, what answers there, and its own
    limits.
    """

    name: str
    endpoint: Completer
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The rules for the layers of a run.

    `lease` is how a call waits while another process asks for the same answer. `first_token_s` is
    how long, in seconds, a call may be silent before its first token. `seed` is that of the jitter
    between attempts and probes.
    """

    pricing: Pricing
    cache: CachePolicy = CachePolicy()
    retry: RetryPolicy = RetryPolicy()
    outages: OutagePolicy = OutagePolicy()
    lease: Patience = Patience()
    first_token_s: float = 600.0
    reserve: Reserve = "strict"
    seed: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Policies:
        """Those that the settings name. An outage is waited out for an answer of another process,
        too.
        """
        timeouts, outages = settings.timeouts(), settings.outages()
        return cls(
            pricing=settings.pricing(),
            cache=settings.cache_policy(),
            retry=settings.retry(),
            outages=outages,
            lease=Patience(total_s=timeouts.total_s + outages.patience_s),
            first_token_s=timeouts.first_token_s,
            reserve=settings.budget_reserve,
            seed=settings.seed,
        )


def layered(
    endpoint: Completer,
    *,
    cache: Cache,
    policies: Policies,
    limits: Limits,
    ledger: Ledger,
    stop: Stop,
    clock: WallClock,
    recording: Answers | None = None,
    answered_before: bool = False,
    rejections: Container[str] = (),
    name: str = RUNS_OWN,
    own_limits: Limits | None = None,
    elsewhere: Sequence[Elsewhere] = (),
) -> tuple[Completer, Routes]:
    """The layers around the endpoints. Only this function knows their order; ARCHITECTURE.md gives
    the reasons.

    A `recording` answers before the cache does. `answered_before`: the run had answers in earlier
    sessions. `rejections` are those that the steps tell of. `limits` are the run's. The run's own
    `endpoint` is called `name` and has `own_limits`, if there are such; those `elsewhere` have
    theirs.
    """

    pricing, retry = policies.pricing, policies.retry
    rng = random.Random(policies.seed)  # noqa: S311 - jitter, not secrets
    probing = random.Random(f"{policies.seed}/probes")  # noqa: S311 - as above
    routes = Routes(Room(limits.in_flight), stop)

    def route_to(one: Elsewhere, end: Stop, called: str | None) -> tuple[Limiter, Completer]:
        limiter = Limiter(
            one.limits,
            end,
            name=called,
            room=routes.room,
            capped=lambda: budgeted.may_end_the_run(),  # noqa: PLW0108 - the budget is further out, so it is made later
            outages=policies.outages,
            rng=probing,
            answered_before=answered_before,
        )
        noted = Noted(one.endpoint, cache, pricing, clock, end)
        limited = Limited(
            noted, limiter, limiter.provider, retry, end, first_token_s=policies.first_token_s
        )
        return limiter, limited

    for one in (Elsewhere(name=name, endpoint=endpoint, limits=own_limits or limits), *elsewhere):
        routes.add(one.name, partial(route_to, one), several=bool(elsewhere))
    run_limited = RunLimited(routes, limits, stop)
    kept = Journaled(run_limited, cache, pricing, clock, keep=policies.cache.stores)
    likely = Likely() if policies.reserve == "likely" else None
    funds = LedgerFunds(
        ledger,
        stop,
        partial(end_run, stop),
        limits=limits,
        slots=lambda: routes.state().places,
        makes_likely=likely is not None,
        by_arrival=lambda: routes.goes_by_arrival,
    )
    budgeted = Budgeted(kept, funds, pricing, clock, stop, likely=likely, limits=limits)
    # With one endpoint nobody else wants the money that waits for it.
    held = Outside(budgeted, routes) if routes.several else budgeted
    retrying = Retrying(held, retry, routes.provider_of, stop, rng)
    leases = LeasedKeys(cache, policies.cache, stop, rng, policies.lease)
    answers = cache if recording is None else RecordedFirst(recording, cache)
    cached = Cached(retrying, answers, policies.cache, clock, leases, explain, rejections)
    return cached, routes


def run_context(
    loaded: Loaded,
    workflow: LoadedWorkflow,
    *,
    run_id: str,
    name: str,
    used: Sequence[InUse] | None = None,
) -> RunContext:
    """Return what all calls of a run have in common, from its settings and its workflow, which rows
    call by `name`.

    `used` are the endpoints that can be asked; None: any that is known, as in a replay.
    """
    settings, profile, service = loaded.settings, loaded.settings.profile, loaded.settings.service
    own = loaded.endpoint(key_needed=False)
    return RunContext(
        run_id=run_id,
        endpoint=own.identity,
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
        aliases=settings.aliases,
        own_files=workflow.own_files,
        redact=lambda text: loaded.keyring.redact(own.redact(text)),
        elsewhere=partial(_elsewhere, loaded, None if used is None else {one.name for one in used}),
    )


def _elsewhere(loaded: Loaded, asked: Collection[str] | None, step: str, name: str) -> Addressee:
    """Return what requests to another endpoint have in common. Raises SettingsError for one that
    this run cannot ask.
    """
    settings = loaded.settings
    try:
        service = settings.service_at(name)
    except SettingsError as error:
        raise SettingsError(f"step {step}: {error}") from None
    if asked is not None and service.name not in asked:
        raise SettingsError(
            f"step {step} asks the endpoint {name}, which could not be read from the workflow's"
            " source before the run; "
            f'a line `{ENDPOINTS_DECLARED} = ("{name}",)` in its file names it, so that its key is'
            " looked at first"
        )
    return Addressee(
        name=service.name,
        identity=endpoint_identity(service),
        defaults=settings.defaults(service.name),
        form=form_mark(service),
        known_model=lambda model: resolve_model(service, model)[:2],
    )


@asynccontextmanager
async def open_stack(
    loaded: Loaded,
    *,
    run_id: str,
    stop: Stop,
    clock: WallClock | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    recording: Answers | None = None,
    used: Sequence[InUse] | None = None,
) -> AsyncIterator[Stack]:
    """Open the cache and a client for each endpoint, and close them on every way out.

    `used` are the endpoints that are asked, the run's own first; None: that one alone. `transport`
    replaces the network; without it the mock brings its own. What `recording` knows is neither
    asked nor looked up: its answers rule over those of the cache file, and it is only read. Raises
    SettingsError for a missing key or a budget that cannot be kept, CacheError for a file that is
    no cache.
    """
    settings, clock = loaded.settings, clock or SystemClock()
    asked = used or (InUse(service=settings.service),)
    check_budget(settings, asked)
    if settings.cache_mode == "replay" and not settings.cache.exists():
        raise CacheError(
            f"{settings.cache}: there is no such cache to replay; record one first, or name it with"
            " --cache"
        )
    check_access(loaded, asked)
    limits = settings.limits()
    if transport is None:
        files = budgeted_files(limits.in_flight)
        limits = replace(limits, in_flight=files.in_flight)
        if files.note is not None:
            log.warning(files.note)
    async with SqliteCache.open(settings.cache) as cache:
        rejections = Rejections(cache)
        before = await cache.spent(run_id)
        left_open = tuple(await cache.left_open(run_id))
        ledger = Ledger.after(settings.spending_cap(), before)
        async with AsyncExitStack() as clients:
            reached = []
            for one in asked:
                client = await clients.enter_async_context(_reached(loaded, one, clock, transport))
                own = limits
                if len(asked) > 1:
                    own = within(limits, loaded.limits_at(one.name))
                reached.append(Elsewhere(name=one.name, endpoint=client, limits=own))
            completer, routes = layered(
                reached[0].endpoint,
                cache=cache,
                recording=recording,
                policies=Policies.of(settings),
                limits=limits,
                ledger=ledger,
                stop=stop,
                clock=clock,
                answered_before=before.tokens > 0 or before.untold > 0,
                rejections=rejections,
                name=reached[0].name,
                own_limits=reached[0].limits,
                elsewhere=reached[1:],
            )
            with StallMeter().running() as stalls:
                yield Stack(
                    completer=completer,
                    cache=cache,
                    rejections=rejections,
                    routes=routes,
                    ledger=ledger,
                    pricing=settings.pricing(),
                    before=before,
                    left_open=left_open,
                    stalls=stalls,
                )


@asynccontextmanager
async def _reached(
    loaded: Loaded, one: InUse, clock: WallClock, transport: httpx2.AsyncBaseTransport | None
) -> AsyncIterator[OpenAIChat]:
    """An endpoint with a client of its own, closed on every way out."""
    settings, endpoint = loaded.settings, loaded.endpoint(one.name, key_needed=False)
    transport = transport_to(endpoint.identity, settings, clock, transport)
    client = build_http_client(
        settings.timeouts(),
        base_url=endpoint.base_url,
        transport=transport,
        carrier=settings.transport,
    )
    async with client:
        yield OpenAIChat(
            endpoint,
            timeouts=settings.timeouts(),
            http_client=client,
            wall_clock=clock,
            carrier=settings.transport,
        )


def replaying(recording: Answers, *, stop: Stop, clock: WallClock) -> Completer:
    """Answers from a recording and from nothing else: no file, no client, no key. A request it does
    not know raises CacheMiss.
    """
    policy = CachePolicy(mode="replay")
    leases = LeasedKeys(_NobodyElse(), policy, stop, random.Random(0))  # noqa: S311 - nobody waits
    return Cached(_Nobody(), recording, policy, clock, leases, explain)


class _NobodyElse:
    """The leases of a replay, which asks nobody, so that nobody waits for it."""

    async def claim(self, key: str) -> Claim:
        return "taken"

    def release(self, key: str) -> None:
        """There is nothing to give back."""


class _Nobody:
    """Stands where an endpoint would. A replay that came here would be a defect of ours."""

    async def complete(self, request: Request, call: Call) -> Completion:
        raise AssertionError(f"replay asked an endpoint for {call.owner}")


MOCK_DELTA_TOKENS = 8


def transport_to(
    identity: str, settings: Settings, clock: WallClock, given: httpx2.AsyncBaseTransport | None
) -> httpx2.AsyncBaseTransport | None:
    """Return what stands in for the network to an endpoint: what was given, the mock for the mock,
    else nothing.
    """
    return mock_transport(settings, clock) if given is None and identity == MOCK.name else given


def mock_transport(settings: Settings, clock: WallClock) -> httpx2.AsyncBaseTransport:
    """The built-in DeepSeek, in this process. Raises SettingsError for a latency or faults unknown
    to it.
    """
    # Only those who use the mock pay for it.
    from harness.testing.deepseek.fake import FakeDeepSeek  # noqa: PLC0415
    from harness.testing.deepseek.fault_plan import FaultPlan  # noqa: PLC0415 - as above
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


def check_budget(settings: Settings, used: Sequence[InUse] = ()) -> None:
    """Raise SettingsError for a budget in money where the price of a model is not known; 0 is a
    price.
    """
    own, *others = used or (InUse(service=settings.service),)
    for flag, cap in (("--budget", settings.budget), ("--topic-budget", settings.topic_budget)):
        if cap is None:
            continue
        model = settings.defaults().model or ""
        if own.key_needed and not settings.pricing().rows(model):
            raise SettingsError(_unpriced(flag, cap, repr(model), f'[prices."{model}"]'))
        for one in others:
            prices = settings.pricing().at(endpoint_identity(one.service))
            for model in models_at(settings, one):
                if not prices.rows(model):
                    table = f'[endpoints.{one.name}.prices."{model}"]'
                    raise SettingsError(_unpriced(flag, cap, f"{model!r} at {one.name}", table))


def _unpriced(flag: str, cap: float, model: str, table: str) -> str:
    return (
        f"{flag} {cap:g}: no price is known for the model {model}; give one in harness.toml as "
        f"{table} with input and output in USD per million tokens, or cap with {flag}-tokens"
    )
