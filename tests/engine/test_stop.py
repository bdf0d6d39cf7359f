"""The end of a run: what is in flight is finished and kept, nothing new is sent, and all who wait
wake up.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import anyio
import pytest
from fakes import (
    Engine,
    FakeModel,
    SlowCache,
    a_call,
    a_refusal,
    a_request,
    a_reset,
    an_answer,
    gathered,
    topics,
)

from harness.domain.completion import Completion, Request
from harness.domain.failures import FatalError
from harness.domain.policy import Budget, Limits
from harness.domain.run import Topic
from harness.engine.step import Step
from harness.engine.stopping import Stop
from harness.errors import BudgetExceeded, RunStopped, StorageError

pytestmark = pytest.mark.harness_virtual_time


async def stop_at(engine: Engine, seconds: float) -> None:
    await asyncio.sleep(seconds)
    engine.stop.set("interrupted", "Ctrl-C")


def asked(engine: Engine, number: int, **call: object) -> list[object]:
    return [
        engine.completer.complete(a_request(f"{i}"), a_call(**{"span_id": f"{i}", **call}))
        for i in range(number)
    ]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_calls_in_flight_finish_and_all_who_wait_for_a_place_wake() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), limits=Limits(in_flight=2, per_run=9))
    *answers, _ = await gathered(*asked(engine, 5), stop_at(engine, 1.0))
    assert [type(answer) for answer in answers] == [
        Completion,
        Completion,
        RunStopped,
        RunStopped,
        RunStopped,
    ]
    assert len(engine.model.sent) == 2
    assert now() == 10.0
    assert len(engine.cache.resolutions) == 2


async def test_those_who_wait_for_a_place_of_their_topic_wake() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), limits=Limits(per_run=1))
    *answers, _ = await gathered(*asked(engine, 3), stop_at(engine, 1.0))
    assert [type(answer) for answer in answers] == [Completion, RunStopped, RunStopped]
    assert len(engine.model.sent) == 1


async def test_those_who_wait_for_the_pace_wake() -> None:
    engine = Engine(model=FakeModel(latency_s=0.5), limits=Limits(requests_per_minute=1))

    async def timed() -> float:
        with pytest.raises(RunStopped):
            await engine.completer.complete(a_request("second"), a_call())
        return now()

    first = engine.completer.complete(a_request("first"), a_call())
    assert (await gathered(first, timed(), stop_at(engine, 3.0)))[1] == 3.0


async def test_those_who_wait_for_money_wake() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), budget=Budget(tokens=70_000))
    *answers, _ = await gathered(*asked(engine, 2), stop_at(engine, 1.0))
    assert [type(answer) for answer in answers] == [Completion, RunStopped]


async def test_a_backoff_ends_with_the_run() -> None:
    engine = Engine(
        model=FakeModel(latency_s=1.0, script=lambda request: a_refusal(retry_after_s=60.0))
    )
    answer, _ = await gathered(*asked(engine, 1), stop_at(engine, 5.0))
    assert isinstance(answer, RunStopped)
    assert now() == 5.0
    assert len(engine.model.sent) == 1


async def test_nothing_is_sent_when_the_run_ends_while_the_request_is_noted() -> None:
    engine = Engine(model=FakeModel(), cache=SlowCache(open_s=2.0))
    answer, _ = await gathered(*asked(engine, 1), stop_at(engine, 1.0))
    assert isinstance(answer, RunStopped)
    assert engine.model.sent == []
    assert await engine.cache.left_open("run") == []
    assert engine.cache.resolutions[0].cost == 0.0
    assert engine.ledger.cost == 0.0


async def test_nothing_is_sent_when_the_run_ends_between_a_grant_and_its_use() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(in_flight=1))

    def answer_and_stop(request: Request) -> Completion:
        # Runs in the same turn of the loop in which the next call is granted the place, before it
        # can use it.
        asyncio.get_running_loop().call_soon(engine.stop.set, "interrupted", "Ctrl-C")
        return an_answer()

    engine.model.script = answer_and_stop
    answers = await gathered(*asked(engine, 2))
    assert [type(answer) for answer in answers] == [Completion, RunStopped]
    assert len(engine.model.sent) == 1
    assert engine.limiter.in_flight == 0


async def test_after_the_stop_the_cache_still_answers() -> None:
    engine = Engine(model=FakeModel())
    await gathered(*asked(engine, 1))
    engine.stop.set("interrupted", "Ctrl-C")
    hit, miss = await gathered(
        *asked(engine, 1), engine.completer.complete(a_request("new"), a_call())
    )
    assert isinstance(hit, Completion)
    assert isinstance(miss, RunStopped)


async def test_the_first_cause_stays() -> None:
    stop = Stop()
    woken: list[str] = []
    stop.on_set(lambda: woken.append("waiter"))
    stop.set("budget", "no money")
    stop.set("interrupted", "Ctrl-C")
    assert stop.cause is not None
    assert stop.cause.kind == "budget"
    assert woken == ["waiter"]
    await stop.wait()
    with pytest.raises(BudgetExceeded, match="no money"):
        stop.check()


async def test_a_sleeper_that_is_cancelled_is_forgotten() -> None:
    stop = Stop()
    cancelled, sleeping = (asyncio.create_task(stop.sleep(60.0)) for _ in range(2))
    await asyncio.sleep(1.0)
    cancelled.cancel()
    stop.set("interrupted", "Ctrl-C")
    assert [type(end) for end in await gathered(cancelled, sleeping)] == [
        asyncio.CancelledError,
        RunStopped,
    ]
    assert now() == 1.0


async def test_a_stop_that_is_not_set_lets_pass() -> None:
    stop = Stop()
    assert not stop.is_set
    stop.check()
    await stop.sleep(3.0)
    assert now() == 3.0
    assert isinstance(stop.error(), RunStopped)


@pytest.mark.parametrize("kind", ["auth", "balance"])
async def test_a_fatal_refusal_stops_the_run_before_the_freed_place_is_taken(
    kind: Literal["auth", "balance"],
) -> None:
    refused = FatalError("401: wrong key", kind=kind, status=401)
    engine = Engine(model=FakeModel(script=lambda request: refused), limits=Limits(in_flight=1))
    answers = await gathered(*asked(engine, 5))
    assert [type(answer) for answer in answers] == [FatalError] + [RunStopped] * 4
    assert len(engine.model.sent) == 1
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == kind


async def test_a_slow_disk_does_not_delay_the_stop_after_a_fatal_refusal() -> None:
    refused = FatalError("402: no balance", kind="balance", status=402)
    engine = Engine(
        model=FakeModel(script=lambda request: refused),
        cache=SlowCache(resolve_s=5.0),
        limits=Limits(in_flight=2),
    )

    async def later() -> Completion:
        await asyncio.sleep(2.0)
        return await engine.completer.complete(a_request("later"), a_call(span_id="later"))

    answers = await gathered(*asked(engine, 1), later())
    assert [type(answer) for answer in answers] == [FatalError, RunStopped]
    assert len(engine.model.sent) == 1


@pytest.mark.parametrize("method", ["get", "open_call", "resolve"])
async def test_a_disk_that_fails_stops_the_run(method: str) -> None:
    engine = Engine(
        model=FakeModel(), cache=SlowCache(failing={method}), limits=Limits(in_flight=1, runs=1)
    )

    async def workflow(step: Step, topic: Topic) -> str:
        return (await step.complete("ask", topic.text)).content

    progress = await engine.runner(workflow).run(topics(10))
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "storage"
    assert engine.results.rows == []
    assert progress.unfinished == 1
    assert len(engine.model.sent) == (1 if method == "resolve" else 0)


async def test_an_answer_that_cannot_be_kept_is_the_last_that_is_paid_for() -> None:
    engine = Engine(
        model=FakeModel(),
        cache=SlowCache(failing={"resolve"}),
        limits=Limits(in_flight=1, per_run=9),
    )

    async def workflow(step: Step, topic: Topic) -> None:
        async def part(step: Step, number: int) -> None:
            await step.complete("ask", f"{topic.id} {number}")

        await step.fan_out("part", range(5), part)

    progress = await engine.runner(workflow).run(topics(10))
    assert len(engine.model.sent) == 1
    assert (engine.results.rows, progress.open_topics) == ([], 0)


async def test_a_stop_does_not_cancel_the_sisters_that_are_in_flight() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), limits=Limits(in_flight=3, per_run=3, runs=1))

    async def workflow(step: Step, topic: Topic) -> int:
        async def part(step: Step, number: int) -> str:
            return (await step.complete("ask", f"{number}")).content

        return len(await step.fan_out("part", range(6), part))

    progress, _ = await gathered(engine.runner(workflow).run(topics(2)), stop_at(engine, 1.0))
    assert engine.model.finished == 3
    assert await engine.cache.left_open("run") == []
    assert engine.results.rows == []
    assert progress.unfinished == 1
    assert now() == 10.0


async def test_a_task_group_of_the_workflows_own_does_not_cancel_them_either() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), limits=Limits(in_flight=2, per_run=2, runs=1))

    async def workflow(step: Step, topic: Topic) -> str:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(step.complete("ask", f"{number}"))
        return "done"

    progress, _ = await gathered(engine.runner(workflow).run(topics(1)), stop_at(engine, 1.0))
    assert engine.model.finished == 2
    assert await engine.cache.left_open("run") == []
    assert progress.unfinished == 1


async def test_a_workflow_that_hides_the_end_of_the_run_still_leaves_no_row() -> None:
    engine = Engine(model=FakeModel(latency_s=2.0), limits=Limits(runs=1))

    async def workflow(step: Step, topic: Topic) -> str:
        await step.complete("ask", "first")
        try:
            return (await step.complete("ask", "second")).content
        except RunStopped:
            return "all is well"

    progress, _ = await gathered(engine.runner(workflow).run(topics(3)), stop_at(engine, 1.0))
    assert engine.results.rows == []
    assert progress.unfinished == 1


async def test_a_hard_stop_leaves_what_was_in_flight_open_in_the_journal() -> None:
    engine = Engine(model=FakeModel(latency_s=10.0), limits=Limits(in_flight=3, per_run=1, runs=3))

    async def workflow(step: Step, topic: Topic) -> str:
        await step.complete("ask", "equal for all")
        return (await step.complete("ask", topic.text)).content

    with anyio.move_on_after(15.0) as scope:
        await engine.runner(workflow).run(topics(5))
    assert scope.cancelled_caught
    assert now() == 15.0
    assert len(await engine.cache.left_open("run")) == 3
    assert engine.results.rows == []
    # In flight when cancelled: nobody knows whether they are charged, so they stay paid at their
    # worst.
    spent = await engine.cache.spent("run")
    assert engine.ledger.cost == pytest.approx(spent.cost + spent.cost_at_risk)


async def test_an_answer_that_arrived_is_kept_even_if_all_is_cancelled_while_it_is_stored() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), cache=SlowCache(resolve_s=5.0))
    with anyio.move_on_after(3.0):
        await engine.completer.complete(a_request("a"), a_call())
    assert await engine.cache.left_open("run") == []
    assert isinstance(
        (await gathered(engine.completer.complete(a_request("a"), a_call())))[0], Completion
    )
    assert len(engine.model.sent) == 1


async def test_a_failed_attempt_that_is_being_noted_when_the_run_ends_is_noted() -> None:
    engine = Engine(
        model=FakeModel(latency_s=1.0, script=lambda request: a_reset()),
        cache=SlowCache(resolve_s=5.0),
    )
    answer, _ = await gathered(*asked(engine, 1), stop_at(engine, 2.0))
    assert isinstance(answer, RunStopped)
    assert [resolution.error for resolution in engine.cache.resolutions] == [
        "connection: connection reset"
    ]


async def test_results_that_cannot_be_written_stop_the_run() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0), limits=Limits(runs=1))
    engine.results.failing = StorageError("results.jsonl: no space left")

    async def workflow(step: Step, topic: Topic) -> str:
        return (await step.complete("ask", topic.text)).content

    progress = await engine.runner(workflow).run(topics(3))
    assert engine.stop.cause is not None
    assert engine.stop.cause.message == "results.jsonl: no space left"
    assert (progress.done, progress.unfinished, progress.open_topics) == (0, 1, 0)
    assert len(engine.model.sent) == 1


async def test_the_topics_that_wait_for_others_in_flight_get_their_answers() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), limits=Limits(runs=2))

    async def workflow(step: Step, topic: Topic) -> str:
        return (await step.complete("ask", "equal for both")).content

    progress, _ = await gathered(engine.runner(workflow).run(topics(2)), stop_at(engine, 1.0))
    assert (progress.topics["ok"], progress.unfinished) == (2, 0)
