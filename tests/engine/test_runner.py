from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import pytest
from fakes import Engine, FakeModel, gathered, text_of, topics

from harness.domain.policy import Limits
from harness.domain.run import Output, Topic
from harness.engine.step import Step
from harness.errors import DatasetError, ParseError, ResultsError

pytestmark = pytest.mark.harness_virtual_time


def where_of(code: str) -> str:
    """`file:line` of the first line of this file that begins so, as a row tells it."""
    lines = Path(__file__).read_text().splitlines()
    number = next(
        number for number, line in enumerate(lines, start=1) if line.strip().startswith(code)
    )
    return f"{os.path.relpath(__file__)}:{number}"


async def ask(step: Step, topic: Topic) -> str:
    return (await step.complete("ask", topic.text)).content


def run(engine: Engine, workflow: Any, items: Any) -> Any:
    return engine.runner(workflow).run(items)


async def test_each_topic_leaves_a_row_with_its_sums() -> None:
    engine = Engine(model=FakeModel(latency_s=2.0))

    async def workflow(step: Step, topic: Topic) -> Output:
        await step.complete("a", topic.text)
        await step.complete("b", topic.text)
        return Output(value={"said": topic.text}, sections=({"question": "?"},), degraded=None)

    progress = await run(engine, workflow, topics(2))
    row = engine.results.by_topic["t1"]
    assert (row.status, row.index, row.workflow, row.output) == (
        "ok",
        1,
        "test",
        {"said": "topic 1"},
    )
    # Both steps ask the same: the second is answered by the cache.
    assert (row.calls, row.hits, row.cost, row.saved, row.usage.total_tokens) == (
        2,
        1,
        150.0,
        150.0,
        300,
    )
    assert (row.elapsed_s, row.sequential_s) == (2.0, 2.0)
    assert (progress.done, progress.topics["ok"], progress.totals.calls, progress.open_topics) == (
        2,
        2,
        4,
        0,
    )


async def test_no_more_topics_are_pulled_than_may_be_open() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(runs=3))
    pulled: list[int] = []

    def lazily() -> Iterator[Topic]:
        for topic in topics(10):
            pulled.append(topic.index - len(engine.results.rows))
            yield topic

    await run(engine, ask, lazily())
    assert len(engine.results.rows) == 10
    assert max(pulled) == 2


async def test_the_oldest_topic_goes_first() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(in_flight=1, runs=3))

    async def workflow(step: Step, topic: Topic) -> None:
        for number in range(2):
            await step.complete("ask", f"{topic.id}.{number}")

    await run(engine, workflow, topics(3))
    # A place that is freed goes to who waits; t0's second call is wanted only after t1 has taken
    # it.
    assert [text_of(request) for request in engine.model.sent] == [
        "t0.0",
        "t1.0",
        "t0.1",
        "t1.1",
        "t2.0",
        "t2.1",
    ]


async def test_how_many_topics_are_left_is_told_once_no_other_follows() -> None:
    engine = Engine(
        model=FakeModel(latency_s=lambda request: 1.0 + int(text_of(request)[-1])),
        limits=Limits(runs=3),
    )
    told: list[tuple[float, int]] = []

    def ending(left: int) -> None:
        told.append((asyncio.get_running_loop().time(), left))

    await engine.runner(ask, ending=ending).run(topics(5))
    # Topic 3 is begun at 1.0 and topic 4 at 2.0; only at 3.0, with a slot free again, is it known
    # that none follows.
    assert told == [(3.0, 2), (5.0, 1), (7.0, 0)]


async def test_a_degraded_output_says_what_is_missing() -> None:
    async def workflow(step: Step, topic: Topic) -> Output:
        return Output(value="some", degraded="2 of 5 questions failed")

    engine = Engine(model=FakeModel())
    await run(engine, workflow, topics(1))
    (row,) = engine.results.rows
    assert (row.status, row.output) == ("degraded", "some")
    assert row.error is not None
    assert row.error.message == "2 of 5 questions failed"


async def test_an_error_of_the_workflow_fails_its_topic_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def workflow(step: Step, topic: Topic) -> str:
        if topic.index == 1:
            raise ZeroDivisionError("oh")
        if topic.index == 2:
            raise ParseError("no list")
        return await ask(step, topic)

    caplog.set_level(logging.INFO, logger="harness.run")
    engine = Engine(model=FakeModel())
    await run(engine, workflow, topics(4))
    rows = engine.results.by_topic
    assert [rows[f"t{i}"].status for i in range(4)] == ["ok", "failed", "failed", "ok"]
    assert [error.type for i in (1, 2) if (error := rows[f"t{i}"].error)] == [
        "ZeroDivisionError",
        "ParseError",
    ]
    # A foreign exception is a bug worth a traceback for those who look for it, one of ours is not.
    raised = [record for record in caplog.records if "raised" in record.getMessage()]
    assert [record.getMessage() for record in raised] == [
        (
            "the workflow raised on topic t1: ZeroDivisionError('oh') at"
            f" {where_of('raise ZeroDivisionError')}"
        ),
        "where it raised",
    ]
    assert raised[1].exc_info is not None


