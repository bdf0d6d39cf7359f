"""A workflow's hands: ask a model, fan out over parts. Every call leaves a span."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import anyio

from harness.domain.completion import Call, Completion, Json, Message, OnDelta, Request, Served, Tool, Usage
from harness.domain.key import cache_key
from harness.domain.options import StepOptions
from harness.domain.prompts import Prompts
from harness.domain.run import Failed, Failure, Ok, Outcome, Span, Topic
from harness.errors import (
    CacheError,
    CacheMiss,
    CompletionError,
    FatalError,
    ParseError,
    RunStopped,
    StorageError,
    TooManyCalls,
)
from harness.ports import Completer

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all calls of a run have in common.

    `defaults` rule where a step chooses nothing; `overrides`, by step name, rule over what the step chose.
    `prompts` are the workflow's, `settings` its own table of settings. `known_model` turns a name that was withdrawn
    into today's name and the thinking it stood for.
    `origin_s` is the loop's time at which the session began; spans count from it.
    """

    run_id: str
    endpoint: str
    workflow: str
    defaults: StepOptions
    overrides: Mapping[str, StepOptions] = field(default_factory=dict)
    prompts: Prompts = Prompts()
    settings: Mapping[str, Json] = field(default_factory=dict)
    known_model: Callable[[str], tuple[str, bool | None]] = lambda name: (name, None)
    max_calls_per_topic: int = 200
    origin_s: float = 0.0


@dataclass(slots=True)
class Trace:
    """The spans of one topic, in the order in which its calls ended, and what bounds them."""

    on_span: Callable[[Span], None]
    spans: list[Span] = field(default_factory=list)
    calls: int = 0
    stopped: bool = False
    storage_error: str | None = None
    names: dict[str, int] = field(default_factory=dict)

    def add(self, span: Span) -> None:
        self.spans.append(span)
        self.on_span(span)

    def unique(self, path: str) -> str:
        """The path, numbered from its second use on."""
        self.names[path] = number = self.names.get(path, 0) + 1
        return path if number == 1 else f"{path}#{number}"


