from __future__ import annotations

import asyncio
import logging

import pytest
from fakes import (
    Engine,
    FakeModel,
    a_call,
    a_refusal,
    a_request,
    a_reset,
    an_answer,
    gathered,
    one_after_another,
)

from harness.domain.completion import Delta, Usage
from harness.domain.failures import PermanentError, TransientError
from harness.domain.policy import Limits, RetryPolicy

pytestmark = pytest.mark.harness_virtual_time


async def test_a_transient_failure_is_tried_again_and_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="harness.retry")
    engine = Engine(
        model=FakeModel(script=one_after_another(a_reset(status=502), an_answer("at last")))
    )
    answer = await engine.completer.complete(a_request(), a_call())
    assert answer.content == "at last"
    assert answer.served.attempts == 2
    (failure,) = answer.served.failures
    assert (failure.number, failure.kind, failure.status, failure.message) == (
        1,
        "connection",
        502,
        "connection reset",
    )
    assert "attempt 1 of 5 failed (connection: connection reset)" in caplog.text


async def test_the_attempts_are_bounded_and_the_error_carries_them_all() -> None:
    partial = an_answer("half an", usage=Usage(input_tokens=3), reasoning="hm")
    engine = Engine(
        model=FakeModel(script=lambda request: a_reset(billed="yes", partial=partial)),
        retry=RetryPolicy(attempts=6),
    )
    (error,) = await gathered(engine.completer.complete(a_request(), a_call()))
    assert isinstance(error, TransientError)
    assert len(engine.model.sent) == 6
    assert error.served is not None
    assert [failure.number for failure in error.served.failures] == [1, 2, 3, 4, 5, 6]
    assert {(failure.content, failure.reasoning) for failure in error.served.failures} == {
        ("half an", "hm")
    }
    assert [failure.backoff_s > 0 for failure in error.served.failures] == [True] * 5 + [False]


async def test_a_permanent_failure_is_not_tried_again() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: PermanentError("no", kind="bad_request", status=400))
    )
    (error,) = await gathered(engine.completer.complete(a_request(), a_call()))
    assert isinstance(error, PermanentError)
    assert len(engine.model.sent) == 1
    assert error.served is not None
    assert error.served.attempts == 1


async def test_a_bug_passes_as_it_is() -> None:
    engine = Engine(model=FakeModel(script=lambda request: ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        await engine.completer.complete(a_request(), a_call())
    assert len(engine.model.sent) == 1


async def test_a_backoff_holds_no_place() -> None:
    script = one_after_another(a_reset(), an_answer("other"), an_answer("retried"))
    engine = Engine(
        model=FakeModel(script=script, latency_s=0.0),
        limits=Limits(in_flight=1, per_run=1),
        retry=RetryPolicy(base_s=100.0, floor_s=50.0, cap_s=100.0),
    )
    first = asyncio.create_task(engine.completer.complete(a_request("a"), a_call()))
    await asyncio.sleep(1.0)
    assert (await engine.completer.complete(a_request("b"), a_call(span_id="b"))).content == "other"
    assert asyncio.get_running_loop().time() == 1.0
    assert (await first).content == "retried"


async def test_whoever_watches_is_told_to_forget_the_failed_attempt() -> None:
    shown: list[Delta] = []
    engine = Engine(model=FakeModel(script=one_after_another(a_refusal(), an_answer("whole"))))
    await engine.completer.complete(a_request(), a_call(on_delta=shown.append))
    assert shown == [Delta(kind="restart"), Delta(kind="answer", text="whole")]


async def test_what_a_server_asks_for_is_obeyed() -> None:
    engine = Engine(
        model=FakeModel(
            latency_s=0.0, script=one_after_another(a_refusal(retry_after_s=50.0), an_answer())
        )
    )
    answer = await engine.completer.complete(a_request(), a_call())
    assert 50.0 <= answer.served.backoff_s <= 55.0


async def test_calls_that_failed_together_do_not_return_together() -> None:
    engine = Engine(
        model=FakeModel(latency_s=0.0, script=one_after_another(*[a_reset()] * 8, an_answer())),
        limits=Limits(in_flight=8),
    )
    await gathered(
        *(engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}")) for i in range(8))
    )
    assert len(set(engine.model.sent_at[8:])) > 4