async def test_a_group_of_one_error_is_told_as_that_error() -> None:
    async def workflow(step: Step, topic: Topic) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())

    async def broken() -> None:
        raise ParseError("no list")

    engine = Engine(model=FakeModel())
    await run(engine, workflow, topics(1))
    error = engine.results.rows[0].error
    assert error is not None
    assert (error.type, error.message) == ("ParseError", "no list")


async def test_a_workflow_that_awaits_something_cancelled_fails_and_does_not_vanish() -> None:
    async def workflow(step: Step, topic: Topic) -> str:
        mine = asyncio.create_task(asyncio.sleep(60))
        mine.cancel()
        await mine
        return "never"

    engine = Engine(model=FakeModel())
    progress = await run(engine, workflow, topics(2))
    assert [row.error.type for row in engine.results.rows if row.error] == ["CancelledError"] * 2
    assert (progress.topics["failed"], progress.unfinished) == (2, 0)


async def test_a_workflow_that_times_out_on_its_own_goes_on() -> None:
    async def workflow(step: Step, topic: Topic) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await step.complete("ask", "slow")
        with anyio.move_on_after(1.0):
            await step.complete("ask", "slow too")
        return "without"

    engine = Engine(model=FakeModel(latency_s=60.0))
    await run(engine, workflow, topics(1))
    assert (engine.results.rows[0].status, engine.results.rows[0].output) == ("ok", "without")


@pytest.mark.parametrize(
    "output",
    [{1, 2}, float("nan"), b"bytes", {"deep": object()}, Output(value="ok", sections=("text",))],  # type: ignore[arg-type]
)
async def test_an_output_that_no_row_can_hold_fails_its_topic(output: Any) -> None:
    async def workflow(step: Step, topic: Topic) -> Any:
        return output

    engine = Engine(model=FakeModel())
    await run(engine, workflow, topics(1))
    (row,) = engine.results.rows
    assert row.status == "failed"
    assert row.error is not None
    assert row.error.type == "WorkflowError"


async def test_any_json_is_an_output() -> None:
    async def workflow(step: Step, topic: Topic) -> Any:
        return MappingProxyType({"list": (1, 2.5, None, True), "text": "…"})

    engine = Engine(model=FakeModel())
    await run(engine, workflow, topics(1))
    assert engine.results.rows[0].status == "ok"


async def test_a_dataset_that_breaks_off_is_raised_bare_after_the_topics_before_it() -> None:
    def breaking() -> Iterator[Topic]:
        yield from topics(2)
        raise DatasetError("x.jsonl:3: the file has changed")

    engine = Engine(model=FakeModel(latency_s=5.0))
    with pytest.raises(DatasetError, match="has changed"):
        await run(engine, ask, breaking())
    assert len(engine.results.rows) == 2


async def test_results_of_another_kind_of_trouble_stop_the_run_too() -> None:
    engine = Engine(model=FakeModel(), limits=Limits(runs=1))
    engine.results.failing = ResultsError("the directory is gone")
    progress = await run(engine, ask, topics(3))
    assert engine.stop.cause is not None
    assert engine.stop.cause.message == "the directory is gone"
    assert progress.unfinished == 1


async def test_a_row_that_is_being_written_is_finished_when_all_is_cancelled() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0))
    engine.results.write_s = 5.0
    with anyio.move_on_after(3.0):
        await run(engine, ask, topics(1))
    assert [row.topic_id for row in engine.results.rows] == ["t0"]


async def test_spans_are_written_in_the_order_of_their_start() -> None:
    engine = Engine(model=FakeModel(latency_s=lambda request: float(text_of(request))))

    async def workflow(step: Step, topic: Topic) -> None:
        async def later() -> None:
            await asyncio.sleep(1.0)
            await step.complete("second", "1")

        await gathered(step.complete("first", "9"), later())

    await run(engine, workflow, topics(1))
    assert [span.id for span in engine.results.spans] == ["first", "second"]


async def test_the_same_batch_takes_the_same_time_twice() -> None:
    def batch() -> tuple[Engine, Any]:
        engine = Engine(
            model=FakeModel(latency_s=lambda request: len(text_of(request)) / 3),
            limits=Limits(in_flight=3),
        )
        return engine, run(engine, ask, topics(25))

    (one, first), (two, second) = batch(), batch()
    await first
    begun = asyncio.get_running_loop().time()
    await second
    assert [row.topic_id for row in one.results.rows] == [row.topic_id for row in two.results.rows]
    assert [row.elapsed_s for row in one.results.rows] == pytest.approx(
        [row.elapsed_s for row in two.results.rows]
    )
    assert asyncio.get_running_loop().time() == pytest.approx(2 * begun)
