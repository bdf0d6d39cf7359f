from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from fakes import (
    PRICING,
    Engine,
    FakeModel,
    SlowCache,
    a_call,
    a_refusal,
    a_request,
    a_reset,
    an_answer,
    gathered,
    one_after_another,
    text_of,
)

from harness.domain.completion import Completion, Usage
from harness.domain.failures import PermanentError
from harness.domain.ledger import Ledger, Spent
from harness.domain.policy import Budget, Limits, RetryPolicy
from harness.errors import BudgetExceeded
from harness.testing.virtual_time import VirtualClock

pytestmark = pytest.mark.harness_virtual_time


def ask(engine: Engine, text: str, **call: object) -> Coroutine[Any, Any, Completion]:
    return engine.completer.complete(
        a_request(text, max_tokens=100), a_call(**{"span_id": text, **call})
    )


def worst() -> int:
    """The worst case of one request of these tests, in tokens and in dollars."""
    return PRICING.at_most(a_request("a", max_tokens=100), VirtualClock().now()).tokens


@pytest.mark.parametrize("per_call", [1, 60, 100])
@pytest.mark.parametrize("in_flight", [1, 7, 500])
async def test_the_cap_is_never_passed_at_any_concurrency(per_call: int, in_flight: int) -> None:
    usage = Usage(input_tokens=20, output_tokens=per_call)
    model = FakeModel(
        latency_s=lambda request: int(text_of(request)) % 7, script=lambda r: an_answer(usage=usage)
    )
    cap = 3000
    engine = Engine(
        model=model, limits=Limits(in_flight=in_flight, per_run=in_flight), budget=Budget(cost=cap)
    )
    ends = await gathered(*(ask(engine, f"{i:03}") for i in range(300)))
    done = sum(isinstance(end, Completion) for end in ends)
    spent = await engine.cache.spent("run")
    assert spent.cost == done * usage.total_tokens <= cap
    assert engine.ledger.cost == spent.cost
    # The last call that was sure to fit was sent.
    assert done == 300 or spent.cost + worst() + 2 > cap
    assert all(isinstance(end, Completion | BudgetExceeded) for end in ends)


async def test_money_that_comes_back_lets_the_oldest_topic_go_first() -> None:
    model = FakeModel(latency_s=1.0, script=lambda request: an_answer(usage=Usage(input_tokens=1)))
    engine = Engine(model=model, budget=Budget(tokens=worst() + 10), limits=Limits(per_run=9))
    await gathered(*(ask(engine, f"{i}", priority=9 - i) for i in range(4)))
    assert [call.priority for call in model.calls] == [9, 6, 7, 8]


async def test_the_end_of_the_budget_says_what_is_spent_and_what_to_do() -> None:
    engine = Engine(
        model=FakeModel(), budget=Budget(cost=400.0, tokens=500), limits=Limits(in_flight=1)
    )
    *ends, refused = await gathered(*(ask(engine, f"{number}") for number in range(3)))
    assert [type(end) for end in ends] == [Completion, Completion]
    assert isinstance(refused, BudgetExceeded)
    assert str(refused).startswith(
        "the budget is reached: $300.00 of $400.00 is used and the next call may cost"
    )
    assert "300 of 500 tokens are used" in str(refused)
    assert "Resume with a higher one" in str(refused)
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "budget"


async def test_a_budget_in_money_sends_nothing_whose_price_is_not_known() -> None:
    engine = Engine(model=FakeModel(), budget=Budget(cost=1000.0))
    with pytest.raises(BudgetExceeded, match="has no known price"):
        await engine.completer.complete(a_request(model="unheard-of"), a_call())
    assert engine.model.sent == []


async def test_the_end_of_a_budget_in_tokens_speaks_of_tokens() -> None:
    engine = Engine(model=FakeModel(), budget=Budget(tokens=100))
    with pytest.raises(BudgetExceeded, match=r"^the budget is reached: 0 of 100 tokens are used"):
        await engine.completer.complete(a_request(), a_call())


async def test_a_budget_in_tokens_needs_no_price() -> None:
    engine = Engine(model=FakeModel(), budget=Budget(tokens=200_000))
    answer = await engine.completer.complete(a_request(model="unheard-of"), a_call())
    assert answer.cost is None
    assert engine.ledger.tokens == 150


