"""A workflow that raises the same exception for the first topics stops its run, and few rows tell
of it.
"""

from __future__ import annotations

import asyncio

import pytest
from fakes import Engine, FakeModel, text_of, topics

from harness.domain.failures import PermanentError
from harness.domain.policy import Limits
from harness.domain.repeated import Repeated
from harness.domain.run import Topic
from harness.engine.runner import Progress, Workflow
from harness.engine.step import Step
from harness.errors import ParseError, TopicFailed

pytestmark = pytest.mark.harness_virtual_time

OPEN = 128


def an_engine() -> Engine:
    return Engine(
        model=FakeModel(latency_s=lambda request: 1.0 + len(text_of(request)) / 10),
        limits=Limits(runs=OPEN),
    )


async def run(
    engine: Engine, workflow: Workflow, repeated: Repeated, number: int = 300
) -> Progress:
    return await engine.runner(workflow, repeated=repeated).run(topics(number))


async def index_too_far(step: Step, topic: Topic) -> str:
    answer = await step.complete("ask", topic.text)
    return answer.content.split()[100 + topic.index]


async def test_five_rows_tell_of_it_however_many_topics_are_open() -> None:
    engine = an_engine()
    progress = await run(engine, index_too_far, Repeated(at_most=5))
    assert [row.status for row in engine.results.rows] == ["failed"] * 5
    assert (progress.topics["failed"], progress.unfinished, progress.open_topics) == (
        5,
        OPEN - 5,
        0,
    )
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "workflow"
    assert "IndexError at " in engine.stop.cause.message
    assert "(return answer.content.split()[100 + topic.index])" in engine.stop.cause.message


async def test_all_that_raise_in_the_same_instant_leave_five_rows_too() -> None:
    async def at_once(step: Step, topic: Topic) -> str:
        raise KeyError(topic.id)

    engine = Engine(model=FakeModel(), limits=Limits(runs=OPEN))
    engine.results.write_s = 1.0
    await run(engine, at_once, Repeated(at_most=5))
    assert len(engine.results.rows) == 5


async def test_a_topic_that_is_answered_meanwhile_keeps_its_row() -> None:
    async def all_but_one(step: Step, topic: Topic) -> str:
        await step.complete("ask", topic.text)
        if topic.index != 7:
            raise KeyError(topic.id)
        await asyncio.sleep(60.0)
        return "at last"

    engine = an_engine()
    await run(engine, all_but_one, Repeated(at_most=5))
    assert [row.topic_id for row in engine.results.rows if row.status == "ok"] == ["t7"]
    assert len(engine.results.rows) == 6


async def test_after_a_success_the_run_goes_on_and_each_topic_has_its_row() -> None:
    async def later_ones(step: Step, topic: Topic) -> str:
        if topic.index:
            await step.complete("ask", topic.text)
            raise KeyError(topic.id)
        return "fine"

    engine = an_engine()
    progress = await run(engine, later_ones, Repeated(at_most=5), number=40)
    assert progress.topics == {"ok": 1, "degraded": 0, "failed": 39}
    assert not engine.stop.is_set


async def test_without_a_bound_all_topics_have_their_row() -> None:
    engine = an_engine()
    progress = await run(engine, index_too_far, Repeated(at_most=None), number=40)
    assert (progress.topics["failed"], engine.stop.is_set) == (40, False)


async def test_calls_that_fail_and_topics_given_up_do_not_stop_the_run() -> None:
    async def given_up(step: Step, topic: Topic) -> str:
        if topic.index % 2:
            raise TopicFailed("too few answers")
        return (await step.complete("ask", topic.text)).content

    engine = Engine(
        model=FakeModel(script=lambda request: PermanentError("flagged", kind="content_filter"))
    )
    progress = await run(engine, given_up, Repeated(at_most=2), number=40)
    assert (progress.topics["failed"], engine.stop.is_set) == (40, False)


