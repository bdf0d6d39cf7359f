"""Every second of a call is told, by its cause, and the seconds add up to the time from asking to
having.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from fakes import (
    Engine,
    FakeModel,
    Outcome,
    SlowCache,
    a_call,
    a_refusal,
    a_request,
    a_reset,
    accounted_s,
    an_answer,
    at_most,
    gathered,
    one_after_another,
    topics,
)

from harness.domain.completion import Completion, Served
from harness.domain.failures import CompletionError, PermanentError
from harness.domain.policy import Budget, Limits, RetryPolicy
from harness.domain.run import Ok, Topic
from harness.engine.limiter import Limiter
from harness.engine.step import Step
from harness.engine.stopping import Stop

pytestmark = pytest.mark.harness_virtual_time


def slow_cache() -> SlowCache:
    return SlowCache(look_s=0.003, claim_s=0.002, open_s=0.005, resolve_s=0.007)


async def told(
    engine: Engine, text: str, **call: object
) -> tuple[Completion | CompletionError, float]:
    """What came back, and the seconds that it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        return await engine.completer.complete(
            a_request(text, max_tokens=1000), a_call(**call)
        ), loop.time() - started
    except CompletionError as error:
        return error, loop.time() - started


async def test_a_wait_for_the_topics_own_place_is_told() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(in_flight=9, per_run=1))
    answers = await gathered(*(told(engine, f"{i}", topic_id="t") for i in range(3)))
    assert [answer.served.queued_run_s for answer, _ in answers] == [0.0, 1.0, 2.0]
    assert [answer.served.queued_s for answer, _ in answers] == [0.0, 0.0, 0.0]


async def test_a_wait_for_a_place_among_all_is_told() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(in_flight=1, per_run=9))
    answers = await gathered(*(told(engine, f"{i}", topic_id=f"t{i}") for i in range(3)))
    assert [answer.served.queued_s for answer, _ in answers] == [0.0, 1.0, 2.0]
    assert [answer.served.queued_run_s for answer, _ in answers] == [0.0, 0.0, 0.0]


async def test_a_wait_for_the_pace_is_told() -> None:
    engine = Engine(
        model=FakeModel(latency_s=1.5),
        limits=Limits(in_flight=2, per_run=9, requests_per_minute=60),
    )
    answers = await gathered(*(told(engine, f"{i}") for i in range(3)))
    # The third finds no place until 1.5, but the pace would not have let it go before 2.0.
    assert [answer.served.paced_s for answer, _ in answers] == pytest.approx([0.0, 1.0, 2.0])
    assert [answer.served.queued_s for answer, _ in answers] == pytest.approx([0.0, 0.0, 0.0])


async def test_a_wait_is_split_between_its_causes() -> None:
    engine = Engine(
        model=FakeModel(latency_s=5.0),
        limits=Limits(in_flight=1, per_run=9, requests_per_minute=60),
    )
    answers = await gathered(*(told(engine, f"{i}") for i in range(2)))
    assert answers[1][0].served.paced_s == pytest.approx(1.0)
    assert answers[1][0].served.queued_s == pytest.approx(4.0)


async def test_a_wait_for_the_cache_is_told() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), cache=slow_cache())
    answer, took = await told(engine, "a")
    assert answer.served is not None
    assert answer.served.stored_s == pytest.approx(0.003 + 0.002 + 0.005 + 0.007)
    assert took == pytest.approx(1.017)


async def test_a_hit_is_told_as_its_look_up() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), cache=slow_cache())
    await told(engine, "a")
    hit, took = await told(engine, "a")
    assert took == pytest.approx(0.003)
    assert hit.served == Served(source="cache", attempts=0, latency_s=took)


async def test_a_wait_for_money_is_told() -> None:
    engine = Engine(model=FakeModel(latency_s=2.0), budget=Budget(tokens=1500))
    first, second = await gathered(told(engine, "a"), told(engine, "b"))
    assert first[0].served.budget_s == 0.0
    assert second[0].served.budget_s == 2.0


