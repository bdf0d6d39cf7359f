from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakes import Engine, FakeModel, a_reset, an_answer, gathered, one_after_another

from harness.domain.completion import Message, Tool, Usage
from harness.domain.failures import CacheMiss, FatalError, PermanentError, TransientError
from harness.domain.policy import Limits, RetryPolicy
from harness.domain.prompts import Prompt, Prompts
from harness.domain.run import Failed, Ok, Topic
from harness.domain.step_options import StepOptions
from harness.engine.step import Step
from harness.engine.trace import Trace
from harness.errors import ParseError, RunStopped, TooDeep, TooManyCalls

pytestmark = pytest.mark.harness_virtual_time


async def test_a_call_asks_what_the_step_says_and_leaves_a_span() -> None:
    engine = Engine(
        model=FakeModel(
            latency_s=2.0, script=lambda r: an_answer("42", reasoning="hm", fingerprint="fp")
        )
    )
    step, trace = engine.step("moon", index=3)
    await asyncio.sleep(1.0)
    answer = await step.complete(
        "ask",
        "why?",
        system="Be brief.",
        options=StepOptions(temperature=0.5, stream=False),
        response_format="text",
        tools=[Tool(name="look")],
        stop=["END"],
        sample=2,
    )
    assert answer.content == "42"
    (request,), (call,) = engine.model.sent, engine.model.calls
    assert request.messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="why?"),
    )
    assert (request.model, request.max_tokens, request.temperature, request.sample) == (
        "m",
        1000,
        0.5,
        2,
    )
    assert (request.response_format, request.tools, request.stop) == (
        "text",
        (Tool(name="look"),),
        ("END",),
    )
    assert (call.owner, call.priority, call.stream) == ("run/moon/ask", 3, False)
    (span,) = trace.spans
    assert (span.id, span.parent, span.step, span.start_s, span.end_s) == (
        "ask",
        None,
        "ask",
        1.0,
        3.0,
    )
    assert (span.content, span.reasoning, span.fingerprint, span.error) == ("42", "hm", "fp", None)
    assert (span.cost, span.saved, span.own_s) == (150.0, 0.0, 2.0)


async def test_a_conversation_goes_as_it_is() -> None:
    engine = Engine(model=FakeModel())
    step, _ = engine.step()
    turns = [
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    ]
    await step.complete("ask", turns)
    assert engine.model.sent[0].messages == tuple(turns)
    assert engine.model.calls[0].stream


async def test_the_users_overrides_rule_over_the_step_and_the_step_over_the_defaults() -> None:
    engine = Engine(model=FakeModel())
    context = replace(
        engine.context(),
        defaults=StepOptions(model="m", max_tokens=1, temperature=1.0, effort="low"),
        overrides={"ask": StepOptions(max_tokens=3)},
        known_model=lambda name: (f"new-{name}", True),
    )
    trace = Trace(on_span=lambda span: None)
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )
    await step.complete("ask", "why?", options=StepOptions(max_tokens=2, temperature=0.2))
    (request,) = engine.model.sent
    assert (request.max_tokens, request.temperature, request.effort) == (3, 0.2, "low")
    assert (request.model, request.thinking) == ("new-m", True)
    await step.complete("ask", "why?", options=StepOptions(thinking=False))
    assert engine.model.sent[1].thinking is False


async def test_a_step_without_a_model_is_a_mistake_of_the_caller() -> None:
    engine = Engine(model=FakeModel())
    context = replace(engine.context(), defaults=StepOptions())
    trace = Trace(on_span=lambda span: None)
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )
    with pytest.raises(TypeError, match="'ask' has no model"):
        await step.complete("ask", "why?")


async def test_names_used_again_are_numbered_and_never_clash() -> None:
    engine = Engine(model=FakeModel())
    step, trace = engine.step()
    for name in ("ask", "ask", "ask#2", "ask", "ask#2"):
        await step.complete(name, name)
    await step.child("part").complete("ask", "x")
    await step.child("part").complete("ask", "y")
    assert [span.id for span in trace.spans] == [
        "ask", "ask#2", "ask#2#2", "ask#3", "ask#2#3", "part/ask", "part#2/ask"
    ]  # fmt: skip
    assert len({span.id for span in trace.spans}) == len(trace.spans)
    assert [span.parent for span in trace.spans][-2:] == ["part", "part#2"]


