from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from batches import a_topic_file, loaded, run
from fakes import a_call, a_request

from harness.compose import check_budget, open_stack
from harness.engine.stopping import Stop
from harness.errors import CacheError, SettingsError

pytestmark = pytest.mark.harness_virtual_time


async def test_the_stack_answers_and_the_second_answer_is_the_first(tmp_path: Path) -> None:
    request = a_request(model="deepseek-flash")
    async with open_stack(loaded(tmp_path), run_id="run", stop=Stop()) as stack:
        first = await stack.completer.complete(request, a_call())
    async with open_stack(loaded(tmp_path), run_id="other", stop=Stop()) as stack:
        second = await stack.completer.complete(request, a_call())

    assert first.served.source == "endpoint"
    assert second.served.source == "cache"
    assert (second.content, second.reasoning, second.usage) == (
        first.content,
        first.reasoning,
        first.usage,
    )


async def test_a_stack_knows_what_its_run_spent_before_and_left_open(tmp_path: Path) -> None:
    slow = loaded(tmp_path, latency="fixed:60")
    request = a_request(model="deepseek-flash", max_tokens=100)
    async with open_stack(slow, run_id="run", stop=Stop()) as stack:
        task = asyncio.create_task(
            stack.completer.complete(request, a_call(topic_id="t", span_id="ask"))
        )
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])

    async with open_stack(loaded(tmp_path), run_id="run", stop=Stop()) as stack:
        (left,) = stack.left_open
        assert (left.call.topic_id, left.call.span_id) == ("t", "ask")
        assert stack.before.cost_at_risk == left.cost_at_most
        # Money whose payment is unknown counts as spent.
        assert stack.ledger.cost == left.cost_at_most
    async with open_stack(loaded(tmp_path), run_id="other", stop=Stop()) as stack:
        assert (stack.left_open, stack.ledger.cost) == ((), 0.0)


async def test_a_replay_needs_a_recording(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no such cache to replay"):
        async with open_stack(loaded(tmp_path, cache_mode="replay"), run_id="run", stop=Stop()):
            pass

    assert os.listdir(tmp_path) == []


def test_a_budget_in_money_needs_a_price(tmp_path: Path) -> None:
    unpriced = loaded(
        tmp_path, endpoint=None, base_url="http://127.0.0.1:1/v1", model="m", budget=1.0
    )
    priced = loaded(
        tmp_path,
        endpoint=None,
        base_url="http://127.0.0.1:1/v1",
        model="m",
        budget=1.0,
        prices={"m": {"input": 1.0, "output": 2.0}},
    )

    check_budget(priced.settings)
    with pytest.raises(
        SettingsError, match=r"no price is known for the model 'm'.*--budget-tokens"
    ):
        check_budget(unpriced.settings)


async def test_two_nights_over_the_same_topics_pay_once(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 3)
    first = await run(tmp_path / "one", source, cache=tmp_path / "cache.db", run_id="one")
    second = await run(tmp_path / "two", source, cache=tmp_path / "cache.db", run_id="two")

    assert second.spent.calls == 0
    assert second.totals["saved"] == pytest.approx(first.totals["cost"])
