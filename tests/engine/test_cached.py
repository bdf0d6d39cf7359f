from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from fakes import (
    USAGE,
    Engine,
    FakeModel,
    SlowCache,
    a_call,
    a_request,
    a_reset,
    an_answer,
    gathered,
    one_after_another,
)

from harness.domain.completion import Completion, Delta, Tool, ToolCall
from harness.domain.failures import CacheMiss, FatalError, PermanentError
from harness.domain.key import cache_key
from harness.domain.policy import CacheMode, RetryPolicy

pytestmark = pytest.mark.harness_virtual_time


def ask(engine: Engine, text: str = "why?", **call: object) -> Coroutine[Any, Any, Completion]:
    return engine.completer.complete(a_request(text), a_call(**call))


async def test_what_was_answered_is_not_asked_again() -> None:
    engine = Engine(model=FakeModel())
    first = await engine.completer.complete(a_request(), a_call())
    again = await engine.completer.complete(a_request(), a_call(span_id="other"))
    assert len(engine.model.sent) == 1
    assert (first.content, first.reasoning, first.usage) == (
        again.content,
        again.reasoning,
        again.usage,
    )
    assert (again.served.source, again.served.attempts) == ("cache", 0)
    assert again.owner == "run/t/s"


async def test_twenty_equal_requests_in_flight_are_paid_for_once() -> None:
    engine = Engine(model=FakeModel(latency_s=3.0))
    answers = await gathered(*(ask(engine, span_id=f"{i}") for i in range(20)))
    assert len(engine.model.sent) == 1
    assert [answer.served.source for answer in answers] == ["endpoint"] + ["shared"] * 19
    assert [answer.served.attempts for answer in answers] == [1] + [0] * 19


async def test_twenty_equal_requests_that_must_fail_are_paid_for_once() -> None:
    half = an_answer("cut", finish_reason="length")
    engine = Engine(model=FakeModel(script=lambda request: half))
    errors = await gathered(*(ask(engine, span_id=f"{i}") for i in range(20)))
    assert len(engine.model.sent) == 1
    assert all(isinstance(error, PermanentError) and error.kind == "length" for error in errors)
    assert [len(error.served.failures) for error in errors] == [1] + [0] * 19
    assert {str(error) for error in errors} == {str(errors[0])}
    assert all(error.__cause__ is errors[0] for error in errors[1:])
    assert errors[1].served.source == "shared"


async def test_a_fatal_error_reaches_all_who_wait_for_it() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: FatalError("402", kind="balance", status=402))
    )
    errors = await gathered(*(ask(engine, span_id=f"{i}") for i in range(3)))
    assert [type(error) for error in errors] == [FatalError] * 3


async def test_a_cancelled_leader_hands_over() -> None:
    engine = Engine(model=FakeModel(latency_s=3.0))
    leader = asyncio.create_task(ask(engine))
    await asyncio.sleep(1.0)
    others = [asyncio.create_task(ask(engine, span_id=f"{i}")) for i in range(3)]
    await asyncio.sleep(1.0)
    leader.cancel()
    answers = await gathered(*others)
    assert [answer.served.source for answer in answers] == ["endpoint", "shared", "shared"]
    assert len(engine.model.sent) == 2


async def test_a_follower_that_is_cancelled_disturbs_nobody() -> None:
    engine = Engine(model=FakeModel(latency_s=3.0))
    leader, gone, stays = (asyncio.create_task(ask(engine, span_id=f"{i}")) for i in range(3))
    await asyncio.sleep(1.0)
    gone.cancel()
    ends = await gathered(leader, gone, stays)
    assert [type(end) for end in ends] == [Completion, asyncio.CancelledError, Completion]
    assert len(engine.model.sent) == 1


async def test_whoever_watches_sees_hits_and_shared_answers_too() -> None:
    engine = Engine(model=FakeModel(script=lambda request: an_answer("42", reasoning="hm")))
    shown: dict[str, list[Delta]] = {"leader": [], "follower": [], "hit": []}
    await gathered(
        *(ask(engine, span_id=name, on_delta=shown[name].append) for name in ("leader", "follower"))
    )
    await engine.completer.complete(a_request(), a_call(on_delta=shown["hit"].append))
    whole = [Delta(kind="reasoning", text="hm"), Delta(kind="answer", text="42")]
    assert shown == {"leader": [Delta(kind="answer", text="42")], "follower": whole, "hit": whole}


async def test_an_answer_of_nothing_but_tool_calls_shows_nothing() -> None:
    call = ToolCall(id="1", name="look", arguments="{}")
    engine = Engine(
        model=FakeModel(
            script=lambda request: an_answer("", tool_calls=(call,), finish_reason="tool_calls")
        )
    )
    offering = a_request(tools=(Tool(name="look"),))
    await engine.completer.complete(offering, a_call())
    shown: list[Delta] = []
    hit = await engine.completer.complete(offering, a_call(on_delta=shown.append))
    assert hit.tool_calls == (call,)
    assert shown == []


async def test_an_old_entry_is_asked_again_and_replaced() -> None:
    cache = SlowCache()
    script = one_after_another(an_answer("old"), an_answer("new"))
    model = FakeModel(script=script)
    first = Engine(model=model, cache=cache, ttl_s=60.0, run_id="yesterday")
    await first.completer.complete(a_request(), a_call(run_id="yesterday"))
    await asyncio.sleep(60.5)
    second = Engine(model=model, cache=cache, ttl_s=60.0)
    assert (await second.completer.complete(a_request(), a_call())).content == "new"
    # What this very run stored never ages: it was paid for tonight.
    await asyncio.sleep(3600)
    assert (await second.completer.complete(a_request(), a_call())).served.source == "cache"


@pytest.mark.parametrize(
    ("mode", "sent"), [("read_write", 1), ("refresh", 2), ("off", 3), ("replay", 1)]
)
async def test_what_a_mode_asks_and_what_it_keeps(mode: CacheMode, sent: int) -> None:
    cache = SlowCache()
    model = FakeModel()
    await Engine(model=model, cache=cache).completer.complete(a_request(), a_call(run_id="before"))
    engine = Engine(model=model, cache=cache, mode=mode)
    for _ in range(2):
        answer = await engine.completer.complete(a_request(), a_call())
    assert len(model.sent) == sent
    assert answer.served.source == {"off": "endpoint", "replay": "replay"}.get(mode, "cache")


async def test_in_mode_off_nothing_is_kept() -> None:
    cache = SlowCache()
    engine = Engine(model=FakeModel(), cache=cache, mode="off")
    await gathered(*(ask(engine, span_id=f"{i}") for i in range(2)))
    assert len(engine.model.sent) == 2
    assert await cache.get(cache_key(a_request()), a_request()) is None
    assert (await cache.spent("run")).tokens == 2 * USAGE.total_tokens


async def test_a_miss_in_replay_explains_itself_and_asks_nobody() -> None:
    engine = Engine(model=FakeModel(), mode="replay")
    misses = await gathered(*(ask(engine, span_id=name) for name in ("decompose", "research.1")))
    assert [type(miss) for miss in misses] == [CacheMiss, CacheMiss]
    assert "'decompose' of topic 't'" in str(misses[0])
    assert "'research.1'" in str(misses[1])
    assert engine.model.sent == []


async def test_a_failure_is_never_kept() -> None:
    engine = Engine(
        model=FakeModel(script=one_after_another(a_reset(), an_answer())),
        retry=RetryPolicy(attempts=1),
    )
    assert [type(end).__name__ for end in await gathered(ask(engine))] == ["TransientError"]
    assert (await engine.completer.complete(a_request(), a_call())).served.source == "endpoint"
