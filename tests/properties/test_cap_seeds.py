"""A thousand small runs with a budget, each from a seed: what the provider bills never passes the
cap.

The provider writes at a bounded rate and bills what it wrote. Of a request that broke off nobody
else knows that, and it goes on for a moment for nobody.
"""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest
from fakes import Engine, FakeModel, a_call, a_request, a_reset, an_answer, gathered

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served, Usage
from harness.domain.policy import Budget, Limits, RetryPolicy
from harness.domain.unsettled import LINGER_S, MARGIN
from harness.testing.virtual_time import run_virtual

SEEDS = 1000
CAP_TOKENS = 4000
INPUT_TOKENS = 20


class Provider:
    """Draws how long each answer is and how fast it is written; some break off, and of some the
    usage is not told.

    None is written faster than half as much again as the slowest.
    """

    def __init__(self, chance: random.Random) -> None:
        self.billed = 0
        self.broken = 0
        self._chance = chance
        self._slowest = chance.choice([20.0, 60.0, 300.0])
        self._breaks, self._tells = chance.choice([0.0, 0.02, 0.3]), chance.choice([1.0, 0.5])

    async def complete(self, request: Request, call: Call) -> Completion:
        chance = self._chance
        rate = self._slowest * (1 + (MARGIN - 1) * chance.random())
        first_s = chance.choice([0.0, 0.5, 5.0]) * chance.random()
        tokens = 1 + int((CAP_TOKENS - 1) * chance.random() ** 3)
        took_s = first_s + tokens / rate
        breaks, tells = chance.random() < self._breaks, chance.random() < self._tells
        if breaks:
            took_s *= chance.random()
            # A whole answer is written to its end; a stream until it is noticed that nobody
            # listens.
            if call.stream:
                tokens = min(
                    tokens, int(max(0.0, took_s + LINGER_S * chance.random() - first_s) * rate)
                )
        await asyncio.sleep(took_s)
        self.billed += INPUT_TOKENS + tokens
        if breaks:
            self.broken += 1
            raise a_reset(billed="unknown")
        return an_answer(
            "abcd " * tokens,
            usage=Usage(input_tokens=INPUT_TOKENS, output_tokens=tokens) if tells else Usage(),
            served=Served(latency_s=took_s, ttft_answer_s=first_s),
        )


async def a_run(seed: int) -> tuple[Provider, Engine]:
    chance = random.Random(seed)
    provider = Provider(chance)
    budget = Budget(tokens=chance.choice([6_000, 20_000, 60_000]))
    in_flight = chance.choice([1, 3, 16, 64])
    model = cast("FakeModel", provider)
    limits = Limits(in_flight=in_flight, per_run=in_flight)
    engine = Engine(model=model, limits=limits, budget=budget, retry=RetryPolicy(attempts=3))
    stream = chance.random() < 0.8
    requests = [a_request(f"{number}", max_tokens=CAP_TOKENS) for number in range(30)]
    await gathered(
        *(
            engine.completer.complete(
                request, a_call(topic_id=f"{number}", priority=number, stream=stream)
            )
            for number, request in enumerate(requests)
        )
    )
    return provider, engine


@pytest.mark.parametrize("seeds", [range(at, at + 100) for at in range(0, SEEDS, 100)], ids=str)
def test_with_strict_reservations_no_bill_passes_the_cap(seeds: range) -> None:
    broken = 0
    for seed in seeds:
        provider, engine = run_virtual(a_run, seed)
        ledger, cap = engine.ledger, engine.budget.tokens
        assert cap is not None
        assert provider.billed <= ledger.tokens <= cap, (
            f"seed {seed}: {provider.billed} billed of {cap}, {ledger}"
        )
        assert ledger.could_pass_tokens == 0
        broken += provider.broken
    # Not for want of trouble.
    assert broken > 50