async def test_failed_attempts_and_backoff_are_told() -> None:
    script = one_after_another(a_reset(), a_refusal(retry_after_s=4.0), an_answer())
    engine = Engine(model=FakeModel(latency_s=1.0, script=script), cache=slow_cache())
    answer, took = await told(engine, "a")
    assert isinstance(answer, Completion)
    served = answer.served
    assert served.attempts == 3
    assert [failure.kind for failure in served.failures] == ["connection", "rate_limited"]
    assert [failure.elapsed_s for failure in served.failures] == pytest.approx([1.0, 1.0])
    assert 4.0 <= served.failures[1].backoff_s <= 4.4
    assert [failure.stored_s for failure in served.failures] == pytest.approx([0.005 + 0.007] * 2)
    assert served.stored_s == pytest.approx(0.003 + 0.002 + 3 * (0.005 + 0.007))
    assert accounted_s(served) == pytest.approx(took, abs=1e-9)


async def test_a_failed_attempt_is_told_with_its_own_waits() -> None:
    model = FakeModel(latency_s=1.0, script=one_after_another(an_answer(), a_reset(), an_answer()))
    engine = Engine(model=model, limits=Limits(in_flight=1, per_run=9))
    _, (second, _) = await gathered(told(engine, "a"), told(engine, "b"))
    (failure,) = second.served.failures
    assert (failure.queued_s, failure.elapsed_s) == pytest.approx((1.0, 1.0))
    assert second.served.queued_s == pytest.approx(1.0)


async def test_one_who_shares_an_answer_is_told_as_waiting_for_it() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), cache=slow_cache())
    first = asyncio.create_task(told(engine, "a"))
    await asyncio.sleep(0.25)
    shared, took = await told(engine, "a")
    await first
    assert shared.served is not None
    assert shared.served.source == "shared"
    assert shared.served.latency_s == pytest.approx(1.0 + 0.017 - 0.25)
    assert accounted_s(shared.served) == pytest.approx(took, abs=1e-9)


async def test_one_who_takes_over_tells_its_wait_for_the_other() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), cache=slow_cache())
    leader = asyncio.create_task(told(engine, "a"))
    await asyncio.sleep(0)
    follower = asyncio.create_task(told(engine, "a"))
    await asyncio.sleep(0.5)
    leader.cancel()
    answer, took = await follower
    assert answer.served is not None
    assert answer.served.source == "endpoint"
    assert accounted_s(answer.served) == pytest.approx(took, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
async def test_the_seconds_of_every_span_add_up_in_any_weather(seed: int) -> None:
    rng = random.Random(seed)
    weather: list[Callable[[], Outcome]] = [
        an_answer,
        an_answer,
        a_reset,
        lambda: a_reset(billed="yes", partial=an_answer("half")),
        lambda: a_reset(billed="unknown"),
        a_refusal,
        lambda: a_refusal(retry_after_s=2.0),
        lambda: an_answer("  "),
        lambda: an_answer(finish_reason="aborted"),
        lambda: PermanentError("no", kind="bad_request", status=400),
    ]
    model = FakeModel(
        latency_s=lambda request: rng.uniform(0.1, 20.0),
        script=lambda request: rng.choice(weather)(),
        refuse=at_most(7),
    )
    engine = Engine(
        model=model,
        limits=Limits(
            in_flight=12, per_run=2, runs=10, requests_per_minute=120, tokens_per_minute=60_000
        ),
        retry=RetryPolicy(attempts=3),
        budget=Budget(tokens=40_000),
        cache=slow_cache(),
    )

    async def workflow(step: Step, topic: Topic) -> str:
        async def part(step: Step, number: int) -> str:
            # Some requests are equal to those of other topics.
            return (await step.complete("ask", f"{number} of {topic.index % 5}")).content

        outcomes = await step.fan_out("part", range(4), part)
        return f"{sum(isinstance(outcome, Ok) for outcome in outcomes)}"

    await engine.runner(workflow).run(topics(20))
    spans = engine.results.spans
    assert len(spans) > 20
    for span in spans:
        assert accounted_s(span.served) == pytest.approx(span.end_s - span.start_s, abs=1e-9), span
    assert {span.served.source for span in spans} >= {"endpoint", "shared"}


async def test_the_limiter_says_while_the_pace_holds_calls_back() -> None:
    limiter = Limiter(Limits(in_flight=9, requests_per_minute=60), Stop())
    await limiter.acquire(priority=0, tokens=1)
    assert not limiter.is_paced
    second = asyncio.create_task(limiter.acquire(priority=0, tokens=1))
    await asyncio.sleep(0.5)
    assert limiter.is_paced
    await second
    assert not limiter.is_paced