async def test_parts_that_fail_side_by_side_in_changing_order_are_recognised() -> None:
    async def parts(step: Step, topic: Topic) -> None:
        async def first() -> None:
            await asyncio.sleep(1.0 + topic.index % 2)
            raise KeyError(topic.id)

        async def second() -> None:
            await asyncio.sleep(1.0)
            raise ValueError(topic.id)

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            group.create_task(second())

    engine = an_engine()
    await run(engine, parts, Repeated(at_most=5))
    assert engine.stop.cause is not None
    assert len(engine.results.rows) == 5


async def test_a_model_whose_text_cannot_be_read_by_the_code_stops_the_run() -> None:
    async def unread(step: Step, topic: Topic) -> None:
        answer = await step.complete("ask", topic.text)
        raise ParseError(f"no list in {answer.content!r}")

    engine = an_engine()
    await run(engine, unread, Repeated(at_most=5))
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "workflow"


async def test_an_output_that_no_row_can_hold_stops_the_run_as_an_exception_does() -> None:
    async def a_set(step: Step, topic: Topic) -> object:
        return {topic.id}

    engine = an_engine()
    await run(engine, a_set, Repeated(at_most=5))  # type: ignore[arg-type]
    assert engine.stop.cause is not None
    assert "async def a_set" in engine.stop.cause.message
    assert len(engine.results.rows) == 5


class OddError(BaseException):
    """Neither an Exception nor one of those that Python itself ends by."""


@pytest.mark.parametrize("raising", [SystemExit, OddError])
async def test_a_workflow_that_ends_the_program_fails_its_topics_only(
    raising: type[BaseException],
) -> None:
    async def leaving(step: Step, topic: Topic) -> None:
        raise raising

    engine = an_engine()
    progress = await run(engine, leaving, Repeated(at_most=None), number=3)
    assert [row.error.type for row in engine.results.rows if row.error] == [raising.__name__] * 3
    assert progress.topics["failed"] == 3


async def test_a_part_that_ends_the_program_fails_its_topics_only() -> None:
    async def part(step: Step, item: int) -> None:
        await step.complete("ask", f"part {item}")
        raise SystemExit("bye")

    async def leaving(step: Step, topic: Topic) -> None:
        await step.fan_out("parts", [1, 2], part)

    engine = an_engine()
    progress = await run(engine, leaving, Repeated(at_most=None), number=3)
    assert [row.error.type for row in engine.results.rows if row.error] == ["SystemExit"] * 3
    assert progress.topics["failed"] == 3


async def test_what_closes_a_coroutine_is_no_failure_of_a_topic() -> None:
    async def closing(step: Step, topic: Topic) -> None:
        raise GeneratorExit

    engine = an_engine()
    with pytest.raises(BaseExceptionGroup):
        await run(engine, closing, Repeated(at_most=None), number=1)
    assert engine.results.rows == []


async def test_a_keyboard_interrupt_out_of_a_workflow_ends_the_run_in_order_and_says_where() -> (
    None
):
    async def interrupting(step: Step, topic: Topic) -> str:
        await step.complete("ask", topic.text)
        if topic.index == 1:
            raise KeyboardInterrupt
        return "fine"

    engine = an_engine()
    progress = await run(engine, interrupting, Repeated(at_most=None), number=3)
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "interrupted"
    assert "KeyboardInterrupt at " in engine.stop.cause.message
    assert progress.topics["failed"] == 0
    assert progress.unfinished >= 1


async def test_what_was_paid_is_not_paid_again_when_the_code_is_mended() -> None:
    engine = an_engine()
    await run(engine, index_too_far, Repeated(at_most=5))
    sent = len(engine.model.sent)

    async def mended(step: Step, topic: Topic) -> str:
        return (await step.complete("ask", topic.text)).content

    again = Engine(model=engine.model, cache=engine.cache, limits=Limits(runs=OPEN), run_id="again")
    await run(again, mended, Repeated(at_most=5), number=sent)
    assert len(engine.model.sent) == sent
    assert all(row.status == "ok" for row in again.results.rows)