@pytest.mark.parametrize(
    ("error", "tokens"),
    [
        (PermanentError("bad", kind="bad_request", status=400), 0),
        (a_reset(billed="unknown"), None),
        (
            a_reset(
                billed="yes",
                partial=an_answer("half", usage=Usage(input_tokens=7, output_tokens=3)),
            ),
            10,
        ),
        (a_reset(billed="yes"), None),
        (ValueError("a bug in an adapter"), None),
    ],
)
async def test_what_a_failure_costs(error: Exception, tokens: int | None) -> None:
    engine = Engine(model=FakeModel(script=lambda request: error), retry=RetryPolicy(attempts=1))
    await gathered(ask(engine, "a"))
    assert engine.ledger.tokens == (worst() if tokens is None else tokens)
    assert engine.ledger.reserved_tokens == 0


async def test_an_answer_without_usage_keeps_its_reservation() -> None:
    engine = Engine(model=FakeModel(script=lambda request: an_answer(usage=Usage())))
    answer = await engine.completer.complete(a_request("a", max_tokens=100), a_call())
    assert answer.cost is None
    assert engine.ledger.tokens == worst()


async def test_each_attempt_is_reserved_and_paid_on_its_own() -> None:
    failed = a_reset(billed="yes", partial=an_answer("half", usage=Usage(input_tokens=40)))
    model = FakeModel(script=one_after_another(failed, a_refusal(), an_answer()))
    engine = Engine(model=model)
    answer = await engine.completer.complete(a_request("a"), a_call())
    assert engine.ledger.cost == 40 + 0 + 150
    assert [failure.cost for failure in answer.served.failures] == [40.0, 0.0]
    assert [failure.usage for failure in answer.served.failures] == [
        Usage(input_tokens=40),
        Usage(),
    ]


async def test_one_who_is_cancelled_while_waiting_for_money_leaves_the_others_their_turn() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), budget=Budget(tokens=worst() + 200))
    first, gone, stays = (asyncio.create_task(ask(engine, name)) for name in ("a", "gone", "stays"))
    await asyncio.sleep(1.0)
    gone.cancel()
    ends = await gathered(first, gone, stays)
    assert [type(end) for end in ends] == [Completion, asyncio.CancelledError, Completion]


async def test_money_granted_to_one_who_is_cancelled_comes_back() -> None:
    engine = Engine(model=FakeModel(latency_s=5.0), budget=Budget(tokens=worst() + 200))

    def answer_and_cancel(request: object) -> Completion:
        asyncio.get_running_loop().call_soon(gone.cancel)
        return an_answer()

    engine.model.script = answer_and_cancel
    first, gone = (asyncio.create_task(ask(engine, name)) for name in ("a", "gone"))
    await gathered(first, gone)
    assert (engine.ledger.tokens, engine.ledger.reserved_tokens) == (150, 0)


async def test_a_session_begins_with_what_others_spent_and_may_have_spent() -> None:
    ledger = Ledger.after(
        Budget(cost=10.0), Spent(cost=3.0, tokens=30, cost_at_risk=2.0, tokens_at_risk=20)
    )
    assert (ledger.cost, ledger.tokens) == (5.0, 50)


async def test_a_topic_whose_cache_fails_keeps_its_reservation_only_in_this_session() -> None:
    engine = Engine(model=FakeModel(), cache=SlowCache(failing={"resolve"}))
    await gathered(ask(engine, "a"))
    assert engine.ledger.tokens == worst()
    assert engine.ledger.reserved_tokens == 0


async def test_a_blank_answer_without_usage_keeps_its_whole_reservation_as_spent() -> None:
    blank = an_answer(" ", usage=Usage())
    engine = Engine(
        model=FakeModel(script=one_after_another(blank, an_answer())), retry=RetryPolicy(attempts=2)
    )
    assert isinstance((await gathered(ask(engine, "a")))[0], Completion)
    assert engine.ledger.tokens == worst() + 150
    assert engine.ledger.cost == pytest.approx(worst() + 150)


async def test_the_next_session_counts_an_answer_without_usage_at_its_worst() -> None:
    engine = Engine(model=FakeModel(script=lambda request: an_answer(usage=Usage())))
    await gathered(ask(engine, "a"))
    spent = await engine.cache.spent("run")
    assert (spent.cost, spent.cost_at_risk, spent.tokens_at_risk) == (0.0, worst(), worst())
    after = Ledger.after(Budget(), spent)
    assert (after.cost, after.tokens) == (engine.ledger.cost, engine.ledger.tokens)


# Requests that broke off


async def test_a_stream_that_broke_counts_what_can_have_been_written_and_the_journal_says_so() -> (
    None
):
    request = a_request("a", max_tokens=100_000)
    engine = Engine(
        model=FakeModel(
            latency_s=2.0, script=one_after_another(a_reset(billed="unknown"), an_answer())
        )
    )
    await engine.completer.complete(request, a_call())
    # Before any answer was seen: two seconds and two more, at a thousand tokens a second.
    judged = PRICING.at_most(request, VirtualClock().now()).tokens - 100_000 + 4000
    assert (engine.ledger.tokens_at_risk, engine.ledger.cost_at_risk) == (judged, judged)
    assert engine.ledger.tokens == judged + 150
    spent = await engine.cache.spent("run")
    assert (spent.tokens_at_risk, spent.cost_at_risk, spent.cost) == (judged, judged, 150.0)


