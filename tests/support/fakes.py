"""Fakes behind the ports, and the whole engine built over them, for tests on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from harness.cache.memory import MemoryCache
from harness.compose import Elsewhere, Policies, layered
from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Message, Request, Served, Usage
from harness.domain.failures import CompletionError, TransientError
from harness.domain.ledger import Ledger
from harness.domain.policy import (
    Budget,
    CacheMode,
    CachePolicy,
    Limits,
    OutagePolicy,
    Patience,
    Reserve,
    RetryPolicy,
)
from harness.domain.pricing import Pricing, Rates, flat_price
from harness.domain.repeated import Repeated
from harness.domain.run import Span, Topic, TopicResult
from harness.domain.step_options import StepOptions
from harness.engine.limiter import Limiter
from harness.engine.rejections import Rejections
from harness.engine.routes import Routes
from harness.engine.runner import Runner, Workflow
from harness.engine.step import Addressee, RunContext, Step
from harness.engine.stopping import Stop
from harness.engine.trace import Trace
from harness.errors import StorageError
from harness.ports import Claim, Completer, OpenCall, Rejection, Resolution
from harness.testing.virtual_time import VirtualClock

USAGE = Usage(input_tokens=100, output_tokens=50)

OWN = "own"
"""The tests' name for the endpoint of the run itself."""

# One dollar a token makes sums that can be read.
DOLLAR_A_TOKEN = Rates(cached_input=1_000_000.0, input=1_000_000.0, output=1_000_000.0)
PRICING = Pricing(prices={"m": flat_price(DOLLAR_A_TOKEN)})


def a_request(text: str = "why?", **fields: Any) -> Request:
    return Request(
        **{
            "endpoint": "mock",
            "model": "m",
            "messages": (Message(role="user", content=text),),
            **fields,
        }
    )


def a_call(**fields: Any) -> Call:
    return Call(**{"run_id": "run", "topic_id": "t", "span_id": "s", **fields})


def an_answer(content: str = "because", **fields: Any) -> Completion:
    return Completion(
        **{"model": "m", "content": content, "finish_reason": "stop", "usage": USAGE, **fields}
    )


def a_refusal(**fields: Any) -> TransientError:
    return TransientError("Too many requests", **{"kind": "rate_limited", "status": 429, **fields})


def a_reset(**fields: Any) -> TransientError:
    return TransientError("connection reset", **{"kind": "connection", **fields})


def text_of(request: Request) -> str:
    return request.messages[-1].content


Outcome = Completion | BaseException
Script = Callable[[Request], Outcome]


@dataclass(slots=True)
class FakeModel:
    """A Completer that takes `latency_s` for each request, then does what `script` says.

    `refuse` may say no at once. `sent_at` are the loop's times at which requests left.
    """

    latency_s: float | Callable[[Request], float] = 1.0
    script: Script = lambda request: an_answer(f"answer to {text_of(request)}", model=request.model)
    refuse: Callable[[FakeModel], Outcome | None] = lambda model: None
    sent: list[Request] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    finished: int = 0
    in_flight: int = 0
    peak: int = 0
    refusals: int = 0

    async def complete(self, request: Request, call: Call) -> Completion:
        started = anyio.current_time()
        self.sent.append(request)
        self.sent_at.append(started)
        self.calls.append(call)
        refusal = self.refuse(self)
        if isinstance(refusal, BaseException):
            self.refusals += 1
            raise refusal
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(
                self.latency_s(request) if callable(self.latency_s) else self.latency_s
            )
        finally:
            self.in_flight -= 1
        outcome = self.script(request)
        if isinstance(outcome, BaseException):
            raise outcome
        if call.on_delta is not None:
            call.on_delta(Delta(kind="answer", text=outcome.content))
        self.finished += 1
        return replace(outcome, served=Served(latency_s=anyio.current_time() - started))


def one_after_another(*outcomes: Outcome) -> Script:
    """A script that does these in order, and the last for ever."""
    left = list(outcomes)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def at_most(
    number: int, *, named: bool = False, **fields: Any
) -> Callable[[FakeModel], CompletionError | None]:
    """A server that refuses what goes beyond `number` at a time."""

    def refuse(model: FakeModel) -> CompletionError | None:
        if model.in_flight < number:
            return None
        return a_refusal(concurrency_limit=number if named else None, **fields)

    return refuse


