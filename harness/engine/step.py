"""A workflow's hands: ask a model, fan out over parts. Every call leaves a span."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import anyio

from harness.domain.answer_check import REASKS, Check, Gate, check_of
from harness.domain.call import Call
from harness.domain.completion import (
    Completion,
    Delta,
    Json,
    Message,
    OnDelta,
    Request,
    ResponseFormat,
    Tool,
)
from harness.domain.failures import CacheMiss, CompletionError, FatalError, TopicBudgetExceeded
from harness.domain.key import cache_key
from harness.domain.parsing import blamed_texts
from harness.domain.policy import Budget
from harness.domain.prompts import Prompts
from harness.domain.run import Failed, Ok, Outcome, Span, Topic
from harness.domain.spans import Asked, failure_of
from harness.domain.step_options import StepOptions
from harness.domain.tracker import UNWATCHED, Tracker
from harness.engine.clock import now
from harness.engine.rejections import Rejections
from harness.engine.trace import Trace
from harness.errors import (
    CacheError,
    HarnessError,
    ParseError,
    Rejected,
    RunStopped,
    StorageError,
    TooDeep,
    TooManyCalls,
)
from harness.logs import logged_with
from harness.ports import Completer

T = TypeVar("T")
R = TypeVar("R")

_STEPS_REMEMBERED = 1000

DRAWS_APART = 1_000_000
"""The distance between the samples of a topic's draws. A workflow may draw so many of its own from
one request.
"""

REPEATS_APART = DRAWS_APART * DRAWS_APART
"""The distance between the samples of a request and of its repetition after a rejected answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """The common part of all requests to one endpoint. `name` is what calls say of it, "" for the
    run's own.

    `identity` and `form` are what a request's key knows of it; `defaults` rule where a step chooses
    nothing; `known_model` turns a model's name that was withdrawn into today's name and the
    thinking it stood for.
    """

    name: str
    identity: str
    defaults: StepOptions
    form: Mapping[str, Json] = field(default_factory=dict)
    known_model: Callable[[str], tuple[str, bool | None]] = lambda name: (name, None)