async def test_waits_before_a_request_left_are_no_time_in_which_it_was_written() -> None:
    script = one_after_another(an_answer(), a_reset(billed="unknown"))
    model = FakeModel(latency_s=2.0, script=script)
    engine = Engine(model=model, limits=Limits(in_flight=1), retry=RetryPolicy(attempts=1))
    requests = {name: a_request(name, max_tokens=100_000) for name in ("a", "b")}
    calls = (
        engine.completer.complete(request, a_call(span_id=name))
        for name, request in requests.items()
    )
    await gathered(*calls)
    judged = PRICING.at_most(requests["b"], VirtualClock().now()).tokens - 100_000 + 4000
    assert engine.ledger.tokens_at_risk == judged


async def test_a_request_for_a_whole_answer_that_broke_counts_at_its_worst() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: a_reset(billed="unknown")),
        retry=RetryPolicy(attempts=1),
    )
    request = a_request("a", max_tokens=100_000)
    await gathered(engine.completer.complete(request, a_call(stream=False)))
    assert engine.ledger.tokens_at_risk == PRICING.at_most(request, VirtualClock().now()).tokens


async def test_an_answer_without_usage_counts_what_can_have_been_written_and_is_marked() -> None:
    engine = Engine(model=FakeModel(latency_s=3.0, script=lambda request: an_answer(usage=Usage())))
    request = a_request("a", max_tokens=100_000)
    answer = await engine.completer.complete(request, a_call())
    judged = PRICING.at_most(request, VirtualClock().now()).tokens - 100_000 + 3000
    assert (answer.usage, answer.cost) == (Usage(untold=1), None)
    spent = await engine.cache.spent("run")
    assert (spent.untold, spent.tokens_untold, engine.ledger.tokens_at_risk) == (1, judged, judged)


# Likely reservations


def a_long_answer(request: object) -> Completion:
    return an_answer(usage=Usage(input_tokens=10, output_tokens=100))


def likely_engine(cap: int, model: FakeModel | None = None, **fields: Any) -> Engine:
    model = model or FakeModel(latency_s=10.0, script=a_long_answer)
    limits = Limits(in_flight=64, per_run=64)
    return Engine(
        model=model, budget=Budget(tokens=cap), **{"reserve": "likely", "limits": limits, **fields}
    )


def ask_long(engine: Engine, name: str, **call: object) -> Coroutine[Any, Any, Completion]:
    request = a_request(name, max_tokens=10_000)
    return engine.completer.complete(
        request, a_call(**{"span_id": "ask", "topic_id": name, **call})
    )


async def test_after_the_first_answer_as_many_calls_go_as_their_likely_cost_allows() -> None:
    engine = likely_engine(45_000)
    ends = await gathered(*(ask_long(engine, f"{number:02}") for number in range(40)))
    assert all(isinstance(end, Completion) for end in ends)
    begun = [at - engine.model.sent_at[0] for at in engine.model.sent_at]
    # Four worst cases fit, and then all others, as fast as the window opens.
    assert begun[3] == 0.0
    assert 10.0 <= begun[4] <= begun[-1] < 11.0


async def test_strict_reservations_keep_them_waiting_and_the_ledger_knows_how_long() -> None:
    engine = likely_engine(45_000, reserve="strict")
    await gathered(*(ask_long(engine, f"{number:02}") for number in range(8)))
    assert sorted(set(engine.model.sent_at)) == pytest.approx(
        [engine.model.sent_at[0], engine.model.sent_at[0] + 10.0]
    )
    # Eight places: four of them stood free for ten seconds, while four waited.
    assert engine.ledger.reservations_so_far().lost_s == pytest.approx(5.0)
    assert engine.ledger.reservations_so_far().could_pass_tokens == 0


async def test_the_budget_that_would_have_kept_no_call_waiting_is_told_by_likely_costs() -> None:
    def in_short(request: object) -> Completion:
        return an_answer(usage=Usage(input_tokens=10, output_tokens=2000))

    engine = likely_engine(13_000, FakeModel(latency_s=10.0, script=in_short))
    await ask_long(engine, "first")
    await gathered(*(ask_long(engine, f"{number}") for number in range(4)))
    # After one answer of 2,000 tokens, four and a half times as many are likely, and at most the 44
    # of the prompt. By the worst case it would be 10,044 for each of the four.
    assert engine.ledger.reservations_so_far().wanted_tokens == 4 * 9044


