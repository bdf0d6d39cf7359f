"""An estimate of a batch, before anything is spent: the real workflow on a sample of its topics,
answered by the mock.

One mechanism: the same runner, layers and limits as in a run, on virtual time, with answers as long
as the mock's. So a user's own workflow is estimated like a built-in one, and the calls are counted,
not guessed. What cannot be known is how long the real model's answers will be: they may be several
times as long as the mock's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from harness.cache.memory import MemoryCache
from harness.compose import Elsewhere, Policies, layered, mock_transport, run_context
from harness.datasets.dataset import Dataset, open_dataset
from harness.domain.braking import Held, most_ahead, most_at_once
from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request, Usage
from harness.domain.endpoint import profile_endpoint
from harness.domain.ledger import Ledger
from harness.domain.likely import Likely
from harness.domain.policy import LAST_SHARE, Budget, Limits, within
from harness.domain.pricing import Pricing
from harness.domain.profiles import PROFILES
from harness.domain.run import Span, Topic, TopicResult
from harness.domain.token_estimate import likely_input_tokens
from harness.endpoint.http import build_http_client
from harness.endpoint.openai_chat import OpenAIChat
from harness.engine.routes import Routes
from harness.engine.runner import Runner, Workflow
from harness.engine.stopping import Stop
from harness.errors import WorkflowError
from harness.ports import Completer, WallClock
from harness.runs.batch import dataset_spec
from harness.settings import MOCK_KEY, Loaded, Settings
from harness.testing.virtual_time import VirtualClock, run_virtual
from harness.workflows.in_use import InUse, endpoints_in_use, workflow_of
from harness.workflows.loading import LoadedWorkflow

SAMPLE = 50
MOST_REHEARSED = 256
"""Topics that are rehearsed at the most to see what a budget costs."""
LATENCY = "per-token:1:0.02"
"""The default timing of the sample: a second to the first token, then 50 tokens a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEstimate:
    """One step of the workflow over the whole batch. Tokens are likely ones; `cost_at_most` is each
    cap used up.
    """

    step: str
    calls: float
    input_tokens: float
    output_tokens: float
    cost: float | None
    cost_at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The time that a budget costs, for amounts in USD, as far as a rehearsal without broken
    requests tells.

    `enough` is the smallest that keeps no call waiting for money, `enough_likely` the same with
    `--budget-reserve likely` once each step has had answers. `held` is what a call at work holds on
    average, `slots` is how many are.
    """

    enough: float
    enough_likely: float
    held: float
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The whole batch, scaled up from `sample` topics, of which `failed` failed. `cost` in USD,
    None: not known.
    """

    topics: int
    bad_lines: int
    sample: int
    steps: tuple[StepEstimate, ...]
    wall_s: float
    latency: str
    failed: int = 0
    first_failure: str | None = None
    budgets: Budgets | None = None

    @property
    def calls(self) -> float:
        return sum(step.calls for step in self.steps)

    @property
    def cost(self) -> float | None:
        return _total([step.cost for step in self.steps], 1.0)

    @property
    def cost_at_most(self) -> float | None:
        return _total([step.cost_at_most for step in self.steps], 1.0)


def estimate_batch(
    loaded: Loaded,
    source: str,
    clock: WallClock,
    *,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
    budgets: bool = False,
) -> Estimate:
    """Estimate a batch, with what `wrap` makes of its workflow; `budgets`: also what a budget costs
    in time.

    Raises what a run would raise for its file, settings and prompts; sends nothing.
    """
    # The author's file is executed anew for the rehearsal: what it keeps (a semaphore, a client)
    # belongs to one event loop from its first use on, and the run has another one.
    workflow = workflow_of(loaded)
    used = endpoints_in_use(loaded, workflow)
    workflow = replace(workflow, function=wrap(workflow.function))
    with closing(open_dataset(dataset_spec(loaded.settings, source))) as dataset:
        dataset.check(skip_bad=loaded.settings.skip_bad)
        return _estimated(loaded, workflow, dataset, used, clock, budgets=budgets)


def _estimated(
    loaded: Loaded,
    workflow: LoadedWorkflow,
    dataset: Dataset,
    used: Sequence[InUse],
    clock: WallClock,
    *,
    budgets: bool,
) -> Estimate:
    settings = loaded.settings
    timed = LATENCY if settings.latency == "none" else settings.latency
    sample = list(islice(dataset.read(), SAMPLE))
    rehearsed = _rehearsed(loaded, workflow, sample, timed, runs=1)
    scale = dataset.count / len(sample) if sample else 0.0
    steps = _by_step(rehearsed.spans, settings.pricing(), clock, scale)
    found = None
    if budgets and sample:
        found = _budgets(loaded, workflow, dataset, timed, steps, clock.now())
    return Estimate(
        topics=dataset.count,
        bad_lines=dataset.report.bad,
        sample=len(sample),
        steps=steps,
        wall_s=_wall_s(rehearsed, _limits_of(loaded, used), scale),
        latency=timed,
        failed=len(rehearsed.failures),
        first_failure=rehearsed.failures[0] if rehearsed.failures else None,
        budgets=found,
    )