async def test_a_failed_call_leaves_a_span_with_what_had_arrived() -> None:
    half = an_answer(
        "half", usage=Usage(input_tokens=5), reasoning="hm", finish_reason="length", trace_id="x1"
    )
    engine = Engine(model=FakeModel(latency_s=2.0, script=one_after_another(a_reset(), half)))
    step, trace = engine.step()
    with pytest.raises(PermanentError):
        await step.complete("ask", "why?")
    (span,) = trace.spans
    assert (span.content, span.reasoning, span.finish_reason, span.trace_id) == (
        "half",
        "hm",
        "length",
        "x1",
    )
    assert (span.usage, span.cost, span.saved) == (Usage(input_tokens=5), 5.0, 0.0)
    assert span.error is not None
    assert (span.error.type, span.error.kind, span.error.step) == (
        "PermanentError",
        "length",
        "ask",
    )
    assert span.own_s == pytest.approx(4.0)


async def test_a_miss_in_replay_leaves_a_span() -> None:
    engine = Engine(model=FakeModel(), mode="replay")
    step, trace = engine.step()
    with pytest.raises(CacheMiss):
        await step.complete("ask", "why?")
    (span,) = trace.spans
    assert span.error is not None
    assert (span.error.type, span.served.source, span.served.attempts, span.cost) == (
        "CacheMiss",
        "replay",
        0,
        0,
    )


async def test_a_hit_says_what_it_saved_and_who_paid() -> None:
    engine = Engine(model=FakeModel())
    first, _ = engine.step("one")
    other, others_trace = engine.step("two")
    await first.complete("ask", "why?")
    await other.complete("ask", "why?")
    assert (others_trace.spans[0].cost, others_trace.spans[0].saved) == (0.0, 150.0)
    # The same call of the same topic again, as after a crash: this run has paid for it.
    resumed, trace = engine.step("one")
    await resumed.complete("ask", "why?")
    assert (trace.spans[0].cost, trace.spans[0].saved, trace.spans[0].served.source) == (
        150.0,
        0.0,
        "cache",
    )


async def test_an_attempt_whose_payment_nobody_knows_leaves_the_known_cost_and_stands_in_the_journal() -> (
    None
):
    engine = Engine(
        model=FakeModel(script=one_after_another(a_reset(billed="unknown"), an_answer()))
    )
    step, trace = engine.step()
    completion = await step.complete("ask", "why?")
    assert trace.spans[0].cost == completion.cost is not None
    assert trace.spans[0].served.failures[0].cost is None
    assert (await engine.cache.spent("run")).cost_at_risk > 0


async def test_an_answer_without_a_known_price_makes_the_cost_unknown() -> None:
    engine = Engine(model=FakeModel())
    step, trace = engine.step()
    await step.complete("ask", "why?", options=StepOptions(model="a-model-without-a-price"))
    assert trace.spans[0].cost is None


async def test_a_topic_may_make_so_many_calls_and_no_more() -> None:
    engine = Engine(model=FakeModel(), limits=Limits(max_calls_per_topic=3))
    step, _ = engine.step()

    async def part(step: Step, number: int) -> str:
        return (await step.complete("ask", f"{number}")).content

    with pytest.raises(TooManyCalls, match="wants 10000 calls and may make 3"):
        await step.fan_out("part", range(10_000), part)
    assert engine.model.sent == []
    await step.fan_out("part", range(3), part)
    with pytest.raises(TooManyCalls, match="wants 4 calls"):
        await step.complete("ask", "one more")
    assert len(engine.model.sent) == 3


async def test_steps_may_be_nested_so_deep_and_no_deeper() -> None:
    engine = Engine(model=FakeModel(), limits=Limits(max_depth=3))
    step, _ = engine.step()

    async def deeper(step: Step, number: int) -> int:
        await step.complete("ask", f"{number}")
        await step.fan_out("part", [number + 1], deeper)
        return number

    with pytest.raises(TooDeep, match="max_depth = 3"):
        await step.fan_out("part", [1], deeper)
    assert [call.span_id.count("part") for call in engine.model.calls] == [1, 2, 3]
    with pytest.raises(TooDeep, match="'a/b/c' is 3 steps deep"):
        step.child("a").child("b").child("c").child("d")


async def test_a_fan_out_gives_the_outcomes_in_the_order_of_the_items() -> None:
    engine = Engine(
        model=FakeModel(
            latency_s=lambda request: 5.0 - int(request.messages[0].content),
            script=lambda request: a_reset() if request.messages[0].content == "1" else an_answer(),
        ),
        retry=RetryPolicy(attempts=1),
    )
    step, trace = engine.step()

    async def part(step: Step, number: int) -> int:
        await step.complete("ask", f"{number}")
        if number == 3:
            raise ParseError("no list in it")
        return number

    outcomes = await step.fan_out("part", range(5), part)
    assert [type(outcome) for outcome in outcomes] == [Ok, Failed, Ok, Failed, Ok]
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Ok)] == [0, 2, 4]
    failures = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert [(failure.type, failure.step) for failure in failures] == [
        ("TransientError", "part.2"),
        ("ParseError", "part.4"),
    ]
    assert {span.id for span in trace.spans} == {f"part.{number}/ask" for number in range(1, 6)}
    assert asyncio.get_running_loop().time() == 5.0


