"""What one topic may spend: reserved before it is sent like the run's money, and the end of that
topic only.
"""

from __future__ import annotations

import asyncio

import pytest
from fakes import (
    PRICING,
    Engine,
    FakeModel,
    a_request,
    a_reset,
    an_answer,
    gathered,
    one_after_another,
    topics,
)

from harness.domain.completion import Completion, Json, Usage
from harness.domain.failures import TopicBudgetExceeded
from harness.domain.policy import Budget, Limits, RetryPolicy
from harness.domain.run import Failed, Ok, Topic
from harness.domain.step_options import StepOptions
from harness.engine.step import Step
from harness.errors import BudgetExceeded, RunStopped
from harness.testing.virtual_time import VirtualClock

pytestmark = pytest.mark.harness_virtual_time

USED = Usage(input_tokens=10, output_tokens=90)
FEW = StepOptions(max_tokens=100)


def worst() -> int:
    """The worst case of one request of these tests, in tokens and in dollars."""
    return PRICING.at_most(a_request("0", max_tokens=100), VirtualClock().now()).tokens


async def asked(step: Step, number: int) -> Completion:
    return await step.complete("ask", f"{number}", options=FEW)


@pytest.mark.parametrize("in_flight", [1, 3, 50])
@pytest.mark.parametrize("unit", ["cost", "tokens"])
async def test_a_topic_never_passes_its_cap(in_flight: int, unit: str) -> None:
    cap = worst() + 450
    engine = Engine(
        model=FakeModel(latency_s=1.0, script=lambda request: an_answer(usage=USED)),
        limits=Limits(in_flight=in_flight, per_run=in_flight),
        topic_budget=Budget(cost=cap) if unit == "cost" else Budget(tokens=cap),
    )
    step, _ = engine.step()
    outcomes = await step.fan_out("part", range(40), asked)
    answered = [outcome for outcome in outcomes if isinstance(outcome, Ok)]
    refused = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    spent = await engine.cache.spent("run")
    assert spent.tokens == 100 * len(answered) == spent.cost <= cap
    assert len(answered) == 5
    assert {failure.type for failure in refused} == {"TopicBudgetExceeded"}
    assert "the topic's budget is reached: " in refused[0].message
    assert not engine.stop.is_set


async def test_a_topic_at_its_end_sends_nothing_more_not_even_what_would_fit() -> None:
    engine = Engine(model=FakeModel(), topic_budget=Budget(tokens=worst()))
    step, trace = engine.step()
    with pytest.raises(
        TopicBudgetExceeded, match=r"0 of .* tokens are used and the next call may take up to"
    ):
        await step.complete("large", "x", options=StepOptions(max_tokens=100_000))
    with pytest.raises(TopicBudgetExceeded):
        await asked(step, 1)
    assert engine.model.sent == []
    assert [(span.served.attempts, span.error and span.error.type) for span in trace.spans] == [
        (0, "TopicBudgetExceeded"),
        (0, "TopicBudgetExceeded"),
    ]


async def test_the_attempts_before_the_refusal_are_told() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: a_reset(billed="unknown")),
        topic_budget=Budget(tokens=2 * worst()),
    )
    step, trace = engine.step()
    with pytest.raises(TopicBudgetExceeded):
        await asked(step, 1)
    assert len(engine.model.sent) == 2  # whose payment is unknown: each counts as spent
    assert [failure.kind for failure in trace.spans[0].served.failures] == [
        "connection",
        "connection",
    ]


async def test_one_topic_fails_and_the_others_go_on() -> None:
    engine = Engine(
        model=FakeModel(latency_s=1.0, script=lambda request: an_answer(usage=USED)),
        topic_budget=Budget(cost=worst() + 250),
    )

    async def workflow(step: Step, topic: Topic) -> Json:
        for number in range(9 if topic.id == "t1" else 3):
            await step.complete("ask", f"{topic.id} {number}", options=FEW)
        return "done"

    await engine.runner(workflow).run(topics(3))
    rows = engine.results.by_topic
    assert {name: row.status for name, row in rows.items()} == {
        "t0": "ok",
        "t1": "failed",
        "t2": "ok",
    }
    error = rows["t1"].error
    assert error is not None
    assert error.type == "TopicBudgetExceeded"
    assert "$300.00 of " in error.message
    assert rows["t1"].calls == 4


async def test_who_waits_for_the_topics_money_goes_on_when_some_comes_back() -> None:
    engine = Engine(
        model=FakeModel(
            latency_s=1.0, script=lambda request: an_answer(usage=Usage(input_tokens=1))
        ),
        topic_budget=Budget(tokens=worst() + 10),
        limits=Limits(per_run=9),
    )
    step, _ = engine.step()
    outcomes = await step.fan_out("part", range(4), asked)
    assert all(isinstance(outcome, Ok) for outcome in outcomes)
    assert engine.model.peak == 1


async def test_the_end_of_the_run_reaches_those_who_wait_for_the_topics_money() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), topic_budget=Budget(tokens=worst() + 10))
    step, _ = engine.step()
    asyncio.get_running_loop().call_later(1.0, engine.stop.set, "interrupted", "a test")
    ends = await gathered(*(asked(step, number) for number in range(3)))
    assert [type(end) for end in ends] == [Completion, RunStopped, RunStopped]


async def test_the_run_sends_so_many_requests_and_no_more() -> None:
    engine = Engine(
        model=FakeModel(script=one_after_another(a_reset(), an_answer())),
        retry=RetryPolicy(attempts=2),
        budget=Budget(calls=3),
    )
    step, _ = engine.step()
    await asked(step, 0)
    await asked(step, 1)
    with pytest.raises(BudgetExceeded, match="3 of 3 requests are sent"):
        await asked(step, 2)
    assert len(engine.model.sent) == 3
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "budget"


async def test_a_request_that_never_left_does_not_count() -> None:
    engine = Engine(
        model=FakeModel(latency_s=3.0), limits=Limits(in_flight=1), budget=Budget(calls=5)
    )
    step, _ = engine.step()
    asyncio.get_running_loop().call_later(1.0, engine.stop.set, "interrupted", "a test")
    await gathered(*(asked(step, number) for number in range(3)))
    assert (engine.ledger.calls, engine.ledger.reservations) == (1, 0)