def _budgets(
    loaded: Loaded,
    workflow: LoadedWorkflow,
    dataset: Dataset,
    latency: str,
    steps: Sequence[StepEstimate],
    now: datetime,
) -> Budgets | None:
    """Return the time that budgets cost, from a rehearsal under the run's own limits; None where no
    price is known.

    A budget is enough that pays for the batch and, at the worst moment of it, for what is held
    beyond that.
    """
    limits, pricing = loaded.settings.limits(), loaded.settings.pricing()
    cost = _total([step.cost for step in steps], 1.0)
    wanted = min(MOST_REHEARSED, max(SAMPLE, 2 * limits.in_flight))
    topics = list(islice(dataset.read(), wanted))
    spans = _rehearsed(loaded, workflow, topics, latency, runs=limits.open_runs).spans
    sent = [span for span in spans if span.served.source == "endpoint"]
    likely = Likely()
    for span in sent:
        likely.learn(span.step, span.request, span.usage)
    worst = _held(sent, pricing, now, lambda span: pricing.at_most(span.request, now))
    hoped = _held(sent, pricing, now, lambda span: _likely_of(likely, span, pricing, now))
    if cost is None or not worst:
        return None
    slots = most_at_once(worst)
    # More topics than were rehearsed may fill slots that these could not.
    more = limits.in_flight / slots if dataset.count > len(topics) else 1.0
    enough = cost + most_ahead(worst) * more + _dearest(worst)
    hoped_enough = cost + most_ahead(hoped) * more + _dearest(hoped)
    return Budgets(
        enough=enough,
        enough_likely=hoped_enough / (1 - LAST_SHARE),
        held=_mean_held(worst),
        slots=round(slots * more),
    )


def _dearest(calls: Sequence[Held]) -> float:
    return max(call.held for call in calls)


def _mean_held(calls: Sequence[Held]) -> float:
    """Return what a call at work holds on average over time, in USD."""
    work_s = sum(call.until_s - call.from_s for call in calls)
    if not work_s:
        return _dearest(calls)
    return sum(call.held * (call.until_s - call.from_s) for call in calls) / work_s


def _usage_of(span: Span) -> Usage:
    """Return the tokens to expect of a call. The provider's own cache is left out of account: calls
    at the same time cannot use each other's beginning.
    """
    return Usage(
        input_tokens=likely_input_tokens(span.request), output_tokens=span.usage.output_tokens
    )


def _cost_of(span: Span, pricing: Pricing, now: datetime) -> float | None:
    return pricing.of(span.request).cost(span.request.model, _usage_of(span), now)


def _held(
    spans: Sequence[Span], pricing: Pricing, now: datetime, of: Callable[[Span], AtMost]
) -> list[Held]:
    calls = []
    for span in spans:
        held, cost = of(span).cost, _cost_of(span, pricing, now)
        if held is not None and cost is not None:
            # To the microsecond: the next call begins when one ends, and not a rounding before.
            from_s, until_s = round(span.end_s - span.served.latency_s, 6), round(span.end_s, 6)
            calls.append(Held(from_s=from_s, until_s=until_s, held=held, cost=min(cost, held)))
    return calls


def _likely_of(likely: Likely, span: Span, pricing: Pricing, now: datetime) -> AtMost:
    usage = likely.usage(span.step, span.request)
    if usage is None:
        return pricing.at_most(span.request, now)
    return pricing.of(span.request).dearest(span.request.model, usage, now)


class _AsMock:
    """Answers any endpoint's request as the mock does, under the name of the model that was
    asked.
    """

    def __init__(self, inner: Completer) -> None:
        self._inner = inner

    async def complete(self, request: Request, call: Call) -> Completion:
        asked = replace(request, endpoint="mock", model="deepseek-flash", tools=(), extra_body={})
        return replace(await self._inner.complete(asked, call), model=request.model)


@dataclass(slots=True)
class _Kept:
    """The results port, kept in memory."""

    spans: list[Span] = field(default_factory=list)
    elapsed_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        self.spans.extend(spans)
        self.elapsed_s.append(result.elapsed_s)
        if result.status == "failed" and result.error is not None:
            where = "" if result.error.where is None else f" at {result.error.where}"
            self.failures.append(
                f"{result.topic_id}: {result.error.type}{where}: {result.error.message}"
            )


def _rehearsed(
    loaded: Loaded, workflow: LoadedWorkflow, sample: Sequence[Topic], latency: str, *, runs: int
) -> _Kept:
    try:
        return run_virtual(_rehearse, loaded, workflow, sample, latency, runs)
    except RuntimeError as error:
        # Only a workflow that waits for something else than its calls (a thread, a socket) can
        # bring this about.
        raise WorkflowError(f"{workflow.name} cannot be rehearsed: {error}") from error


