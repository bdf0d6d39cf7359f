"""Where each call is, as a display sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fakes import a_call, a_refusal, a_request, an_answer

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Usage
from harness.domain.failures import CompletionError, PermanentError
from harness.engine.board import KEPT_FAILURES, Board, Stage


class Inner:
    """Does what it is told to while a call is within."""

    def __init__(self, does: Callable[[Call], Completion]) -> None:
        self.does = does

    async def complete(self, request: Request, call: Call) -> Completion:
        return self.does(call)


def stages_of(board: Board) -> list[Stage]:
    return [call.stage for call in board.calls]


async def test_a_call_is_at_the_innermost_layer_that_it_came_to_and_goes_back_the_same_way() -> (
    None
):
    board, seen = Board(), []

    def look(call: Call) -> Completion:
        seen.append(stages_of(board))
        return an_answer()

    inmost = board.watching(Inner(look), "sent")

    class Between:
        async def complete(self, request: Request, call: Call) -> Completion:
            seen.append(stages_of(board))
            answer = await inmost.complete(request, call)
            seen.append(stages_of(board))
            return answer

    await board.watching(Between(), "retry").complete(a_request(), a_call())
    assert seen == [["retry"], ["sent"], ["retry"]]
    assert stages_of(board) == []


async def test_a_call_that_is_cancelled_is_under_way_no_more() -> None:
    board, entered = Board(), asyncio.Event()

    class Endless:
        async def complete(self, request: Request, call: Call) -> Completion:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    task = asyncio.create_task(board.watching(Endless(), "sent").complete(a_request(), a_call()))
    await entered.wait()
    assert stages_of(board) == ["sent"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stages_of(board) == []


async def test_a_step_is_named_without_its_path_and_its_number() -> None:
    board = Board()
    for span_id in ("decompose", "research.2/research", "part.1/ask#3"):
        board.enter(a_call(span_id=span_id), "run")
    assert [call.step for call in board.calls] == ["decompose", "research", "ask"]


async def test_tokens_are_told_from_events_by_what_an_event_was_worth_so_far() -> None:
    board, told = Board(), []

    def stream(call: Call) -> Completion:
        assert call.on_events is not None
        call.on_events(4)
        call.on_events(6)
        told.append([board.tokens_of(one) for one in board.calls])
        return an_answer(usage=Usage(input_tokens=1, output_tokens=30))

    model = board.watching(Inner(stream), "sent")
    await model.complete(a_request(), a_call(span_id="a"))
    await model.complete(a_request(), a_call(span_id="b"))
    assert told == [[10], [30]]


async def test_an_answer_that_came_whole_teaches_nothing_about_events() -> None:
    board = Board()
    await board.watching(Inner(lambda call: an_answer()), "sent").complete(a_request(), a_call())
    noted, _ = board.enter(a_call(), "sent")
    noted.events = 7
    assert board.tokens_of(noted) == 7


async def test_requests_that_fail_are_counted_by_cause_and_the_last_are_kept() -> None:
    board = Board()

    def fail(call: Call) -> Completion:
        error: CompletionError = a_refusal()
        raise (
            PermanentError("no", kind="bad_request", status=400)
            if call.span_id == "last"
            else error
        )

    model = board.watching(Inner(fail), "sent")
    for span_id in [*map(str, range(KEPT_FAILURES)), "last"]:
        with pytest.raises(CompletionError):
            await model.complete(a_request(), a_call(span_id=span_id))
    assert dict(board.causes) == {"rate limited 429": KEPT_FAILURES, "bad request 400": 1}
    assert [failure.span_id for failure in board.failures] == [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "last",
    ]
    assert [failure.transient for failure in board.failures][-2:] == [True, False]
    assert len(board.durations_s) == KEPT_FAILURES + 1
