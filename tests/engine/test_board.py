"""Where each call is, as a display sees it."""

from __future__ import annotations

import asyncio

import pytest
from fakes import Engine, FakeModel, SlowCache, a_refusal, a_reset, an_answer

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Usage
from harness.domain.failures import CompletionError, PermanentError
from harness.domain.policy import Budget, Limits, RetryPolicy
from harness.domain.tracker import Stage
from harness.engine.board import KEPT_FAILURES, Board
from harness.engine.step import Step

pytestmark = pytest.mark.harness_virtual_time

ONCE = RetryPolicy(attempts=1)


def stages_of(board: Board) -> list[Stage]:
    return [call.stage for call in board.calls]


def watched(engine: Engine, board: Board, topic_id: str = "t") -> Step:
    """A step whose calls the board follows."""
    return engine.step(topic_id, track=board.begin)[0]


async def ended(*tasks: asyncio.Task[Completion]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_call_is_at_each_stage_for_as_long_as_it_is_there() -> None:
    board = Board()
    engine = Engine(model=FakeModel(latency_s=5.0), cache=SlowCache(look_s=2.0, resolve_s=2.0))
    task = asyncio.create_task(watched(engine, board).complete("ask", "why?"))
    seen = []
    for _ in range(5):
        await asyncio.sleep(1.99)
        seen += stages_of(board)
    assert seen == ["cache", "sent", "sent", "cache"]
    await ended(task)
    assert list(board.durations_s) == [5.0]


async def test_a_call_is_shown_where_it_waits() -> None:
    board = Board()
    model = FakeModel(latency_s=5.0, script=lambda request: a_reset())
    limits = Limits(in_flight=1, per_run=1)
    engine = Engine(model=model, limits=limits, retry=RetryPolicy(attempts=2))
    one, other = watched(engine, board, "one"), watched(engine, board, "other")
    tasks = [asyncio.create_task(step.complete("ask", str(n))) for n, step in enumerate((one, one))]
    await asyncio.sleep(0.1)
    tasks.append(asyncio.create_task(other.complete("ask", "3")))
    await asyncio.sleep(0.1)
    assert stages_of(board) == ["sent", "run", "all"]
    await asyncio.sleep(4.9)
    assert stages_of(board)[0] == "retry"
    await ended(*tasks)
    assert stages_of(board) == []


async def test_a_call_that_waits_for_money_is_shown_there() -> None:
    board = Board()
    engine = Engine(model=FakeModel(latency_s=5.0), budget=Budget(tokens=2500))
    step = watched(engine, board)
    tasks = [asyncio.create_task(step.complete("ask", text)) for text in "abc"]
    await asyncio.sleep(0.1)
    assert stages_of(board) == ["sent", "sent", "money"]
    await ended(*tasks)


async def test_a_call_that_is_cancelled_is_under_way_no_more() -> None:
    board = Board()
    engine = Engine(model=FakeModel(latency_s=100.0))
    task = asyncio.create_task(watched(engine, board).complete("ask", "why?"))
    await asyncio.sleep(1.0)
    assert stages_of(board) == ["sent"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stages_of(board), list(board.durations_s)) == ([], [1.0])


async def test_a_step_is_named_without_its_path_and_its_number() -> None:
    board = Board()
    for span_id in ("decompose", "research.2/research", "part.1/ask#3"):
        board.begin("t", span_id)
    assert [call.step for call in board.calls] == ["decompose", "research", "ask"]


async def test_tokens_are_told_from_events_by_what_an_event_was_worth_so_far() -> None:
    board = Board()
    first, second = board.begin("t", "a"), board.begin("t", "b")
    for call in (first, second):
        call.at("sent")
        call.events(4)
        call.events(6)
    assert board.tokens_of(second) == 10
    first.answered(30)
    assert board.tokens_of(second) == 30


async def test_events_are_counted_anew_for_each_request() -> None:
    board = Board()
    call = board.begin("t", "a")
    call.at("sent")
    call.events(4)
    call.at("retry")
    call.at("sent")
    call.events(3)
    assert board.tokens_of(call) == 3


async def test_an_answer_that_came_whole_teaches_nothing_about_events() -> None:
    board = Board()
    engine = Engine(model=FakeModel())
    await watched(engine, board).complete("ask", "why?")
    call = board.begin("t", "a")
    call.events(7)
    assert board.tokens_of(call) == 7


async def test_an_answer_that_came_in_events_tells_what_they_are_worth() -> None:
    board = Board()

    class Streaming(FakeModel):
        async def complete(self, request: Request, call: Call) -> Completion:
            call.tracker.events(10)
            return an_answer(usage=Usage(input_tokens=1, output_tokens=30))

    await watched(Engine(model=Streaming()), board).complete("ask", "why?")
    call = board.begin("t", "b")
    call.events(10)
    assert board.tokens_of(call) == 30


async def test_requests_that_fail_are_counted_by_cause_and_the_last_are_kept() -> None:
    def fail(request: Request) -> CompletionError:
        if request.messages[-1].content == "last":
            return PermanentError("no", kind="bad_request", status=400)
        return a_refusal()

    board = Board()
    engine = Engine(model=FakeModel(script=fail), retry=ONCE)
    for topic in [*map(str, range(KEPT_FAILURES)), "last"]:
        with pytest.raises(CompletionError):
            await watched(engine, board, topic).complete("ask", topic)
    assert dict(board.causes) == {"rate limited 429": KEPT_FAILURES, "bad request 400": 1}
    kept = [failure.topic_id for failure in board.failures]
    assert kept == ["1", "2", "3", "4", "5", "6", "7", "last"]
    assert [failure.transient for failure in board.failures][-2:] == [True, False]
    assert len(board.durations_s) == KEPT_FAILURES + 1
