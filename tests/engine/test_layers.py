"""The order of the layers: what a layer within may not hold while one further out waits, for each
pair of neighbours.

Each test fails when its two layers change places in `compose.layered`; ARCHITECTURE.md has the
list.
"""

from __future__ import annotations

import asyncio

import anyio
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
    text_of,
)

from harness.domain.completion import Completion, Usage
from harness.domain.policy import Budget, Limits, OutagePolicy, RetryPolicy
from harness.errors import RunStopped

pytestmark = pytest.mark.harness_virtual_time

LONG_BACKOFF = RetryPolicy(base_s=100.0, floor_s=50.0, cap_s=100.0)
ONE_RESERVATION = Budget(tokens=1500)
"""Money for the worst case of one request, which is a little more than a thousand tokens, and not
for two.
"""


def ask(
    engine: Engine, text: str, *, endpoint: str = "", **call: object
) -> asyncio.Task[Completion]:
    request = a_request(text, endpoint=endpoint or "mock", max_tokens=1000)
    fields = {"topic_id": text, "span_id": text, "endpoint": endpoint, **call}
    return asyncio.ensure_future(engine.completer.complete(request, a_call(**fields)))


def sent_at(model: FakeModel) -> dict[str, float]:
    """When each text was sent last."""
    return {text_of(request): at for request, at in zip(model.sent, model.sent_at, strict=True)}


# cache, retry


async def test_those_who_share_an_answer_share_its_attempts() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: a_reset()), retry=RetryPolicy(attempts=3)
    )

    errors = await gathered(*(ask(engine, "why?", span_id=f"{number}") for number in range(20)))

    assert len(engine.model.sent) == 3
    assert sum(len(error.served.failures) for error in errors) == 3


# retry, budget


async def test_a_backoff_reserves_no_money() -> None:
    script = one_after_another(a_reset(), an_answer("other"), an_answer("retried"))
    engine = Engine(
        model=FakeModel(script=script, latency_s=0.0), retry=LONG_BACKOFF, budget=ONE_RESERVATION
    )
    first = ask(engine, "first")
    await asyncio.sleep(1.0)

    assert (await ask(engine, "other")).content == "other"
    assert anyio.current_time() == 1.0
    assert (await first).content == "retried"


async def test_each_attempt_of_a_call_must_fit_into_the_budget() -> None:
    half = an_answer("half an answer", usage=Usage(input_tokens=100, output_tokens=800))
    engine = Engine(
        model=FakeModel(script=lambda request: a_reset(billed="yes", partial=half)),
        budget=ONE_RESERVATION,
    )

    with pytest.raises(RunStopped, match="budget is reached"):
        await ask(engine, "why?")

    # With 900 of its 1500 tokens gone, the budget has no room for another worst case.
    assert len(engine.model.sent) == 1
    assert engine.ledger.tokens == 900


# retry, outside


async def test_a_call_that_asked_an_endpoint_in_vain_waits_outside_again_and_holds_no_money() -> (
    None
):
    def refuse(model: FakeModel) -> Exception | None:
        return a_reset() if anyio.current_time() < 500.0 else None

    local = FakeModel(refuse=refuse)
    engine = Engine(model=FakeModel(), others={"local": local}, outages=OutagePolicy())
    waiting = [ask(engine, f"{number}", endpoint="local") for number in range(8)]
    await asyncio.sleep(100.0)

    assert engine.ledger.reserved_tokens == 0
    answers = await gathered(*waiting)
    # One that went on holding its reservation would have been the only one to ask, again and again.
    asked_in_vain = {
        text_of(request)
        for request, at in zip(local.sent, local.sent_at, strict=True)
        if at < 500.0
    }
    assert len(asked_in_vain) == 8
    assert sum(len(answer.served.failures) for answer in answers) == local.refusals


# outside, budget


async def test_those_who_wait_for_an_endpoint_that_is_away_hold_no_money() -> None:
    def refuse(model: FakeModel) -> Exception | None:
        return a_reset() if anyio.current_time() < 500.0 else None

    local = FakeModel(refuse=refuse)
    engine = Engine(
        model=FakeModel(),
        others={"local": local},
        outages=OutagePolicy(),
        budget=Budget(tokens=5000),
    )
    stuck = [ask(engine, f"{number}", endpoint="local") for number in range(8)]
    await asyncio.sleep(100.0)

    # At most one of those that are stuck looks at this moment whether its endpoint is back.
    assert engine.ledger.reserved_tokens < 2000
    await gathered(*(ask(engine, f"own {number}") for number in range(3)))
    assert anyio.current_time() == 101.0
    await gathered(*stuck)


# budget, keep


async def test_money_is_reserved_until_the_price_of_the_answer_is_known_and_kept() -> None:
    engine = Engine(
        model=FakeModel(latency_s=5.0), cache=SlowCache(resolve_s=2.0), budget=ONE_RESERVATION
    )

    await gathered(ask(engine, "first"), ask(engine, "second"))

    assert sent_at(engine.model) == {"first": 0.0, "second": 7.0}
    assert engine.ledger.cost == 2 * USAGE.total_tokens


# keep, limit of a topic


async def test_no_slot_of_a_topic_is_held_while_an_answer_is_kept() -> None:
    engine = Engine(
        model=FakeModel(latency_s=5.0), cache=SlowCache(resolve_s=2.0), limits=Limits(per_run=1)
    )

    await gathered(ask(engine, "first", topic_id="t"), ask(engine, "second", topic_id="t"))

    assert sent_at(engine.model) == {"first": 0.0, "second": 5.0}


# limit of a topic, limit of all


async def test_a_call_that_waits_for_a_slot_of_its_topic_holds_none_of_all() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), limits=Limits(in_flight=2, per_run=1))

    waiting = [ask(engine, f"{number}", topic_id="t") for number in range(3)]
    await gathered(*waiting, ask(engine, "other"))

    assert sent_at(engine.model) == {"0": 0.0, "other": 0.0, "1": 5.0, "2": 10.0}


# limit of all, note


async def test_a_call_that_waits_for_a_slot_is_not_noted_as_sent() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), limits=Limits(in_flight=1))
    first, second = ask(engine, "first"), ask(engine, "second")
    await asyncio.sleep(1.0)

    noted = await engine.cache.left_open("run")

    assert [entry.call.span_id for entry in noted] == ["first"]
    await gathered(first, second)
