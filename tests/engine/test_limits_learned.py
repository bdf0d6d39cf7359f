"""What the engine makes of servers that refuse: they are learned, in few refusals, and nothing is
lost.
"""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from fakes import (
    Engine,
    FakeModel,
    a_call,
    a_refusal,
    a_request,
    an_answer,
    at_most,
    gathered,
    one_after_another,
)

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Usage
from harness.domain.policy import Limits, RetryPolicy

pytestmark = pytest.mark.harness_virtual_time

WIDE = Limits(in_flight=1000, per_run=1000)


async def all_at_once(engine: Engine, number: int) -> list[object]:
    return await gathered(
        *(
            engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}"))
            for i in range(number)
        )
    )


@pytest.mark.parametrize("latency_s", [0.2, 1.0, 7.0])
async def test_a_server_that_allows_five_and_announces_nothing_serves_sixty(
    latency_s: float,
) -> None:
    model = FakeModel(latency_s=latency_s, refuse=at_most(5))
    engine = Engine(model=model, limits=WIDE)
    answers = await all_at_once(engine, 60)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert asyncio.get_running_loop().time() <= 1.25 * 60 / 5 * latency_s
    assert model.refusals < 10


class SlowToForget(FakeModel):
    """A server that still counts a call for a moment after its answer has been read."""

    async def complete(self, request: Request, call: Call) -> Completion:
        await asyncio.sleep(0.001)
        answer = await super().complete(request, call)
        self.in_flight += 1
        asyncio.get_running_loop().call_later(0.003, self.forget)
        return answer

    def forget(self) -> None:
        self.in_flight -= 1


async def test_a_server_that_is_slow_to_forget_a_call_does_not_talk_the_window_down() -> None:
    model = SlowToForget(latency_s=1.0, refuse=at_most(5))
    engine = Engine(model=model, limits=WIDE)
    answers = await all_at_once(engine, 60)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert asyncio.get_running_loop().time() <= 1.25 * 60 / 5
    assert model.refusals < 10


async def test_a_limit_that_falls_is_followed() -> None:
    model = FakeModel(latency_s=1.0, refuse=lambda it: at_most(10 if len(it.sent) < 100 else 4)(it))
    engine = Engine(model=model, limits=WIDE)
    answers = await all_at_once(engine, 300)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert engine.limiter.state().places <= 5
    assert model.refusals < 60


async def test_a_thousand_places_are_reached_within_a_second() -> None:
    model = FakeModel(latency_s=30.0)
    engine = Engine(model=model, limits=WIDE)
    await all_at_once(engine, 1000)
    assert model.peak == 1000
    assert max(model.sent_at) == pytest.approx(0.7)


async def test_an_idle_window_does_not_open() -> None:
    model = FakeModel(latency_s=60.0)
    engine = Engine(model=model, limits=WIDE)
    await engine.completer.complete(a_request("alone"), a_call())
    model.sent_at.clear()
    await all_at_once(engine, 100)
    assert sum(at == 60.0 for at in model.sent_at) == 8


async def test_a_window_that_was_full_once_does_not_open_later_on_that_account() -> None:
    model = FakeModel(latency_s=0.05)
    engine = Engine(model=model, limits=WIDE)
    await all_at_once(engine, 9)
    await asyncio.sleep(10.0)
    begun = asyncio.get_running_loop().time()
    await gathered(
        *(
            engine.completer.complete(a_request(f"later {i}"), a_call(span_id=f"{i}"))
            for i in range(50)
        )
    )
    assert sum(at == begun for at in model.sent_at) == 8


async def test_a_call_that_was_let_go_and_cancelled_gives_its_pace_back() -> None:
    model = FakeModel(latency_s=0.5)
    engine = Engine(model=model, limits=Limits(requests_per_minute=6, tokens_per_minute=60_000))
    first = asyncio.create_task(engine.completer.complete(a_request("a"), a_call()))
    gone = asyncio.create_task(engine.completer.complete(a_request("gone"), a_call(span_id="b")))
    # At 10.0 the pace lets the second go, and in the same turn of the loop it is cancelled.
    asyncio.get_running_loop().call_at(
        10.0, lambda: asyncio.get_running_loop().call_soon(gone.cancel)
    )
    await gathered(first, gone)
    await engine.completer.complete(a_request("c"), a_call(span_id="c"))
    assert model.sent_at == [0.0, 10.0]


async def test_a_named_limit_is_obeyed_at_once() -> None:
    model = FakeModel(latency_s=10.0, refuse=at_most(25, named=True))
    engine = Engine(model=model, limits=WIDE)
    answers = await all_at_once(engine, 200)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert engine.limiter.state().named_limit == 25
    # One burst is refused while the window doubles past 25, and a few probes after that.
    assert model.refusals <= 8 + 3
    assert asyncio.get_running_loop().time() <= 1.25 * 200 / 25 * 10.0


async def test_the_limiter_remembers_when_it_let_in_how_many() -> None:
    engine = Engine(model=FakeModel(latency_s=1.0, refuse=at_most(5)), limits=WIDE)
    await all_at_once(engine, 60)
    history = list(engine.limiter.history.since(0.0))
    # The eight that it begins with are refused at once.
    assert history[0] == (0.0, 5)
    assert [at_s for at_s, _ in history] == sorted(at_s for at_s, _ in history)
    assert history[-1][1] == engine.limiter.state().places