async def test_another_step_is_not_kept_waiting_behind_one_without_an_answer() -> None:
    engine = likely_engine(15_000)
    first = [ask_long(engine, f"{number}", priority=number) for number in range(3)]
    short = engine.completer.complete(
        a_request("short", max_tokens=10), a_call(span_id="other", topic_id="short", priority=9)
    )
    await gathered(*first, short)
    assert [text_of(request) for request in engine.model.sent] == ["0", "short", "1", "2"]


async def test_money_that_is_waited_for_is_told_apart_from_a_place_that_is_waited_for() -> None:
    engine = likely_engine(1_000_000, limits=Limits(in_flight=1))
    await ask_long(engine, "first")
    ends = await gathered(ask_long(engine, "a"), ask_long(engine, "b"))
    assert [(end.served.budget_s, end.served.queued_s) for end in ends] == [(0.0, 0.0), (0.0, 10.0)]


async def test_likely_reservations_are_for_as_many_calls_as_can_be_in_flight() -> None:
    engine = likely_engine(1_000_000, limits=Limits(in_flight=2, per_run=1))
    await ask_long(engine, "first")
    calls = [
        asyncio.create_task(ask_long(engine, f"{number}", topic_id=topic))
        for number, topic in enumerate("aabb")
    ]
    await asyncio.sleep(1.0)
    # The second call of each topic could not be sent beside the first; that of topic a came while
    # there was room.
    assert engine.ledger.reservations == 3
    await gathered(*calls)


async def test_a_topics_own_cap_is_kept_by_worst_cases() -> None:
    engine = likely_engine(1_000_000)
    await ask_long(engine, "first")
    ledger = Ledger(budget=Budget(tokens=12_000))
    ends = await gathered(
        *(ask_long(engine, f"{number}", topic_id="t", topic_ledger=ledger) for number in range(3))
    )
    assert all(isinstance(end, Completion) for end in ends)
    assert len(set(engine.model.sent_at)) == 4


def answered_by(model: str, **fields: Any) -> Engine:
    script = lambda request: an_answer(model=model, **fields)  # noqa: E731 - a script
    return Engine(model=FakeModel(script=script), budget=Budget(cost=1_000_000.0))


@pytest.mark.parametrize("fields", [{}, {"usage": Usage()}], ids=["usage told", "usage not told"])
async def test_a_budget_in_money_ends_the_run_where_another_model_answers_of_unknown_price(
    fields: dict[str, Any],
) -> None:
    engine = answered_by("other/dear", **fields)
    answer = await ask(engine, "a")
    assert (answer.model, answer.cost) == ("other/dear", None)
    cause = engine.stop.cause
    assert cause is not None
    assert cause.kind == "budget"
    assert "other/dear answered" in cause.message
    assert '[prices."other/dear"]' in cause.message
    with pytest.raises(BudgetExceeded):
        await ask(engine, "b")


@pytest.mark.parametrize(
    ("model", "fields"),
    [("M-2024-07-18", {}), ("", {}), ("other/dear", {"cost": 0.5})],
    ids=["the same in another style", "no name", "its cost is told"],
)
async def test_a_budget_goes_on_where_the_cost_of_an_answer_is_known(
    model: str, fields: dict[str, Any]
) -> None:
    engine = answered_by(model, **fields)
    assert (await ask(engine, "a")).cost == fields.get("cost", 150.0)
    assert engine.stop.cause is None
    assert engine.ledger.cost == fields.get("cost", 150.0)


async def test_without_a_budget_in_money_another_model_ends_nothing() -> None:
    engine = Engine(
        model=FakeModel(script=lambda request: an_answer(model="other")),
        budget=Budget(tokens=200_000),
    )
    assert (await ask(engine, "a")).cost is None
    assert engine.stop.cause is None


async def test_a_budget_in_money_ends_the_run_where_another_model_broke_off_and_billed() -> None:
    broken = a_reset(billed="yes", partial=an_answer("half", model="other"))
    engine = Engine(
        model=FakeModel(script=one_after_another(broken, an_answer())),
        budget=Budget(cost=1_000_000.0),
        retry=RetryPolicy(attempts=1),
    )
    await gathered(ask(engine, "a"))
    assert engine.stop.cause is not None
    assert "other answered" in engine.stop.cause.message


async def test_a_budget_goes_on_where_an_answer_tells_no_usage_and_its_price_is_known() -> None:
    engine = answered_by("m", usage=Usage())
    assert (await ask(engine, "a")).cost is None
    assert engine.stop.cause is None
    assert engine.ledger.cost_at_risk > 0
