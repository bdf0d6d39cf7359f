from __future__ import annotations

import asyncio
from dataclasses import replace

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

from harness.domain.completion import Completion, Usage
from harness.domain.failures import PermanentError, TransientError
from harness.domain.key import cache_key
from harness.domain.policy import Limits, RetryPolicy

pytestmark = pytest.mark.harness_virtual_time

ONCE = RetryPolicy(attempts=1)


async def test_a_request_is_noted_before_it_leaves() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), cache=SlowCache(open_s=2.0))
    call = asyncio.create_task(engine.completer.complete(a_request(), a_call()))
    await asyncio.sleep(1.0)
    assert engine.model.sent == []
    await asyncio.sleep(2.0)
    (entry,) = await engine.cache.left_open("run")
    assert (entry.key, entry.call.owner) == (cache_key(a_request()), "run/t/s")
    assert entry.cost_at_most == entry.tokens_at_most
    await call
    assert await engine.cache.left_open("run") == []


async def test_an_answer_is_handed_on_when_it_is_kept() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), cache=SlowCache(resolve_s=2.0))
    answer = await engine.completer.complete(a_request(), a_call())
    assert asyncio.get_running_loop().time() == 7.0
    assert answer.cost == USAGE.total_tokens
    assert answer.owner == "run/t/s"
    (resolution,) = engine.cache.resolutions
    assert (resolution.outcome, resolution.cost, resolution.tokens) == ("stored", 150.0, 150)


async def test_no_place_is_held_while_an_answer_is_kept() -> None:
    engine = Engine(
        model=FakeModel(latency_s=5.0),
        cache=SlowCache(resolve_s=2.0),
        limits=Limits(in_flight=1, per_run=1),
    )
    await gathered(
        *(engine.completer.complete(a_request(text), a_call(span_id=text)) for text in ("a", "b"))
    )
    assert engine.model.sent_at == [0.0, 5.0]
    assert asyncio.get_running_loop().time() == 12.0


async def test_each_attempt_closes_the_row_that_it_opened() -> None:
    engine = Engine(model=FakeModel(script=one_after_another(a_reset(), an_answer())))
    await engine.completer.complete(a_request(), a_call())
    assert [one.outcome for one in engine.cache.resolutions] == ["failed", "stored"]
    assert await engine.cache.left_open("run") == []


@pytest.mark.parametrize(
    ("answer", "kind", "error_type"),
    [
        (an_answer(" \n "), "blank", TransientError),
        (an_answer("{", finish_reason="length"), "length", PermanentError),
        (
            an_answer("x", finish_reason="insufficient_system_resource"),
            "interrupted",
            TransientError,
        ),
    ],
)
async def test_what_does_not_pass_the_gate_is_paid_noted_and_not_kept(
    answer: Completion, kind: str, error_type: type[Exception]
) -> None:
    engine = Engine(model=FakeModel(script=lambda request: answer), retry=ONCE)
    (error,) = await gathered(engine.completer.complete(a_request(), a_call()))
    assert isinstance(error, error_type)
    (resolution,) = engine.cache.resolutions
    assert resolution.outcome == "failed"
    assert resolution.cost == 150.0
    assert resolution.completion is not None
    assert resolution.completion.content == answer.content
    assert resolution.error is not None
    assert resolution.error.startswith(f"{kind}: ")
    assert await engine.cache.get(cache_key(a_request()), a_request()) is None


async def test_a_broken_stream_is_noted_with_what_had_arrived_and_an_unknown_cost() -> None:
    half = an_answer("half", usage=Usage())
    engine = Engine(
        model=FakeModel(script=lambda r: a_reset(billed="unknown", partial=half)), retry=ONCE
    )
    await gathered(engine.completer.complete(a_request(), a_call()))
    (resolution,) = engine.cache.resolutions
    assert (resolution.cost, resolution.completion) == (None, half)
    spent = await engine.cache.spent("run")
    assert spent.cost_at_risk == engine.ledger.cost


async def test_a_refused_request_costs_nothing() -> None:
    engine = Engine(model=FakeModel(script=lambda request: a_reset()), retry=ONCE)
    await gathered(engine.completer.complete(a_request(), a_call()))
    assert [resolution.cost for resolution in engine.cache.resolutions] == [0.0]


async def test_a_bug_leaves_the_request_open_for_its_payment_is_unknown() -> None:
    engine = Engine(model=FakeModel(script=lambda request: ZeroDivisionError()))
    await gathered(engine.completer.complete(a_request(), a_call()))
    assert len(await engine.cache.left_open("run")) == 1


@pytest.mark.parametrize(
    ("told", "kept"),
    [(0.25, 0.25), (None, 150.0), (0.0, 150.0)],
    ids=["a cost that the server says", "none", "nothing, where a price says otherwise"],
)
async def test_what_the_server_says_an_answer_cost_is_what_it_cost(
    told: float | None, kept: float
) -> None:
    engine = Engine(model=FakeModel(script=lambda request: an_answer(cost=told)))
    answer = await engine.completer.complete(a_request(), a_call())
    assert answer.cost == kept
    assert [resolution.cost for resolution in engine.cache.resolutions] == [kept]


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (an_answer(cost=0.0), 0.0),
        (an_answer(cost=0.5, usage=Usage()), 0.5),
        (an_answer(usage=Usage()), None),
    ],
    ids=["a free model without a price", "a cost without a usage", "neither"],
)
async def test_a_cost_that_is_told_needs_no_price(answer: Completion, cost: float | None) -> None:
    engine = Engine(model=FakeModel(script=lambda request: replace(answer, model=request.model)))
    assert (await engine.completer.complete(a_request(model="unpriced"), a_call())).cost == cost