async def test_two_processes_share_a_named_limit_without_a_storm() -> None:
    model = FakeModel(latency_s=5.0, refuse=at_most(20, named=True))
    one, other = Engine(model=model, limits=WIDE), Engine(model=model, limits=WIDE, run_id="other")
    answers = await asyncio.gather(all_at_once(one, 100), all_at_once(other, 100))
    assert all(isinstance(answer, Completion) for part in answers for answer in part)
    assert model.refusals < 60


async def test_recovery_is_gradual_and_reaches_the_top_again() -> None:
    refusing = True
    model = FakeModel(
        latency_s=1.0, refuse=lambda it: a_refusal() if refusing and it.in_flight >= 10 else None
    )
    engine = Engine(model=model, limits=Limits(in_flight=40, per_run=1000))
    await all_at_once(engine, 60)
    assert engine.limiter.state().places <= 12
    refusing = False
    sizes = []
    for batch in range(40):
        await gathered(
            *(
                engine.completer.complete(a_request(f"b{batch}.{i}"), a_call(span_id=f"{i}"))
                for i in range(40)
            )
        )
        sizes.append(engine.limiter.state().places)
    assert sizes[-1] == 40
    assert all(later - earlier <= 5 for earlier, later in itertools.pairwise(sizes))


async def test_a_retry_after_pauses_every_call_and_no_herd_follows() -> None:
    refusals = [a_refusal(retry_after_s=30.0)]
    model = FakeModel(
        latency_s=10.0,
        refuse=lambda it: refusals.pop() if len(it.sent) == 200 and refusals else None,
    )
    engine = Engine(model=model, limits=WIDE)
    await all_at_once(engine, 600)
    refused_at = model.sent_at[199]
    later = [at for at in model.sent_at[200:] if at > refused_at]
    assert min(later) >= refused_at + 30.0
    assert model.in_flight == 0
    assert sum(at < min(later) + 0.09 for at in later) <= 8


async def test_a_busy_server_that_names_a_time_is_left_alone_for_it() -> None:
    busy = a_refusal(kind="server", status=503, retry_after_s=20.0)
    model = FakeModel(latency_s=1.0, script=one_after_another(busy, an_answer()))
    engine = Engine(model=model, limits=Limits(in_flight=1))
    await all_at_once(engine, 3)
    assert model.sent_at[1] == 21.0
    assert engine.limiter.state().refusals == 0


async def test_a_refusal_by_rate_pauses_all_and_cuts_the_window_once_for_a_burst() -> None:
    busy_until = 5.0

    too_fast = "Rate limit reached for TPM"
    model = FakeModel(latency_s=1.0)
    model.script = lambda request: (
        _by_rate(too_fast) if asyncio.get_running_loop().time() < busy_until else an_answer()
    )
    engine = Engine(
        model=model, limits=Limits(in_flight=8, per_run=8), retry=RetryPolicy(attempts=6)
    )
    answers = await all_at_once(engine, 8)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert model.sent_at[:8] == [0.0] * 8
    assert model.sent_at[8] >= 1.5
    assert engine.limiter.streak == 0


def _by_rate(text: str) -> Exception:
    error = a_refusal()
    error.args = (text,)
    return error


async def test_a_long_storm_parks_the_calls_and_loses_none() -> None:
    storm_ends = 300.0
    model = FakeModel(
        latency_s=1.0,
        refuse=lambda it: a_refusal() if asyncio.get_running_loop().time() < storm_ends else None,
    )
    engine = Engine(
        model=model, limits=Limits(in_flight=64, per_run=64), retry=RetryPolicy(attempts=6)
    )
    answers = await all_at_once(engine, 64)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert model.refusals < 64


async def test_requests_a_minute_are_kept_to_the_instant() -> None:
    model = FakeModel(latency_s=0.5)
    engine = Engine(model=model, limits=Limits(in_flight=100, per_run=100, requests_per_minute=60))
    await all_at_once(engine, 30)
    assert model.sent_at == pytest.approx([float(i) for i in range(30)], abs=1e-6)


async def test_more_than_a_second_allows_goes_in_one_burst_and_no_more() -> None:
    model = FakeModel(latency_s=0.5)
    engine = Engine(model=model, limits=Limits(in_flight=8, per_run=100, requests_per_minute=300))
    await all_at_once(engine, 15)
    assert [
        sum(math.floor(at + 1e-6) == second for at in model.sent_at) for second in range(3)
    ] == [9, 5, 1]


async def test_tokens_a_minute_are_charged_as_they_were_used() -> None:
    model = FakeModel(latency_s=0.0, script=lambda request: an_answer())  # 150 tokens each
    engine = Engine(model=model, limits=Limits(in_flight=1, tokens_per_minute=9000))
    await all_at_once(engine, 62)
    # 150 tokens a second are filled in and each call uses 150, whatever was guessed before: one
    # call a second.
    assert model.sent_at[1] == pytest.approx(1 / 150, abs=1e-6)
    assert model.sent_at[-1] - model.sent_at[1] == pytest.approx(60.0, abs=1e-6)


async def test_an_answer_without_usage_is_taken_as_guessed() -> None:
    model = FakeModel(latency_s=0.0, script=lambda request: an_answer(usage=Usage()))
    engine = Engine(model=model, limits=Limits(in_flight=1, tokens_per_minute=60_000))
    await all_at_once(engine, 3)
    assert model.sent_at[2] > 0.9