async def test_a_fan_out_over_nothing_is_nothing() -> None:
    step, _ = Engine(model=FakeModel()).step()

    async def part(step: Step, number: int) -> int:
        return number

    assert await step.fan_out("part", [], part) == ()


async def test_a_bug_in_a_part_ends_the_fan_out_and_comes_out_bare() -> None:
    step, _ = Engine(model=FakeModel(latency_s=10.0)).step()

    async def part(step: Step, number: int) -> None:
        if number == 1:
            await asyncio.sleep(2.0)
            raise KeyError("a bug")
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        await step.fan_out("part", range(3), part)
    assert asyncio.get_running_loop().time() == 2.0


async def test_calls_under_way_are_paid_for_so_a_bug_in_another_part_lets_them_come_to_their_end() -> (
    None
):
    engine = Engine(model=FakeModel(latency_s=10.0))
    step, trace = engine.step()

    async def part(step: Step, number: int) -> None:
        if number == 1:
            await asyncio.sleep(2.0)
            raise KeyError("a bug")
        await step.complete("ask", f"{number}")
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        await step.fan_out("part", range(3), part)
    assert asyncio.get_running_loop().time() == 10.0
    assert [span.id for span in trace.spans] == ["part.1/ask", "part.3/ask"]
    assert not trace.stopped


async def test_a_fan_out_that_is_cancelled_is_cancelled() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0))
    step, trace = engine.step()

    async def part(step: Step, number: int) -> None:
        await step.complete("ask", f"{number}")

    task = asyncio.create_task(step.fan_out("part", range(3), part))
    await asyncio.sleep(1.0)
    task.cancel()
    assert [type(end) for end in await gathered(task)] == [asyncio.CancelledError]
    assert trace.spans == []


@pytest.mark.parametrize("by", ["RunStopped", "FatalError"])
async def test_the_end_of_the_run_comes_out_of_a_fan_out_as_itself(by: str) -> None:
    fatal = FatalError("wrong key", kind="auth", status=401)
    engine = Engine(
        model=FakeModel(script=lambda request: fatal if by == "FatalError" else a_reset())
    )
    step, trace = engine.step()

    async def part(step: Step, number: int) -> None:
        await step.complete("ask", f"{number}")

    if by == "RunStopped":
        asyncio.get_running_loop().call_later(0.5, engine.stop.set, "interrupted", "Ctrl-C")
    with pytest.raises(RunStopped):
        await step.fan_out("part", range(3), part)
    assert trace.stopped
    assert not any(isinstance(span.error, TransientError) for span in trace.spans)


async def test_nested_fan_out_cannot_deadlock_on_one_place() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(in_flight=1, per_run=1))
    step, _ = engine.step()

    async def leaf(step: Step, number: int) -> str:
        return (await step.complete("leaf", f"{step.path}")).content

    async def branch(step: Step, number: int) -> int:
        await step.complete("branch", f"{number}")
        return len(await step.fan_out("leaf", range(3), leaf))

    outcomes = await step.fan_out("branch", range(3), branch)
    assert outcomes == (Ok(value=3),) * 3
    assert asyncio.get_running_loop().time() == 12.0


async def test_a_workflow_finds_its_prompts_and_settings_on_its_step() -> None:
    engine = Engine(model=FakeModel())
    prompts = Prompts(prompts={"ask": Prompt(name="ask", user="Why is $topic so?")})
    context = replace(engine.context(), prompts=prompts, settings={"questions": 3})
    trace = Trace(on_span=lambda span: None)
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )
    assert step.child("part").prompts is prompts
    assert step.settings == {"questions": 3}


async def test_a_step_tells_the_calls_that_have_ended_in_the_order_in_which_they_were_wanted() -> (
    None
):
    engine = Engine(model=FakeModel(script=lambda request: an_answer(request.messages[-1].content)))
    step, _ = engine.step()
    assert list(step.spans) == []

    async def slower_first(part: Step, seconds: int) -> None:
        await asyncio.sleep(seconds)
        await part.complete("ask", str(seconds))

    await step.fan_out("part", [3, 1, 2], slower_first)
    await step.complete("end", "4")

    assert [span.content for span in step.spans] == ["1", "2", "3", "4"]
    assert step.child("later").spans == step.spans


async def test_a_workflow_may_name_each_call_as_it_likes_and_is_asked_as_the_run_says() -> None:
    context = Engine(model=FakeModel()).context()
    # More names than a run has steps, as of a workflow that names them by its topics.
    for number in range(1100):
        _, options = context.addressee(f"topic-{number}", None)
        assert options == context.addressee("ask", None)[1]
