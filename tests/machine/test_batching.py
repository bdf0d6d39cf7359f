"""How waiting operations are taken together."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest

from harness.machine.batching import LARGEST, Batches, Lane


class Recorder:
    """Performs every item as its double, and notes the batches; `gate` holds them up while it is
    not set.
    """

    def __init__(self, log: list[list[int]]) -> None:
        self.log = log
        self.gate = asyncio.Event()
        self.gate.set()

    async def perform(self, items: Sequence[int]) -> list[int | Exception]:
        self.log.append(list(items))
        await self.gate.wait()
        return [2 * item for item in items]


async def test_who_comes_while_a_batch_is_away_is_in_the_next() -> None:
    recorder = Recorder([])
    recorder.gate.clear()
    lane = Lane(recorder.perform, of="the cache")
    batches = Batches(lane)
    futures = [batches.add(lane, 1), batches.add(lane, 2)]
    await asyncio.sleep(0)
    futures += [batches.add(lane, 3), batches.add(lane, 4)]
    recorder.gate.set()
    assert await asyncio.gather(*futures) == [2, 4, 6, 8]
    assert recorder.log == [[1, 2], [3, 4]]
    await batches.close()


async def test_reads_go_before_writes_and_both_get_their_turn() -> None:
    log: list[list[int]] = []
    reads, writes = (
        Lane(Recorder(log).perform, of="the cache"),
        Lane(Recorder(log).perform, of="the cache"),
    )
    batches = Batches(reads, writes)
    futures = [batches.add(writes, 100 + index) for index in range(2)]
    futures += [batches.add(reads, index) for index in range(LARGEST + 1)]
    await asyncio.gather(*futures)
    assert [len(batch) for batch in log] == [LARGEST, 2, 1]
    assert log[1] == [100, 101]
    await batches.close()


async def test_an_item_that_fails_fails_alone_and_a_trip_that_fails_fails_for_all() -> None:
    async def perform(items: Sequence[str]) -> list[str | Exception]:
        if "trip" in items:
            raise OSError("the trip")
        return [ValueError(item) if item == "bad" else item for item in items]

    lane = Lane(perform, of="the cache")
    batches = Batches(lane)
    first = await asyncio.gather(
        *(batches.add(lane, item) for item in ("good", "bad")), return_exceptions=True
    )
    assert [repr(result) for result in first] == ["'good'", "ValueError('bad')"]
    second = await asyncio.gather(
        *(batches.add(lane, item) for item in ("trip", "good")), return_exceptions=True
    )
    assert [repr(result) for result in second] == ["OSError('the trip')"] * 2
    await batches.close()


async def test_a_failure_whose_caller_left_is_kept_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def perform(items: Sequence[str]) -> list[str | Exception]:
        return [ValueError(item) for item in items]

    lane = Lane(perform, of="the cache")
    batches = Batches(lane)
    for item in ("first", "second"):
        batches.add(lane, item).cancel()
    await batches.close()
    assert repr(lane.unheard) == "ValueError('first')"
    assert [record.message for record in caplog.records] == [
        f"the cache: an operation failed after its caller was cancelled: {item}"
        for item in ("first", "second")
    ]


async def test_a_batch_runs_in_the_context_of_none_of_its_callers() -> None:
    topic = contextvars.ContextVar("topic", default="none")
    seen: list[str] = []

    async def perform(items: Sequence[int]) -> list[int | Exception]:
        seen.append(topic.get())
        return list(items)

    topic.set("of the first caller")
    lane = Lane(perform, of="the cache")
    batches = Batches(lane)
    await batches.add(lane, 1)
    assert seen == ["none"]
    await batches.close()


async def test_closing_waits_for_all_that_was_handed_in() -> None:
    recorder = Recorder([])
    lane = Lane(recorder.perform, of="the cache")
    batches = Batches(lane)
    future = batches.add(lane, 1)
    await batches.close()
    assert future.result() == 2
