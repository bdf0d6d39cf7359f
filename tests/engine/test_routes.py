"""Several endpoints in one run: what each has for itself, and what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest
from fakes import (
    Engine,
    FakeModel,
    ListResults,
    a_refusal,
    a_request,
    a_reset,
    accounted_s,
    an_answer,
    at_most,
    gathered,
    topics,
)

from harness.domain.call import Call
from harness.domain.completion import Completion
from harness.domain.failures import FatalError, PermanentError
from harness.domain.policy import Budget, Limits, OutagePolicy
from harness.domain.run import Topic
from harness.domain.step_options import StepOptions
from harness.engine.step import Addressee, RunContext, Step
from harness.engine.trace import Trace
from harness.errors import FailureKind, RunStopped

pytestmark = pytest.mark.harness_virtual_time

HOUR_S = 3600.0
WAITING = OutagePolicy()
LOCAL = StepOptions(endpoint="local")


def away(from_s: float, until_s: float, *, error: Callable[[], Exception] = a_reset) -> FakeModel:
    """A model that does not answer between these two times."""

    def refuse(model: FakeModel) -> Exception | None:
        return error() if from_s <= anyio.current_time() < until_s else None

    return FakeModel(refuse=refuse)


def call(topic: int, span: str, endpoint: str = "") -> Call:
    return Call(run_id="run", topic_id=f"t{topic}", span_id=span, priority=topic, endpoint=endpoint)


def ask(
    engine: Engine, number: int, endpoint: str = "", *, max_tokens: int = 1000
) -> asyncio.Task[Completion]:
    request = a_request(f"{endpoint} {number}", endpoint=endpoint or "own", max_tokens=max_tokens)
    return asyncio.ensure_future(
        engine.completer.complete(request, call(number, f"s{endpoint}", endpoint))
    )


async def test_an_outage_of_an_hour_leaves_the_calls_to_the_other_endpoint_alone() -> None:
    local, own = away(0.0, HOUR_S), FakeModel(latency_s=10.0)
    engine = Engine(model=own, others={"local": local}, outages=WAITING, limits=Limits(in_flight=8))

    stuck = [ask(engine, number, "local") for number in range(20)]
    await gathered(*(ask(engine, number) for number in range(40)))
    own_took_s = anyio.current_time()
    await gathered(*stuck)

    # Forty calls of ten seconds, and of eight places two at least are kept for the other: seven
    # rounds of six, and in the first the other's own calls had not failed yet.
    assert own_took_s <= 80.0
    assert own.finished == 40
    assert local.finished == 20
    assert anyio.current_time() >= HOUR_S
    assert engine.stop.cause is None
    assert [len(route.limiter.provider.outages) for route in engine.routes.all] == [0, 1]


async def test_an_endpoint_that_hangs_does_not_take_all_places_of_the_run() -> None:
    hangs, own = FakeModel(latency_s=HOUR_S), FakeModel(latency_s=1.0)
    engine = Engine(model=own, others={"local": hangs}, limits=Limits(in_flight=8))

    stuck = [ask(engine, number, "local") for number in range(20)]
    await asyncio.sleep(1.0)
    await gathered(*(ask(engine, number) for number in range(10)))

    assert hangs.in_flight == 6  # a quarter of eight is kept for the other
    assert anyio.current_time() == 6.0  # ten calls of a second, two at a time
    await gathered(*stuck)


async def test_the_calls_in_flight_are_the_runs_at_all_endpoints_together() -> None:
    seen: list[int] = []

    def watch(model: FakeModel) -> None:
        seen.append(own.in_flight + local.in_flight + 1)

    own, local = FakeModel(refuse=watch), FakeModel(refuse=watch)
    engine = Engine(model=own, others={"local": local}, limits=Limits(in_flight=4))

    await gathered(*(ask(engine, number, "local" if number % 2 else "") for number in range(40)))

    assert max(seen) == 4
    assert anyio.current_time() == 10.0


async def test_one_place_in_all_is_one_call_at_a_time_the_oldest_topic_first() -> None:
    own, local = FakeModel(), FakeModel()
    engine = Engine(model=own, others={"local": local}, limits=Limits(in_flight=1))

    await gathered(*(ask(engine, number, "local" if number % 2 else "") for number in range(6)))

    assert own.sent_at == [0.0, 2.0, 4.0]
    assert local.sent_at == [1.0, 3.0, 5.0]


async def test_an_endpoint_has_no_more_calls_in_flight_than_its_own_limit() -> None:
    own, local = FakeModel(), FakeModel()
    engine = Engine(
        model=own,
        others={"local": local},
        limits=Limits(in_flight=8),
        limits_of={"local": Limits(in_flight=1)},
    )

    await gathered(*(ask(engine, number, "local" if number % 2 else "") for number in range(20)))

    assert local.peak == 1
    assert own.peak >= 7  # only what the other could use is kept for it


async def test_a_window_that_one_endpoint_taught_is_not_the_others() -> None:
    local, own = FakeModel(latency_s=10.0, refuse=at_most(2)), FakeModel(latency_s=10.0)
    engine = Engine(model=own, others={"local": local}, limits=Limits(in_flight=16))

    await gathered(*(ask(engine, number, "local" if number % 2 else "") for number in range(24)))

    states = engine.routes.states()
    assert states["local"].refusals > 0
    assert states["local"].places <= 3
    assert states["own"].refusals == 0
    assert states["own"].places == 16
    assert own.peak == 12
    assert engine.routes.state().refusals == states["local"].refusals


async def test_a_pause_after_a_refusal_rests_one_endpoint_only() -> None:
    local, own = away(0.0, 1.0, error=lambda: a_refusal(retry_after_s=30.0)), FakeModel()
    engine = Engine(model=own, others={"local": local}, limits=Limits(in_flight=8))

    paused = ask(engine, 1, "local")
    await gathered(*(ask(engine, number) for number in range(2, 8)))

    assert anyio.current_time() == 1.0
    assert engine.routes.states()["local"].paused_s > 25.0
    assert engine.routes.states()["own"].paused_s == 0.0
    assert engine.routes.state().paused_s == 0.0
    assert not engine.routes.is_paced
    await paused


async def test_a_pace_is_one_endpoints() -> None:
    local, own = FakeModel(), FakeModel()
    paced = {"local": Limits(in_flight=8, requests_per_minute=1)}
    engine = Engine(model=own, others={"local": local}, limits=Limits(in_flight=8), limits_of=paced)

    slow = [ask(engine, number, "local") for number in range(2)]
    await gathered(*(ask(engine, number) for number in range(6)))
    assert anyio.current_time() == 1.0
    await gathered(*slow)

    assert local.sent_at == [0.0, 60.0]


async def test_the_budget_is_one_for_all_endpoints() -> None:
    local, own = FakeModel(), FakeModel()
    engine = Engine(model=own, others={"local": local}, budget=Budget(calls=3))

    outcomes = await gathered(
        *(ask(engine, number, "local" if number % 2 else "") for number in range(6))
    )

    assert len(own.sent) + len(local.sent) == 3
    assert sum(isinstance(outcome, RunStopped) for outcome in outcomes) == 3
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "budget"


async def test_calls_that_wait_for_an_endpoint_hold_no_money_that_the_other_wants() -> None:
    # A dollar a token: each call may cost 1000 and some dollars, so no more than three can be paid
    # for at once.
    own, local = FakeModel(), away(10.0, HOUR_S)
    engine = Engine(
        model=own,
        others={"local": local},
        outages=WAITING,
        limits=Limits(in_flight=8),
        budget=Budget(cost=6000.0),
    )
    await asyncio.sleep(10.0)

    stuck = [ask(engine, number, "local") for number in range(12)]
    await asyncio.sleep(100.0)
    await gathered(*(ask(engine, number) for number in range(20, 24)))

    assert own.finished == 4
    assert anyio.current_time() <= 114.0
    assert local.finished == 0
    outcomes = await gathered(*stuck)
    assert all(isinstance(outcome, Completion) for outcome in outcomes)
    assert HOUR_S <= anyio.current_time() <= HOUR_S + 200
    assert sum(outcome.cost for outcome in outcomes) + 4 * 150 == engine.ledger.cost


async def test_those_who_wait_for_an_endpoint_that_is_away_lose_no_second_of_their_account() -> (
    None
):
    engine = Engine(model=FakeModel(), others={"local": away(0.0, 500.0)}, outages=WAITING)

    answers = await gathered(*(ask(engine, number, "local") for number in range(9)))

    assert all(
        accounted_s(answer.served) == pytest.approx(anyio.current_time(), abs=70.0)
        for answer in answers
    )
    assert all(answer.served.outage_s > 400.0 for answer in answers)
    assert all(answer.served.waited_s <= anyio.current_time() for answer in answers)


async def test_a_call_that_is_cancelled_while_it_waits_outside_leaves_its_turn_to_another() -> None:
    engine = Engine(
        model=FakeModel(),
        others={"local": away(0.0, 500.0)},
        outages=WAITING,
        limits=Limits(in_flight=1),
    )
    waiting = [ask(engine, number, "local") for number in range(4)]
    await asyncio.sleep(100.0)

    for one in waiting[:3]:
        one.cancel()
    await gathered(*waiting[:3])
    answer = await waiting[3]

    assert answer.content == "answer to local 3"
    assert anyio.current_time() <= 700.0


async def test_a_key_that_one_endpoint_refuses_ends_the_run_with_its_name() -> None:
    local = FakeModel(script=lambda request: FatalError("wrong key", kind="auth", status=401))
    engine = Engine(model=FakeModel(latency_s=5.0), others={"local": local})

    own, refused = ask(engine, 1), ask(engine, 2, "local")
    outcomes = await gathered(own, refused)

    assert engine.stop.cause is not None
    assert (engine.stop.cause.kind, engine.stop.cause.message) == ("auth", "local: wrong key")
    assert isinstance(outcomes[0], Completion)  # what is in flight elsewhere comes to its end
    assert isinstance(outcomes[1], FatalError)
    with pytest.raises(RunStopped):
        await ask(engine, 3)


async def test_the_same_refusal_again_and_again_ends_the_run_with_the_name_of_who_refuses() -> None:
    local = FakeModel(
        script=lambda request: PermanentError("no such field", kind="bad_request", status=400)
    )
    engine = Engine(model=FakeModel(), others={"local": local})

    await gathered(*(ask(engine, number, "local") for number in range(8)))

    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "refused"
    assert engine.stop.cause.message.startswith("local: the same refusal again and again")


@pytest.mark.parametrize("kind", ["quota", "balance"])
async def test_what_is_used_up_at_one_endpoint_ends_the_calls_to_it_and_no_others(
    kind: FailureKind, caplog: pytest.LogCaptureFixture
) -> None:
    local = FakeModel(
        script=lambda request: FatalError("nothing left today", kind=kind, status=429)
    )
    own = FakeModel()
    engine = Engine(model=own, others={"local": local}, results=ListResults())

    async def workflow(step: Step, topic: Topic) -> str:
        if topic.index % 2:
            await step.complete("decompose", topic.text, options=LOCAL)
        return (await step.complete("write", topic.text)).content

    with caplog.at_level(logging.WARNING, logger="harness.limit"):
        progress = await engine.runner(workflow).run(topics(10))

    assert progress.topics["ok"] == 5
    assert progress.unfinished == 5
    assert own.finished == 5
    assert engine.stop.cause is None
    assert engine.routes.closed is not None
    assert (engine.routes.closed.kind, engine.routes.closed.message) == (
        kind,
        "local: nothing left today",
    )
    assert "local: nothing left today – the calls to other endpoints go on" in caplog.text


async def test_the_run_ends_when_no_endpoint_is_left() -> None:
    def used_up() -> FakeModel:
        return FakeModel(script=lambda request: FatalError("no quota", kind="quota"))

    engine = Engine(model=used_up(), others={"local": used_up()})

    await gathered(ask(engine, 1), ask(engine, 2, "local"))

    assert engine.stop.cause is not None
    assert (engine.stop.cause.kind, engine.stop.cause.message) == (
        "quota",
        "own: no quota; local: no quota",
    )


async def test_an_outage_beyond_the_patience_ends_the_calls_to_its_endpoint_and_no_others() -> None:
    patience = OutagePolicy(patience_s=60.0)
    engine = Engine(model=FakeModel(), others={"local": away(0.0, HOUR_S)}, outages=patience)

    outcomes = await gathered(*(ask(engine, number, "local") for number in range(3)))
    after = await ask(engine, 9)

    assert all(isinstance(outcome, RunStopped) for outcome in outcomes)
    assert after.content == "answer to  9"
    assert engine.stop.cause is None
    assert engine.routes.closed is not None
    assert engine.routes.closed.message.startswith("local: local has been away for")


async def test_the_end_of_the_run_is_that_of_all_its_endpoints() -> None:
    engine = Engine(
        model=FakeModel(), others={"local": FakeModel(latency_s=HOUR_S)}, limits=Limits(in_flight=4)
    )
    waiting = [ask(engine, number, "local") for number in range(9)]
    await asyncio.sleep(1.0)

    engine.stop.set("interrupted", "Ctrl-C")
    outcomes = await gathered(*waiting)

    assert sum(isinstance(outcome, RunStopped) for outcome in outcomes) == 6
    assert sum(isinstance(outcome, Completion) for outcome in outcomes) == 3
    engine.routes.all[1].stop.set("quota", "too late to matter")
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "interrupted"


async def test_a_topic_whose_calls_are_stuck_at_one_endpoint_goes_on_at_the_other() -> None:
    engine = Engine(
        model=FakeModel(),
        others={"local": away(0.0, HOUR_S)},
        outages=WAITING,
        limits=Limits(in_flight=8, per_run=2),
        results=ListResults(),
    )
    written_at: list[float] = []

    async def workflow(step: Step, topic: Topic) -> str:
        async def part(inner: Step, number: int) -> None:
            options = LOCAL if number < 4 else None
            await inner.complete("ask", f"{number}", options=options)
            if number >= 4:
                written_at.append(anyio.current_time())

        await step.fan_out("parts", range(8), part)
        return "done"

    await engine.runner(workflow).run(topics(1))

    assert written_at == [1.0, 1.0, 2.0, 2.0]
    assert anyio.current_time() >= HOUR_S


async def test_what_each_endpoint_had_in_flight_is_told_together() -> None:
    engine = Engine(model=FakeModel(), others={"local": FakeModel()}, limits=Limits(in_flight=8))

    calls = [ask(engine, number, "local" if number % 2 else "") for number in range(8)]
    await asyncio.sleep(0.5)

    state = engine.routes.state()
    assert (state.in_flight, state.waiting, state.places, state.maximum) == (8, 0, 8, 8)
    assert engine.routes.in_flight == 8
    assert list(engine.routes.history().since(0.0)) == [(0.0, 8)]
    assert not engine.routes.is_down
    assert not engine.routes.is_certainly_down
    assert engine.routes.closed is None
    assert engine.routes.down_until(0.5) == 0.0
    await gathered(*calls)


async def test_spans_name_the_endpoint_that_is_not_the_runs_own() -> None:
    engine = Engine(model=FakeModel(), others={"local": FakeModel()}, results=ListResults())

    async def workflow(step: Step, topic: Topic) -> str:
        await step.complete("decompose", "a", options=LOCAL)
        return (await step.complete("write", "b")).content

    await engine.runner(workflow).run(topics(1))

    assert [(span.step, span.endpoint, span.request.endpoint) for span in engine.results.spans] == [
        ("decompose", "local", "local"),
        ("write", None, "mock"),
    ]


async def test_the_same_question_to_another_endpoint_is_another_request() -> None:
    own, local = FakeModel(), FakeModel(script=lambda request: an_answer("from local"))
    engine = Engine(model=own, others={"local": local})
    step, _ = engine.step()

    first = await step.complete("a", "why?")
    second = await step.complete("a", "why?", options=LOCAL)
    again = await step.complete("a", "why?", options=LOCAL)

    assert (first.content, second.content, again.content) == (
        "answer to why?",
        "from local",
        "from local",
    )
    assert again.served.source == "cache"


async def test_a_run_that_knows_no_other_endpoint_says_so() -> None:
    engine = Engine(model=FakeModel())
    trace = Trace(on_span=lambda span: None, stop=engine.stop)
    context = RunContext(
        run_id="run", endpoint="mock", workflow="test", defaults=StepOptions(model="m")
    )
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )

    with pytest.raises(
        TypeError, match="step 'a' asks the endpoint 'local', and the run knows no other"
    ):
        await step.complete("a", "why?", options=LOCAL)


async def test_a_step_without_a_model_for_its_endpoint_says_where_to_name_one() -> None:
    engine = Engine(model=FakeModel())
    trace = Trace(on_span=lambda span: None, stop=engine.stop)

    def elsewhere(step: str, name: str) -> Addressee:
        return Addressee(name=name, identity="http://h/v1", defaults=StepOptions(endpoint=name))

    context = RunContext(
        run_id="run",
        endpoint="mock",
        workflow="test",
        defaults=StepOptions(model="m"),
        elsewhere=elsewhere,
    )
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )

    said = (
        r"step 'a' has no model for the endpoint local: \[steps.a\] or \[endpoints.local\] must"
        r" name one"
    )
    with pytest.raises(TypeError, match=said):
        await step.complete("a", "why?", options=LOCAL)


async def test_a_table_of_a_step_rules_over_the_endpoint_of_its_code() -> None:
    own, local = FakeModel(), FakeModel()
    engine = Engine(model=own, others={"local": local})
    defaults = StepOptions(endpoint="own", model="m")
    context = replace(
        engine.context(),
        defaults=defaults,
        overrides={"a": LOCAL, "b": StepOptions(endpoint="own", effort="low")},
    )
    trace = Trace(on_span=lambda span: None, stop=engine.stop)
    step = Step(
        topic=Topic(id="t", text="t"), context=context, completer=engine.completer, trace=trace
    )

    await step.complete("a", "one", options=StepOptions(model="code's"))
    await step.complete("b", "two", options=StepOptions(endpoint="local", model="tiny"))
    await step.complete("c", "three", options=StepOptions(model="code's"))

    assert [request.model for request in local.sent] == [
        "m"
    ]  # a model of the run's own endpoint is none there
    assert [(request.model, request.effort) for request in own.sent] == [
        ("m", "low"),
        ("code's", None),
    ]
