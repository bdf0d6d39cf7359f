"""What a batch will take, before anything is spent: the real workflow on a sample of its topics, answered by the mock.

One mechanism: the same runner, layers and limits as in a run, on virtual time, with answers as long as the mock's. So a
user's own workflow is estimated like a built-in one, and the calls are counted, not guessed. What cannot be known is
how long the real model's answers will be: they may be several times as long as the mock's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from harness.adapters.datasets.dataset import open_dataset
from harness.adapters.endpoint.http import build_http_client
from harness.adapters.endpoint.openai_chat import OpenAIChat
from harness.adapters.memory import MemoryCache
from harness.batch import dataset_spec
from harness.compose import layered, mock_transport, run_context
from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Usage
from harness.domain.endpoint import profile_endpoint
from harness.domain.estimate import likely_input_tokens
from harness.domain.policy import Budget, Limits
from harness.domain.pricing import Pricing
from harness.domain.profiles import PROFILES
from harness.domain.purse import Purse
from harness.domain.run import Span, Topic, TopicResult
from harness.engine.runner import Runner, Workflow
from harness.engine.stopping import Stop
from harness.errors import WorkflowError
from harness.ports import Completer, WallClock
from harness.settings import MOCK_KEY, Loaded
from harness.testing.virtual_time import VirtualClock, run_virtual
from harness.workflows.loading import LoadedWorkflow, load_workflow

SAMPLE = 50
LATENCY = "per-token:1:0.02"
"""How the sample is timed where the user says nothing: a second to the first token, then 50 tokens a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEstimate:
    """One step of the workflow over the whole batch. Tokens are likely ones; `cost_at_most` is each cap used up."""

    step: str
    calls: float
    input_tokens: float
    output_tokens: float
    cost: float | None
    cost_at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The whole batch, scaled up from `sample` topics, of which `failed` failed. `cost` in USD, None: not known."""

    topics: int
    bad_lines: int
    sample: int
    steps: tuple[StepEstimate, ...]
    wall_s: float
    latency: str
    failed: int = 0
    first_failure: str | None = None

    @property
    def calls(self) -> float:
        return sum(step.calls for step in self.steps)

    @property
    def cost(self) -> float | None:
        costs = [step.cost for step in self.steps]
        return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)

    @property
    def cost_at_most(self) -> float | None:
        costs = [step.cost_at_most for step in self.steps]
        return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)


def estimate_batch(
    loaded: Loaded, source: str, clock: WallClock, *, wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow
) -> Estimate:
    """Estimate a batch, with what `wrap` makes of its workflow.

    Raises what a run would raise for its file, settings and prompts; sends nothing.
    """
    settings = loaded.settings
    workflow = load_workflow(
        settings.workflow,
        prompts_file=settings.prompts,
        settings=settings.workflow_settings,
        steps=loaded.step_places(),
    )
    with closing(open_dataset(dataset_spec(settings, source))) as dataset:
        dataset.check(skip_bad=settings.skip_bad)
        sample = list(islice(dataset.read(), SAMPLE))
        timed = settings.latency if settings.latency != "none" else LATENCY
        rehearsed = _rehearsed(loaded, replace(workflow, function=wrap(workflow.function)), sample, timed)
        scale = dataset.count / len(sample) if sample else 0.0
        return Estimate(
            topics=dataset.count,
            bad_lines=dataset.report.bad,
            sample=len(sample),
            steps=_by_step(rehearsed.spans, settings.pricing(), clock, scale),
            wall_s=_wall_s(rehearsed, settings.limits(), scale),
            latency=timed,
            failed=len(rehearsed.failures),
            first_failure=rehearsed.failures[0] if rehearsed.failures else None,
        )


class _AsMock:
    """Answers any endpoint's request as the mock does, under the name of the model that was asked."""

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
            self.failures.append(f"{result.topic_id}: {result.error.type}{where}: {result.error.message}")


def _rehearsed(loaded: Loaded, workflow: LoadedWorkflow, sample: Sequence[Topic], latency: str) -> _Kept:
    try:
        return run_virtual(_rehearse, loaded, workflow, sample, latency)
    except RuntimeError as error:
        # Only a workflow that waits for something else than its calls (a thread, a socket) can bring this about.
        raise WorkflowError(f"{workflow.name} cannot be rehearsed: {error}") from error


async def _rehearse(loaded: Loaded, workflow: LoadedWorkflow, sample: Sequence[Topic], latency: str) -> _Kept:
    """Run the sample against the mock, each topic with all the room that one run may have."""
    settings = loaded.settings.model_copy(update={"latency": latency, "faults": "none", "cache_mode": "off"})
    stop, clock, kept = Stop(), VirtualClock(), _Kept()
    endpoint = profile_endpoint(PROFILES["mock"], api_key=MOCK_KEY)
    client = build_http_client(
        settings.timeouts(), base_url=endpoint.base_url, transport=mock_transport(settings, clock)
    )
    async with client:
        chat = OpenAIChat(endpoint, timeouts=settings.timeouts(), http_client=client, wall_clock=clock)
        purse = Purse(budget=Budget())
        completer, _ = layered(
            _AsMock(chat),
            cache=MemoryCache(),
            settings=settings,
            limits=settings.limits(),
            purse=purse,
            stop=stop,
            clock=clock,
        )
        context = run_context(loaded, workflow, run_id="estimate", name=settings.workflow)
        runner = Runner(
            workflow=workflow.function,
            context=replace(context, topic_budget=Budget()),
            completer=completer,
            results=kept,
            stop=stop,
            clock=clock,
            runs=1,
        )
        await runner.run(sample)
        return kept


def _by_step(spans: Sequence[Span], pricing: Pricing, clock: WallClock, scale: float) -> tuple[StepEstimate, ...]:
    now = clock.now()
    steps: dict[str, list[Span]] = {}
    for span in spans:
        steps.setdefault(span.step, []).append(span)
    return tuple(_step(name, group, pricing, now, scale) for name, group in steps.items())


def _step(name: str, spans: Sequence[Span], pricing: Pricing, now: datetime, scale: float) -> StepEstimate:
    # The provider's own cache is left out of account: calls at the same time cannot use each other's beginning.
    usages = [
        Usage(input_tokens=likely_input_tokens(span.request), output_tokens=span.usage.output_tokens) for span in spans
    ]
    costs = [pricing.cost(span.request.model, usage, now) for span, usage in zip(spans, usages, strict=True)]
    return StepEstimate(
        step=name,
        calls=len(spans) * scale,
        input_tokens=sum(usage.input_tokens for usage in usages) * scale,
        output_tokens=sum(usage.output_tokens for usage in usages) * scale,
        cost=_total(costs, scale),
        cost_at_most=_total([pricing.at_most(span.request, now).cost for span in spans], scale),
    )


def _wall_s(rehearsed: _Kept, limits: Limits, scale: float) -> float:
    """The largest of what bounds the batch: places for calls, places for runs, the pace, the longest topic."""
    bounds = [
        sum(span.own_s for span in rehearsed.spans) * scale / limits.in_flight,
        sum(rehearsed.elapsed_s) * scale / limits.open_runs,
        max(rehearsed.elapsed_s, default=0.0),
    ]
    if limits.requests_per_minute is not None:
        bounds.append(len(rehearsed.spans) * scale * 60 / limits.requests_per_minute)
    if limits.tokens_per_minute is not None:
        tokens = sum(span.usage.total_tokens for span in rehearsed.spans)
        bounds.append(tokens * scale * 60 / limits.tokens_per_minute)
    return max(bounds)


def _total(costs: Sequence[float | None], scale: float) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) * scale if len(known) == len(costs) else None