@dataclass(slots=True)
class SlowCache(MemoryCache):
    """A MemoryCache that takes its time, and can fail like a disk."""

    look_s: float = 0.0
    claim_s: float = 0.0
    open_s: float = 0.0
    resolve_s: float = 0.0
    failing: set[str] = field(default_factory=set)
    resolutions: list[Resolution] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def __post_init__(self) -> None:
        MemoryCache.__init__(self)

    async def get(self, key: str, request: Request) -> Any:
        await self._take("get", self.look_s)
        return await MemoryCache.get(self, key, request)

    async def claim(self, key: str) -> Claim:
        await self._take("claim", self.claim_s)
        return await MemoryCache.claim(self, key)

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        await self._take("open_call", self.open_s)
        return await MemoryCache.open_call(self, request, entry)

    async def resolve(self, number: int, resolution: Resolution) -> None:
        await self._take("resolve", self.resolve_s)
        self.resolutions.append(resolution)
        await MemoryCache.resolve(self, number, resolution)

    async def reject(self, rejection: Rejection) -> None:
        await self._take("reject", 0.0)
        self.rejected.append(rejection)
        await MemoryCache.reject(self, rejection)

    async def _take(self, method: str, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        if method in self.failing:
            raise StorageError(f"{method}: the disk is full")


@dataclass(slots=True)
class ListResults:
    """Results in a list; `failing` makes every write raise."""

    rows: list[TopicResult] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    failing: Exception | None = None
    write_s: float = 0.0

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        if self.write_s:
            await asyncio.sleep(self.write_s)
        if self.failing is not None:
            raise self.failing
        self.rows.append(result)
        self.spans.extend(spans)

    @property
    def by_topic(self) -> Mapping[str, TopicResult]:
        return {row.topic_id: row for row in self.rows}


@dataclass(slots=True, kw_only=True)
class Engine:
    """The layers of a run over a model, and over `others` by name, within limits of their own."""

    model: FakeModel
    others: Mapping[str, FakeModel] = field(default_factory=dict)
    limits_of: Mapping[str, Limits] = field(default_factory=dict)
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    budget: Budget = Budget()
    reserve: Reserve = "strict"
    topic_budget: Budget = Budget()
    mode: CacheMode = "read_write"
    ttl_s: float | None = None
    patience: Patience = Patience()
    outages: OutagePolicy = OutagePolicy(patience_s=0)
    first_token_s: float = 600.0
    cache: SlowCache = field(default_factory=SlowCache)
    results: ListResults = field(default_factory=ListResults)
    stop: Stop = field(default_factory=Stop)
    clock: VirtualClock = field(default_factory=VirtualClock)
    run_id: str = "run"
    ledger: Ledger = field(init=False)
    routes: Routes = field(init=False)
    limiter: Limiter = field(init=False)
    completer: Completer = field(init=False)
    rejections: Rejections = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(budget=self.budget)
        self.rejections = Rejections(self.cache)
        self.completer, self.routes = layered(
            self.model,
            cache=self.cache,
            policies=Policies(
                pricing=PRICING,
                cache=CachePolicy(mode=self.mode, ttl_s=self.ttl_s),
                retry=self.retry,
                outages=self.outages,
                lease=self.patience,
                first_token_s=self.first_token_s,
                reserve=self.reserve,
                seed=7,
            ),
            limits=self.limits,
            ledger=self.ledger,
            stop=self.stop,
            clock=self.clock,
            rejections=self.rejections,
            name=OWN,
            own_limits=self.limits_of.get(OWN),
            elsewhere=[
                Elsewhere(name=name, endpoint=model, limits=self.limits_of.get(name, self.limits))
                for name, model in self.others.items()
            ],
        )
        self.limiter = self.routes.all[0].limiter

    def context(self) -> RunContext:
        return RunContext(
            run_id=self.run_id,
            endpoint="mock",
            workflow="test",
            defaults=StepOptions(model="m", max_tokens=1000),
            max_calls_per_topic=self.limits.max_calls_per_topic,
            max_depth=self.limits.max_depth,
            topic_budget=self.topic_budget,
            rejections=self.rejections,
            elsewhere=lambda step, name: Addressee(
                name=name,
                identity=name,
                defaults=StepOptions(endpoint=name, model="m", max_tokens=1000),
            ),
        )

    def step(self, topic_id: str = "t", index: int = 0, **context: Any) -> tuple[Step, Trace]:
        """A topic's step, in this context, and the trace that its calls leave."""
        ledger = Ledger(budget=self.topic_budget)
        trace = Trace(on_span=lambda span: None, stop=self.stop, ledger=ledger)
        topic = Topic(id=topic_id, text=topic_id, index=index)
        return Step(
            topic=topic,
            context=replace(self.context(), **context),
            completer=self.completer,
            trace=trace,
        ), trace

    def runner(
        self,
        workflow: Workflow,
        *,
        context: RunContext | None = None,
        ending: Callable[[int], None] | None = None,
        repeated: Repeated | None = None,
    ) -> Runner:
        return Runner(
            workflow=workflow,
            context=context or self.context(),
            completer=self.completer,
            results=self.results,
            stop=self.stop,
            clock=self.clock,
            runs=self.limits.open_runs,
            ending=ending or self.routes.ending,
            repeated=repeated,
        )


async def gathered(*calls: Any) -> list[Any]:
    """All at once; what they return, or the exceptions that they raise."""
    return list(await asyncio.gather(*calls, return_exceptions=True))


def accounted_s(served: Served) -> float:
    """All the seconds that a call says it took."""
    attempts_s = sum(failure.elapsed_s for failure in served.failures)
    return served.waited_s + served.backoff_s + attempts_s + served.latency_s


def topics(number: int) -> list[Topic]:
    return [Topic(id=f"t{index}", text=f"topic {index}", index=index) for index in range(number)]