class Step:
    """What a workflow is given. It may be used from many tasks of the workflow at once."""

    def __init__(
        self, *, topic: Topic, context: RunContext, completer: Completer, trace: Trace, path: str = ""
    ) -> None:
        self.topic = topic
        self.path = path
        self._context = context
        self._completer = completer
        self._trace = trace

    @property
    def prompts(self) -> Prompts:
        """The prompts of the workflow, by step."""
        return self._context.prompts

    @property
    def settings(self) -> Mapping[str, Json]:
        """The workflow's own settings: its prompts file's table [workflow], under that of the settings file."""
        return self._context.settings

    async def complete(
        self,
        name: str,
        prompt: str | Sequence[Message],
        *,
        system: str | None = None,
        options: StepOptions | None = None,
        response_format: Literal["text", "json_object"] | None = None,
        tools: Sequence[Tool] = (),
        stop: Sequence[str] = (),
        sample: int = 0,
        on_delta: OnDelta | None = None,
    ) -> Completion:
        """Ask the model; `name` is the step's name in traces and settings.

        `prompt` is the user's text, or a whole conversation; `system` goes before it. `sample` tells repeated draws of
        the same request apart. Raises CompletionError if the call failed for good, TooManyCalls beyond the topic's
        bound, CacheMiss in replay, and RunStopped when the run is ending, which a workflow must let pass.
        """
        request, stream = self._request(name, prompt, system, options, response_format, tools, stop, sample)
        self._count_calls(1)
        call = Call(
            run_id=self._context.run_id,
            topic_id=self.topic.id,
            span_id=self._trace.unique(f"{self.path}/{name}" if self.path else name),
            priority=self.topic.index,
            stream=stream,
            on_delta=on_delta,
        )
        started = anyio.current_time()
        try:
            completion = await self._completer.complete(request, call)
        except RunStopped:
            self._trace.stopped = True
            raise
        except FatalError as error:
            self._trace.stopped = True
            raise RunStopped(str(error)) from error
        except (CompletionError, CacheMiss) as error:
            self._trace.add(self._failed_span(name, request, call, started, error))
            raise
        except (StorageError, CacheError) as error:
            self._trace.stopped = True
            self._trace.storage_error = str(error)
            raise
        self._trace.add(self._span(name, request, call, started, completion))
        return completion

    async def fan_out(
        self, name: str, items: Sequence[T], work: Callable[[Step, T], Awaitable[R]]
    ) -> tuple[Outcome[R], ...]:
        """Do `work` for all items at once, each with a step of its own; the outcomes are in the order of the items.

        A part that raises CompletionError or ParseError is Failed; anything else ends the whole fan-out and is raised.
        How many calls are in flight is the limits' business. Raises TooManyCalls for more items than calls are left.
        """
        if len(items) > self._calls_left:
            self._count_calls(len(items))
        outcomes: list[Outcome[R] | None] = [None] * len(items)
        broken: list[BaseException] = []

        async def part(index: int, item: T, group: anyio.abc.TaskGroup) -> None:
            path = f"{name}.{index + 1}"
            step = self.child(path)
            try:
                outcomes[index] = Ok(value=await work(step, item))
            except (CompletionError, ParseError) as error:
                outcomes[index] = Failed(error=failure_of(error, step=step.path))
            except Exception as error:  # noqa: BLE001 - raised again below, without the task group's wrapping
                broken.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for index, item in enumerate(items):
                group.start_soon(part, index, item, group)
        if broken:
            raise broken[0]
        return tuple(outcome for outcome in outcomes if outcome is not None)

    def child(self, path: str) -> Step:
        """A step whose calls are grouped under this path."""
        return Step(
            topic=self.topic,
            context=self._context,
            completer=self._completer,
            trace=self._trace,
            path=self._trace.unique(f"{self.path}/{path}" if self.path else path),
        )

    @property
    def _calls_left(self) -> int:
        return self._context.max_calls_per_topic - self._trace.calls

    def _count_calls(self, number: int) -> None:
        if number > self._calls_left:
            raise TooManyCalls(
                f"this topic wants {self._trace.calls + number} calls and may make "
                f"{self._context.max_calls_per_topic}; "
                "ask for fewer parts, or raise max_calls_per_topic"
            )
        self._trace.calls += number

    def _request(
        self,
        name: str,
        prompt: str | Sequence[Message],
        system: str | None,
        options: StepOptions | None,
        response_format: Literal["text", "json_object"] | None,
        tools: Sequence[Tool],
        stop: Sequence[str],
        sample: int,
    ) -> tuple[Request, bool]:
        context = self._context
        chosen = context.overrides.get(name, StepOptions()).over((options or StepOptions()).over(context.defaults))
        if chosen.model is None:
            raise TypeError(f"step {name!r} has no model: the run's defaults must name one")
        model, implied_thinking = context.known_model(chosen.model)
        turns = (Message(role="user", content=prompt),) if isinstance(prompt, str) else tuple(prompt)
        request = Request(
            endpoint=context.endpoint,
            model=model,
            messages=(Message(role="system", content=system), *turns) if system is not None else turns,
            max_tokens=chosen.max_tokens,
            thinking=chosen.thinking if chosen.thinking is not None else implied_thinking,
            effort=chosen.effort,
            temperature=chosen.temperature,
            top_p=chosen.top_p,
            response_format=response_format,
            tools=tuple(tools),
            stop=tuple(stop),
            sample=sample,
        )
        return request, chosen.stream is not False

    def _span(self, name: str, request: Request, call: Call, started: float, completion: Completion) -> Span:
        paid_here = completion.served.source == "endpoint" or completion.owner == call.owner
        wasted = _cost_of_failures(completion.served)
        if not paid_here:
            cost: float | None = wasted
        elif completion.cost is None or wasted is None:
            cost = None
        else:
            cost = completion.cost + wasted
        return Span(
            run_id=call.run_id,
            topic_id=call.topic_id,
            id=call.span_id,
            parent=self.path or None,
            step=name,
            start_s=started - self._context.origin_s,
            end_s=anyio.current_time() - self._context.origin_s,
            key=cache_key(request),
            request=request,
            content=completion.content,
            reasoning=completion.reasoning,
            tool_calls=completion.tool_calls,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            cost=cost,
            saved=0.0 if paid_here else completion.cost or 0.0,
            served=completion.served,
            model=completion.model,
            fingerprint=completion.fingerprint,
            trace_id=completion.trace_id,
            error=None,
        )

    def _failed_span(
        self, name: str, request: Request, call: Call, started: float, error: CompletionError | CacheMiss
    ) -> Span:
        partial = error.partial if isinstance(error, CompletionError) else None
        served = (error.served if isinstance(error, CompletionError) else None) or Served(attempts=0)
        usages = [failure.usage for failure in served.failures if failure.usage is not None]
        return Span(
            run_id=call.run_id,
            topic_id=call.topic_id,
            id=call.span_id,
            parent=self.path or None,
            step=name,
            start_s=started - self._context.origin_s,
            end_s=anyio.current_time() - self._context.origin_s,
            key=cache_key(request),
            request=request,
            content=partial.content if partial else "",
            reasoning=partial.reasoning if partial else "",
            tool_calls=partial.tool_calls if partial else (),
            finish_reason=(partial.finish_reason or None) if partial else None,
            usage=sum(usages, Usage()),
            cost=_cost_of_failures(served),
            saved=0.0,
            served=served,
            model=partial.model if partial else None,
            fingerprint=partial.fingerprint if partial else None,
            trace_id=partial.trace_id if partial else None,
            error=failure_of(error, step=name),
        )


def failure_of(error: Exception, *, step: str | None = None) -> Failure:
    """An exception as a value for records."""
    return Failure(
        type=type(error).__name__,
        message=str(error),
        kind=getattr(error, "kind", None),
        step=step,
        status=getattr(error, "status", None),
    )


def _cost_of_failures(served: Served) -> float | None:
    """USD that failed attempts cost, None if that is not known of one of them."""
    costs = [failure.cost for failure in served.failures]
    return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)