def nowhere_else(step: str, endpoint: str) -> Addressee:
    """For a run that knows no endpoint but its own."""
    raise TypeError(
        f"step {step!r} asks the endpoint {endpoint!r}, and the run knows no other than its own"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The common part of all calls of a run.

    `defaults` rule where a step chooses nothing; `overrides`, by step name, rule over what the step
    chose. `prompts` are the workflow's, `settings` its own table of settings. `known_model` turns a
    name that was withdrawn into today's name and the thinking it stood for. `topic_budget` is what
    each topic may spend in one session. `form` is how the user had requests written otherwise than
    the endpoint's are. `aliases` are names of models there, with what answers to them. `origin_s`
    is the loop's time at which the session began; spans count from it. `own_files` are the paths of
    the workflow's file and of its directory, `redact` masks the keys in a text: both for telling
    what a workflow raised. `rejections` hears which answers a step would not take; None: nobody
    does, as in a replay. `elsewhere` finds the endpoint of this name that a step asks instead of
    the run's own; it raises where the run cannot ask it. `track` begins to follow a call, by its
    topic and its span, for a display.
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
    max_depth: int = 8
    topic_budget: Budget = Budget()
    form: Mapping[str, Json] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    origin_s: float = 0.0
    own_files: tuple[str, ...] = ()
    redact: Callable[[str], str] = str
    rejections: Rejections | None = None
    elsewhere: Callable[[str, str], Addressee] = nowhere_else
    track: Callable[[str, str], Tracker] = lambda topic_id, span_id: UNWATCHED
    _by_step: dict[str, tuple[Addressee, StepOptions]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def addressee(self, step: str, options: StepOptions | None) -> tuple[Addressee, StepOptions]:
        """Whom a step asks, and with which options, all sources together."""
        if options is not None:
            return self._put_together(step, options)
        found = self._by_step.get(step)
        if found is None:
            found = self._put_together(step, StepOptions())
            # A workflow may name its steps by its topics; what all share is remembered.
            if len(self._by_step) < _STEPS_REMEMBERED:
                self._by_step[step] = found
        return found

    def _put_together(self, step: str, options: StepOptions) -> tuple[Addressee, StepOptions]:
        own = self.defaults.endpoint
        chosen = options.over(StepOptions(endpoint=own))
        if (override := self.overrides.get(step)) is not None:
            chosen = override.over(chosen)
        if chosen.endpoint in (None, own):
            there = self._own()
        else:
            there = self.elsewhere(step, str(chosen.endpoint))
        return there, chosen.over(there.defaults)

    def _own(self) -> Addressee:
        return Addressee(
            name="",
            identity=self.endpoint,
            defaults=self.defaults,
            form=self.form,
            known_model=self.known_model,
        )


class Step:
    """The means by which a workflow asks. It may be used from many tasks of the workflow at
    once.
    """

    def __init__(
        self,
        *,
        topic: Topic,
        context: RunContext,
        completer: Completer,
        trace: Trace,
        path: str = "",
        depth: int = 0,
    ) -> None:
        self.topic = topic
        self.path = path
        self._context = context
        self._completer = completer
        self._trace = trace
        self._depth = depth
        self._rejected: set[str] = set()

    @property
    def prompts(self) -> Prompts:
        """The prompts of the workflow, by step."""
        return self._context.prompts

    @property
    def settings(self) -> Mapping[str, Json]:
        """The workflow's own settings: its prompts file's table [workflow], under that of the
        settings file.
        """
        return self._context.settings

    @property
    def spans(self) -> tuple[Span, ...]:
        """The topic's calls that have ended, whichever step made them, in the order in which they
        were wanted.
        """
        return tuple(sorted(self._trace.spans, key=lambda span: (span.start_s, span.id)))

    async def complete(
        self,
        name: str,
        prompt: str | Sequence[Message],
        *,
        system: str | None = None,
        options: StepOptions | None = None,
        response_format: ResponseFormat | None = None,
        tools: Sequence[Tool] = (),
        stop: Sequence[str] = (),
        sample: int = 0,
        on_delta: OnDelta | None = None,
        accept: Gate | None = None,
        reasks: int = REASKS,
        again: Callable[[str], str] | None = None,
    ) -> Completion:
        """Ask the model; `name` is the step's name in traces and settings.

        `prompt` is the user's text, or a whole conversation; `system` goes before it. `sample`
        tells repeated draws of the same request apart.

        `accept` looks at the answer: what it returns is the completion's `value`, and where it
        raises ParseError the answer is rejected. Then the conversation goes on, with the answer and
        a word about what is wrong with it, up to `reasks` times; `again` makes that word from the
        error's text. `response_format` asks for JSON, or with a `JsonSchema` for JSON of that form,
        as strictly as the endpoint can be asked for it; then an answer in which `parse_json` finds
        no JSON is rejected before that, and without `accept` the JSON is the value. A rejected
        answer is paid for and kept, and answers in no later session.

        Raises Rejected if no answer was accepted, CompletionError if the call failed for good,
        TooManyCalls and TopicBudgetExceeded beyond the topic's bounds, CacheMiss in replay, and
        RunStopped when the run is ending, which a workflow must let pass.
        """
        there, chosen = self._context.addressee(name, options)
        request = self._request(
            name, prompt, system, there, chosen, response_format, tools, stop, sample
        )
        check = check_of(request, accept=accept, reasks=reasks, again=again)
        problems: list[str] = []
        while True:
            completion = await self._ask(
                name,
                request,
                endpoint=there.name,
                stream=chosen.stream is not False,
                on_delta=on_delta,
                check=check,
            )
            if check is None:
                return completion
            try:
                return replace(completion, value=check.value(completion))
            except ParseError as error:
                problems.append(str(error))
            await self._reject(
                completion, problems[-1], mark=completion.served.source == "endpoint"
            )
            following = check.following(request, completion, problems[-1])
            if following is None:
                raise Rejected(name, tuple(problems))
            request, check = following
            if on_delta is not None:
                on_delta(Delta(kind="restart"))

    async def reject(self, completion: Completion, reason: str) -> None:
        """Say that an answer of this topic is none, for a workflow that looks for itself instead of
        with `accept`.

        It is marked as rejected in the trace, the journal and the cache, and answers in no later
        session. This step may ask the very same again: that is asked anew, as often as its answers
        are rejected. Raises ValueError for a completion that is no answer to a call of this topic.
        """
        asked = {span.id: span.content for span in self._trace.spans}
        if asked.get(completion.span_id) != completion.content:
            raise ValueError(
                "reject takes a completion that `complete` has returned for this topic"
            )
        await self._reject(completion, reason, mark=True)

    async def reject_blamed(self, error: BaseException) -> None:
        """Reject the answers whose texts could not be read, where that ends the topic or a part of
        it.

        Without it the cache would answer with them for ever.
        """
        texts = blamed_texts(error)
        for span in self._trace.spans if texts else ():
            if span.content in texts and span.error is None and span.rejected is None:
                await self._note(span, self._trace.owners[span.id], str(error), mark=True)

    async def _reject(self, completion: Completion, reason: str, *, mark: bool) -> None:
        """Note the verdict on an answer at hand.

        One that was found, or shared, is another's to judge: without `mark` it stays as it is for
        whoever accepted it.
        """
        span = next(span for span in self._trace.spans if span.id == completion.span_id)
        await self._note(span, completion.owner, reason, mark=mark)

    async def _note(self, span: Span, owner: str, reason: str, *, mark: bool) -> None:
        """Note a verdict in the trace, and where verdicts are kept. `mark`: durably, so that later
        sessions know it.
        """
        self._trace.reject(span.id, reason)
        self._rejected.add(span.key)
        if self._context.rejections is None:
            return
        call = Call(run_id=span.run_id, topic_id=span.topic_id, span_id=span.id)
        try:
            await self._context.rejections.add(
                key=span.key, call=call, owner=owner, reason=reason, mark=mark
            )
        except (StorageError, CacheError) as error:
            self._trace.stop.set("storage", str(error))
            await self._trace.drained()
            raise

    async def _ask(
        self,
        name: str,
        request: Request,
        *,
        endpoint: str,
        stream: bool,
        on_delta: OnDelta | None,
        check: Check | None,
    ) -> Completion:
        """One call, which leaves its span."""
        self._refuse_beyond(1)
        self._trace.calls += 1
        span_id = self._trace.unique(f"{self.path}/{name}" if self.path else name)
        tracker = self._context.track(self.topic.id, span_id)
        call = Call(
            run_id=self._context.run_id,
            topic_id=self.topic.id,
            span_id=span_id,
            priority=self.topic.index,
            endpoint=endpoint,
            stream=stream,
            on_delta=on_delta,
            topic_ledger=self._trace.ledger,
            check=check,
            tracker=tracker,
        )
        started = now()
        self._trace.under_way += 1
        try:
            with logged_with(span_id=call.span_id):
                completion = await self._completer.complete(request, call)
        except (CompletionError, CacheMiss, TopicBudgetExceeded) as error:
            if isinstance(error, FatalError):
                stopped_by: HarnessError = RunStopped(str(error))
                stopped_by.__cause__ = error
            else:
                self._trace.add(self._asked(name, request, call, started).failed(error))
                raise
        except (StorageError, CacheError) as error:
            self._trace.stop.set("storage", str(error))
            stopped_by = error
        except RunStopped as error:
            stopped_by = error
        else:
            self._trace.add(
                self._asked(name, request, call, started).answered(completion),
                owner=completion.owner,
            )
            if completion.span_id == call.span_id:
                return completion
            return replace(completion, span_id=call.span_id)
        finally:
            tracker.ended()
            self._trace.ended()
        await self._trace.drained()
        raise stopped_by

    async def fan_out(
        self, name: str, items: Sequence[T], work: Callable[[Step, T], Awaitable[R]]
    ) -> tuple[Outcome[R], ...]:
        """Do `work` for all items at once, each with a step of its own; the outcomes are in the
        order of the items.

        A part that raises CompletionError, ParseError or TopicBudgetExceeded is Failed; anything
        else is raised, and cancels the other parts once no call of the topic is under way. How many
        calls are in flight is the limits' business. Raises TooManyCalls for more items than calls
        are left, and TooDeep.
        """
        self._refuse_beyond(len(items))
        self._refuse_deeper()
        outcomes: list[Outcome[R] | None] = [None] * len(items)
        broken: list[BaseException] = []

        async def part(index: int, item: T, group: anyio.abc.TaskGroup) -> None:
            step = self.child(f"{name}.{index + 1}")
            try:
                outcomes[index] = Ok(value=await work(step, item))
            except (CompletionError, ParseError, TopicBudgetExceeded) as error:
                await self.reject_blamed(error)
                outcomes[index] = Failed(error=failure_of(error, step=step.path))
            # What ends the program would else end the loop under all other topics.
            # It is raised again below.
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001
                broken.append(error)
                await self._trace.quiet()
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for index, item in enumerate(items):
                group.start_soon(part, index, item, group)
        if broken:
            raise broken[0]
        return tuple(outcome for outcome in outcomes if outcome is not None)

    def child(self, path: str) -> Step:
        """A step whose calls are grouped under this path. Raises TooDeep."""
        self._refuse_deeper()
        return Step(
            topic=self.topic,
            context=self._context,
            completer=self._completer,
            trace=self._trace,
            path=self._trace.unique(f"{self.path}/{path}" if self.path else path),
            depth=self._depth + 1,
        )

    def _refuse_deeper(self) -> None:
        """Raise TooDeep if no step may be made under this one."""
        bound = self._context.max_depth
        if self._depth >= bound:
            raise TooDeep(
                f"step {self.path!r} is {self._depth} steps deep and nothing may be nested deeper"
                f" than max_depth = {bound}; let the workflow go less deep, or raise it"
            )

    def _refuse_beyond(self, number: int) -> None:
        """Raise TooManyCalls if the topic may not make so many calls more."""
        wanted, bound = self._trace.calls + number, self._context.max_calls_per_topic
        if wanted > bound:
            raise TooManyCalls(
                f"this topic wants {wanted} calls and may make {bound}; ask for fewer parts, or"
                " raise max_calls"
            )

    def _request(
        self,
        name: str,
        prompt: str | Sequence[Message],
        system: str | None,
        there: Addressee,
        chosen: StepOptions,
        response_format: ResponseFormat | None,
        tools: Sequence[Tool],
        stop: Sequence[str],
        sample: int,
    ) -> Request:
        if chosen.model is None:
            if there.name:
                where = f"[steps.{name}] or [endpoints.{there.name}]"
            else:
                where = "the run's defaults"
            whose = f" for the endpoint {there.name}" if there.name else ""
            raise TypeError(f"step {name!r} has no model{whose}: {where} must name one")
        model, implied_thinking = there.known_model(chosen.model)
        turns: tuple[Message, ...]
        if isinstance(prompt, str):
            turns = (Message(role="user", content=prompt),)
        else:
            turns = tuple(prompt)
        if system is not None:
            turns = (Message(role="system", content=system), *turns)
        request = Request(
            endpoint=there.identity,
            model=model,
            messages=turns,
            max_tokens=chosen.max_tokens,
            thinking=chosen.thinking if chosen.thinking is not None else implied_thinking,
            effort=chosen.effort,
            temperature=chosen.temperature,
            top_p=chosen.top_p,
            response_format=response_format,
            tools=tuple(tools),
            stop=tuple(stop),
            seed=chosen.seed,
            logprobs=chosen.logprobs,
            service_tier=chosen.service_tier,
            presence_penalty=chosen.presence_penalty,
            frequency_penalty=chosen.frequency_penalty,
            extra_body=chosen.extra_body,
            form=there.form,
            sample=self.topic.sample * DRAWS_APART + sample,
        )
        while self._rejected and cache_key(request) in self._rejected:
            request = replace(request, sample=request.sample + REPEATS_APART)
        return request

    def _asked(self, name: str, request: Request, call: Call, started: float) -> Asked:
        return Asked(
            call=call,
            request=request,
            step=name,
            parent=self.path or None,
            start_s=started - self._context.origin_s,
            end_s=now() - self._context.origin_s,
        )
