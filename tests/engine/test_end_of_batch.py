"""In which order the calls of a batch go: topic after topic, and at its end the last topics side by
side.
"""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from fakes import Engine, FakeModel, a_refusal, gathered, text_of, topics

from harness.domain.policy import Budget, Limits
from harness.domain.run import Topic
from harness.engine.step import Step

pytestmark = pytest.mark.harness_virtual_time

FOUR = Limits(in_flight=4, runs=100)
CAPPED = Budget(calls=10_000)


async def fork(step: Step, topic: Topic) -> float:
    """One call, then four at once, then one. Returns when that was done."""
    await step.complete("before", f"{topic.id} before")
    await gathered(
        *(step.complete("between", f"{topic.id} between {number}") for number in range(4))
    )
    await step.complete("after", f"{topic.id} after")
    return asyncio.get_running_loop().time()


def engine(*, limits: Limits = FOUR, budget: Budget | None = None) -> Engine:
    return Engine(model=FakeModel(latency_s=1.0), limits=limits, budget=budget or Budget())


async def ends(engine: Engine, number: int) -> list[float]:
    """When each of so many topics had ended, in seconds from the start."""
    begun = asyncio.get_running_loop().time()
    await engine.runner(fork).run(topics(number))
    return [
        cast("float", engine.results.by_topic[f"t{index}"].output) - begun
        for index in range(number)
    ]


async def test_the_last_topics_make_their_last_calls_side_by_side() -> None:
    # Twenty-four calls of a second on four places: no order is faster.
    assert await ends(engine(), 4) == [6.0, 6.0, 6.0, 6.0]


async def test_where_a_budget_may_end_the_run_topics_end_one_after_another() -> None:
    assert await ends(engine(budget=CAPPED), 4) == [4.0, 5.0, 6.0, 7.0]


async def test_only_the_end_of_a_batch_is_in_another_order() -> None:
    as_ever, found = await ends(engine(budget=CAPPED), 20), await ends(engine(), 20)
    assert found[:14] == as_ever[:14] == sorted(as_ever[:14])
    assert found[14:] != as_ever[14:]


async def test_while_topics_are_to_come_the_oldest_goes_first_however_few_are_open() -> None:
    few = Limits(in_flight=4, runs=4)
    as_ever, found = (
        await ends(engine(limits=few, budget=CAPPED), 12),
        await ends(engine(limits=few), 12),
    )
    assert found[:8] == as_ever[:8]


async def test_where_the_pace_is_the_limit_topics_end_one_after_another() -> None:
    paced = engine(limits=Limits(in_flight=64, requests_per_minute=40))
    await ends(paced, 4)
    asked = [text_of(request) for request in paced.model.sent]
    assert asked.index("t0 after") < asked.index("t2 between 0")


async def test_calls_that_are_tried_again_at_the_end_find_their_turn() -> None:
    model = FakeModel(
        latency_s=1.0, refuse=lambda it: a_refusal() if len(it.sent) % 4 == 0 else None
    )
    found = Engine(model=model, limits=FOUR)
    await found.runner(fork).run(topics(6))
    assert [row.status for row in found.results.rows] == ["ok"] * 6
    assert len(model.sent) == 6 * 6 + model.refusals