async def _rehearse(
    loaded: Loaded, workflow: LoadedWorkflow, sample: Sequence[Topic], latency: str, runs: int
) -> _Kept:
    """Run the sample against the mock, so many topics at a time: with one, each has all the room
    that there is.
    """
    used = endpoints_in_use(loaded, workflow)
    if len(used) > 1:
        loaded = loaded.among_several()
    rehearsal = {"latency": latency, "faults": "none", "cache_mode": "off"}
    settings = loaded.settings.model_copy(update=rehearsal)
    stop, clock, kept = Stop(), VirtualClock(), _Kept()
    async with _mock_chat(settings, clock) as chat:
        completer, limiter = _layered(chat, loaded, settings, used, stop, clock)
        context = run_context(
            loaded, workflow, run_id="estimate", name=settings.workflow, used=used
        )
        runner = Runner(
            workflow=workflow.function,
            context=replace(context, topic_budget=Budget()),
            completer=completer,
            results=kept,
            stop=stop,
            clock=clock,
            runs=runs,
            ending=limiter.ending,
        )
        await runner.run(sample)
    return kept


@asynccontextmanager
async def _mock_chat(settings: Settings, clock: VirtualClock) -> AsyncIterator[_AsMock]:
    endpoint = profile_endpoint(PROFILES["mock"], api_key=MOCK_KEY)
    timeouts, transport = settings.timeouts(), mock_transport(settings, clock)
    client = build_http_client(timeouts, base_url=endpoint.base_url, transport=transport)
    async with client:
        chat = OpenAIChat(endpoint, timeouts=timeouts, http_client=client, wall_clock=clock)
        yield _AsMock(chat)


def _layered(
    chat: _AsMock,
    loaded: Loaded,
    settings: Settings,
    used: Sequence[InUse],
    stop: Stop,
    clock: VirtualClock,
) -> tuple[Completer, Routes]:
    """Stack the run's own layers over the mock, which answers in place of each endpoint."""
    limits = settings.limits()
    elsewhere = []
    for one in used[1:]:
        own = within(limits, loaded.limits_at(one.name))
        elsewhere.append(Elsewhere(name=one.name, endpoint=chat, limits=own))
    return layered(
        chat,
        cache=MemoryCache(),
        policies=Policies.of(settings),
        limits=limits,
        ledger=Ledger(budget=Budget()),
        stop=stop,
        clock=clock,
        name=used[0].name,
        own_limits=loaded.limits_at() if len(used) > 1 else None,
        elsewhere=elsewhere,
    )


def _by_step(
    spans: Sequence[Span], pricing: Pricing, clock: WallClock, scale: float
) -> tuple[StepEstimate, ...]:
    now = clock.now()
    steps: dict[str, list[Span]] = {}
    for span in spans:
        steps.setdefault(span.step, []).append(span)
    return tuple(_step(name, group, pricing, now, scale) for name, group in steps.items())


def _step(
    name: str, spans: Sequence[Span], pricing: Pricing, now: datetime, scale: float
) -> StepEstimate:
    usages = [_usage_of(span) for span in spans]
    costs = [_cost_of(span, pricing, now) for span in spans]
    return StepEstimate(
        step=name,
        calls=len(spans) * scale,
        input_tokens=sum(usage.input_tokens for usage in usages) * scale,
        output_tokens=sum(usage.output_tokens for usage in usages) * scale,
        cost=_total(costs, scale),
        cost_at_most=_total([pricing.at_most(span.request, now).cost for span in spans], scale),
    )


def _limits_of(loaded: Loaded, used: Sequence[InUse]) -> tuple[Limits, Mapping[str | None, Limits]]:
    """The run's limits, and those of each endpoint as its spans name it."""
    if len(used) == 1:
        return loaded.settings.limits(), {None: loaded.settings.limits()}
    loaded = loaded.among_several()
    there: dict[str | None, Limits] = {one.name: loaded.limits_at(one.name) for one in used[1:]}
    return loaded.settings.limits(), {None: loaded.limits_at(), **there}


def _wall_s(
    rehearsed: _Kept, limits: tuple[Limits, Mapping[str | None, Limits]], scale: float
) -> float:
    """The largest of what bounds the batch: slots for calls, slots for runs, the pace, the
    longest topic.
    """
    run, endpoints = limits
    bounds = [
        sum(span.own_s for span in rehearsed.spans) * scale / run.in_flight,
        sum(rehearsed.elapsed_s) * scale / run.open_runs,
        max(rehearsed.elapsed_s, default=0.0),
    ]
    for name, own in endpoints.items():
        bounds += _bounds_of(
            [span for span in rehearsed.spans if span.endpoint == name], own, scale
        )
    return max(bounds)


def _bounds_of(spans: Sequence[Span], limits: Limits, scale: float) -> Iterator[float]:
    """Return the bounds of the calls to one endpoint."""
    yield sum(span.own_s for span in spans) * scale / limits.in_flight
    if limits.requests_per_minute is not None:
        yield len(spans) * scale * 60 / limits.requests_per_minute
    if limits.tokens_per_minute is not None:
        yield sum(span.usage.total_tokens for span in spans) * scale * 60 / limits.tokens_per_minute


def _total(costs: Sequence[float | None], scale: float) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) * scale if len(known) == len(costs) else None
