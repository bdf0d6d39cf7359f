from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes import ListResults
from records import a_result, a_span

from harness.telemetry import names
from harness.telemetry.background_exporter import BackgroundExporter
from harness.telemetry.observed import LOOK_EVERY_S, Levels, Looks, ObservedResults, observed
from harness.telemetry.story import story_of
from harness.telemetry.values import Measurement, TopicStory

ORIGIN = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
BRIEF_S = 0.05
"""Patience with a sink that does not answer at all."""


class FakeSink:
    """Takes what `answer` lets it take. While `open` is not set, it does not answer; `give_up`
    opens it.
    """

    def __init__(self, answer: str | Exception | None = None) -> None:
        self.answer = answer
        self.open = threading.Event()
        self.open.set()
        self.called = threading.Event()
        self.given_up = self.troubled = False
        self.batches: list[Sequence[TopicStory]] = []
        self.levels: list[Sequence[Measurement]] = []

    def send(self, stories: Sequence[TopicStory]) -> str | None:
        self.called.set()
        self.open.wait(10)
        self.batches.append(stories)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def send_metrics(self, levels: Sequence[Measurement]) -> str | None:
        self.levels.append(levels)
        return None if self.answer is None else str(self.answer)

    def give_up(self) -> None:
        self.given_up = True
        self.answer = "given up"
        self.open.set()


def a_story(index: int = 0, *, calls: int = 1, size: int | None = None) -> TopicStory:
    spans = [a_span(f"t{index}", f"c{number}") for number in range(calls)]
    story = story_of(a_result(index), spans, origin_at=ORIGIN, content=False)
    return (
        story
        if size is None
        else TopicStory(spans=story.spans, measurements=story.measurements, size=size)
    )


def busy_with(story: TopicStory, **options: Any) -> tuple[FakeSink, BackgroundExporter]:
    """A exporter that waits for its sink, which was given this story and answers when it is
    opened.
    """
    sink = FakeSink()
    sink.open.clear()
    exporter = BackgroundExporter(sink, batch_wait_s=0.0, **options)
    exporter.offer(story)
    assert sink.called.wait(10)
    return sink, exporter


def test_what_is_offered_arrives_in_order_and_is_counted() -> None:
    sink = FakeSink()
    exporter = BackgroundExporter(sink, batch_wait_s=0.0)
    stories = [a_story(index) for index in range(5)]
    for story in stories:
        exporter.offer(story)
    delivery = exporter.close()

    assert [story for batch in sink.batches for story in batch] == stories
    assert (delivery.sent, delivery.dropped, delivery.why) == (10, 0, None)


def test_many_go_in_batches() -> None:
    sink, exporter = busy_with(a_story(0))
    for index in range(1, 400):
        exporter.offer(a_story(index, calls=2))
    sink.open.set()

    assert exporter.close().dropped == 0
    # The first, and 399 stories of 3 spans by the least number over 512.
    assert len(sink.batches) == 4


def test_the_metrics_are_sent_at_the_end_with_the_last_levels() -> None:
    sink = FakeSink()
    exporter = BackgroundExporter(sink, batch_wait_s=0.0)
    for number in (3, 7):
        exporter.offer(a_story(number), [Measurement(names.IN_FLIGHT, number, {})])

    assert exporter.close().metrics_taken
    assert [level.value for level in sink.levels[-1]] == [7]


def test_a_collector_that_refuses_costs_the_spans_and_is_told_with_its_reason() -> None:
    exporter = BackgroundExporter(FakeSink("503"))
    exporter.offer(a_story())
    delivery = exporter.close()

    assert (delivery.sent, delivery.dropped, delivery.why, delivery.metrics_taken) == (
        0,
        2,
        "503",
        False,
    )


def test_an_error_is_a_reason_like_any_other() -> None:
    sink = FakeSink(RuntimeError("a defect of the SDK"))
    exporter = BackgroundExporter(sink, batch_wait_s=0.0)
    exporter.offer(a_story())
    delivery = exporter.close()

    assert delivery.dropped == 2
    assert "a defect of the SDK" in str(delivery.why)


def test_beside_a_slow_collector_memory_is_bounded_and_nothing_waits() -> None:
    sink, exporter = busy_with(a_story(0, size=400), most_size=1000)
    for index in range(1, 100):
        exporter.offer(a_story(index, size=400))  # one fits beside the one under way
    sink.open.set()
    delivery = exporter.close()

    assert (delivery.sent, delivery.dropped) == (4, 2 * 98)
    assert delivery.why == "it is too slow"


def test_what_was_delivered_makes_room_for_more() -> None:
    sink, exporter = busy_with(a_story(0, size=600), most_size=1000)
    exporter.offer(a_story(1, size=300))
    sink.called.clear()
    sink.open.set()
    assert sink.called.wait(10)  # the first was delivered, or the second would not be under way
    exporter.offer(a_story(2, size=600))

    assert exporter.close().dropped == 0


def test_a_collector_that_never_answers_is_waited_for_as_long_as_patience_lasts() -> None:
    sink, exporter = busy_with(a_story())
    delivery = exporter.close(BRIEF_S)

    assert sink.given_up
    assert delivery.why == "given up"
    assert (delivery.sent, delivery.dropped) == (0, 2)
    assert not delivery.metrics_taken


async def test_without_a_collector_the_results_are_as_they_were() -> None:
    results = ListResults()
    async with observed(
        results,
        None,
        run_id="run",
        origin_at=ORIGIN,
        content=False,
        levels=lambda: pytest.fail("asked"),
    ) as port:
        assert port is results


async def test_rows_are_written_first_and_told_of_then() -> None:
    sink, results = FakeSink(), ListResults()
    exporter = BackgroundExporter(sink, batch_wait_s=0.0)
    port = observing(results, exporter)
    await port.write(a_result(), [a_span()])
    results.failing = OSError("the disk is full")
    with pytest.raises(OSError, match="disk is full"):
        await port.write(a_result(1), [a_span("t1")])

    assert exporter.close().sent == 2
    assert [level.value for level in sink.levels[-1]] == [3, 2, 8, 0]


async def test_a_topic_that_cannot_be_told_of_is_written_all_the_same() -> None:
    results, exporter = ListResults(), BackgroundExporter(FakeSink())
    await observing(results, exporter).write(a_result(elapsed_s=float("nan")), [a_span()])

    assert len(results.rows) == 1
    delivery = exporter.close()
    assert (delivery.dropped, "NaN" in str(delivery.why)) == (2, True)


@pytest.mark.harness_virtual_time
async def test_that_the_provider_is_away_is_told_also_while_no_topic_ends() -> None:
    sink, is_down = FakeSink(), False
    exporter = BackgroundExporter(sink)
    looks = Looks(exporter, lambda: Levels(in_flight=0, waiting=4, slots=8, is_down=is_down))

    await asyncio.sleep(LOOK_EVERY_S + 0.1)
    is_down = True
    await asyncio.sleep(LOOK_EVERY_S)
    looks.end()
    is_down = False
    await asyncio.sleep(3 * LOOK_EVERY_S)
    exporter.close()

    (told,) = sink.levels
    assert {level.instrument.name: level.value for level in told}["harness.provider.down"] == 1


def observing(results: Any, exporter: BackgroundExporter) -> ObservedResults:
    levels = Levels(in_flight=3, waiting=2, slots=8)
    return ObservedResults(
        results, exporter, origin_at=ORIGIN, content=False, levels=lambda: levels
    )
