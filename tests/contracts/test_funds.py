"""The promises of every `harness.ports.Funds`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import pytest

from harness.domain.completion import AtMost
from harness.domain.ledger import NOT_SENT, Charged, Ledger
from harness.domain.policy import Budget, Limits
from harness.engine.budgeted import end_run
from harness.engine.reservations import LedgerFunds
from harness.engine.stopping import Stop
from harness.errors import RunStopped
from harness.ports import Funds, Reservation, Want

pytestmark = pytest.mark.harness_virtual_time

FundsFactory: TypeAlias = Callable[[Budget, Stop], Funds]

SPENT = Charged(tokens=100)


def ledger_funds(budget: Budget, stop: Stop) -> Funds:
    return LedgerFunds(
        Ledger(budget=budget), stop, partial(end_run, stop), limits=Limits(in_flight=8, per_run=8)
    )


FUNDS: dict[str, FundsFactory] = {"in this process": ledger_funds}


@pytest.fixture(params=FUNDS)
def open_funds(request: pytest.FixtureRequest) -> FundsFactory:
    return FUNDS[request.param]


def a_want(tokens: int = 100, cost: float | None = None) -> Want:
    return Want(topic_id="t", step="ask", most=AtMost(cost=cost, tokens=tokens))


async def settled() -> None:
    """Let everybody come as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_fits_is_held_at_once(open_funds: FundsFactory) -> None:
    funds = open_funds(Budget(tokens=200), Stop())
    reservation = await funds.reserve(a_want(), priority=0)
    assert (reservation.budget_s, reservation.queued_s) == (0.0, 0.0)
    assert reservation.reserved.most == AtMost(cost=None, tokens=100)


async def test_what_does_not_fit_waits_until_others_are_settled(open_funds: FundsFactory) -> None:
    funds = open_funds(Budget(tokens=250), Stop())
    held = [await funds.reserve(a_want(), priority=0) for _ in range(2)]
    waiting = asyncio.create_task(funds.reserve(a_want(), priority=0))
    await asyncio.sleep(3.0)
    assert not waiting.done()
    funds.settle(held[0], Charged(tokens=10))
    assert (await waiting).budget_s == 3.0


async def test_the_cap_is_kept_by_what_is_spent_and_what_is_reserved(
    open_funds: FundsFactory,
) -> None:
    stop, sums, ended = Stop(), [0, 0], 0
    funds = open_funds(Budget(tokens=1050), stop)

    async def one() -> None:
        nonlocal ended
        try:
            reservation = await funds.reserve(a_want(), priority=0)
        except RunStopped:
            ended += 1
            return
        sums[0] += 1
        assert sums[0] * 100 + sums[1] <= 1050
        await asyncio.sleep(1.0)
        sums[0] -= 1
        sums[1] += 50
        funds.settle(reservation, Charged(tokens=50))

    await asyncio.gather(*(one() for _ in range(40)))
    # The twentieth leaves 50 tokens: too few for the 100 that the next one may take.
    assert (sums, ended) == ([0, 1000], 20)
    assert stop.cause is not None
    assert stop.cause.kind == "budget"


async def test_of_those_who_wait_the_lowest_priority_goes_first(open_funds: FundsFactory) -> None:
    funds, order = open_funds(Budget(tokens=150), Stop()), []
    held = await funds.reserve(a_want(), priority=0)

    async def one(priority: int) -> None:
        reservation = await funds.reserve(a_want(), priority=priority)
        order.append(priority)
        funds.settle(reservation, NOT_SENT)

    tasks = [asyncio.create_task(one(priority)) for priority in (5, 1, 3)]
    await settled()
    funds.settle(held, NOT_SENT)
    await asyncio.gather(*tasks)
    assert order == [1, 3, 5]


async def test_who_is_cancelled_while_it_waits_holds_nothing(open_funds: FundsFactory) -> None:
    funds = open_funds(Budget(tokens=150), Stop())
    held = await funds.reserve(a_want(), priority=0)
    gone = asyncio.create_task(funds.reserve(a_want(), priority=0))
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    funds.settle(held, NOT_SENT)
    assert isinstance(await funds.reserve(a_want(), priority=0), Reservation)


async def test_the_end_of_the_run_is_told_to_all_who_wait(open_funds: FundsFactory) -> None:
    stop = Stop()
    funds = open_funds(Budget(tokens=150), stop)
    await funds.reserve(a_want(), priority=0)
    waiting = [asyncio.create_task(funds.reserve(a_want(), priority=0)) for _ in range(3)]
    await settled()
    stop.set("interrupted", "Ctrl-C")
    funds.refuse_all(stop.error)
    for end in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(end, RunStopped)


async def test_a_cap_in_money_is_told_from_one_in_tokens(open_funds: FundsFactory) -> None:
    assert open_funds(Budget(cost=1.0), Stop()).caps_money
    assert not open_funds(Budget(tokens=100), Stop()).caps_money


async def test_a_budget_that_is_hardly_touched_will_not_run_out(open_funds: FundsFactory) -> None:
    most = AtMost(cost=None, tokens=100)
    funds = open_funds(Budget(tokens=1000), Stop())
    assert not funds.may_run_out(most)
    for _ in range(7):
        funds.settle(await funds.reserve(a_want(), priority=0), SPENT)
    # 700 are spent, and half of the eight slots may want 400.
    assert funds.may_run_out(most)
