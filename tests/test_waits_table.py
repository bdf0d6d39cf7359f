"""Each kind of wait in the table, followed from the value through everything that tells of it."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from records import a_span, a_stored_result, a_stored_span

from harness.bench.bench_report import MeanBound
from harness.bench.measured import measured_from_span
from harness.bench.words import story_of
from harness.domain.completion import FailedAttempt, Served
from harness.domain.policy import Limits
from harness.domain.waits import BACKOFF, HELD, IN_ORDER, WAITS, Wait, Waits
from harness.exports.columns import CALLS, record
from harness.records.chrome_trace import Timeline
from harness.records.codec import served_to_json
from harness.records.rows import call_times_of, span_to_row
from harness.records.run import Place, StoredTopic
from harness.records.stored import StoredSpan
from harness.records.typed import TypedReader
from harness.report.detail import detail_of
from harness.report.requests import requests_of
from harness.simulation.books import SIMULATED_WAITS, WaitSums
from harness.telemetry.attributes import call_attributes
from harness.timing.bounds import bound_of
from harness.timing.losses import CAUSES, losses_of

SCHEMA = Path(__file__).parent.parent / "docs" / "schemas" / "traces.row.schema.json"
DOCS = SCHEMA.parent.parent
ENGINE = Path(__file__).parent.parent / "harness" / "engine"
STYLES = Path(__file__).parent.parent / "harness" / "report" / "static" / "topic.css"

each_wait = pytest.mark.parametrize("wait", WAITS, ids=[wait.field for wait in WAITS])


def served_after(wait: Wait, seconds: float = 2.0) -> Served:
    return Served(latency_s=1.0).waited(**{wait.field: seconds})


def a_call(wait: Wait) -> StoredSpan:
    """A call that waited two seconds, and was answered in one."""
    return a_stored_span(start_s=0.0, end_s=3.0, served=served_after(wait))


def a_row(wait: Wait) -> dict[str, Any]:
    return span_to_row(a_call(wait), index=0, session=1)


def a_call_after_failing(wait: Wait) -> StoredSpan:
    """The same for a call whose first attempt waited, and failed after half a second."""
    waited: dict[str, Any] = {wait.field: 2.0}
    failed = FailedAttempt(number=1, kind="server", message="no", elapsed_s=0.5, **waited)
    served = Served(attempts=2, failures=(failed,), latency_s=1.0, **waited)
    return a_stored_span(start_s=0.0, end_s=3.5, served=served)


def test_the_table_has_a_row_for_each_field_and_no_other() -> None:
    assert [wait.field for wait in WAITS] == [field.name for field in fields(Waits)]
    assert BACKOFF.field not in {wait.field for wait in WAITS}


@each_wait
def test_a_wait_counts_in_the_sum_and_comes_back_from_its_row(wait: Wait) -> None:
    served = served_after(wait)
    assert served.waited_s == 2.0
    assert TypedReader(Served).of_value(json.loads(json.dumps(served_to_json(served)))) == served
    assert (wait.field in served_to_json(Served())) is not wait.is_sparse


@each_wait
def test_a_wait_stands_in_the_schema_of_a_row_and_of_its_failures(wait: Wait) -> None:
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    assert wait.field in definitions["served"]["properties"]
    assert (wait.field in definitions["served"]["required"]) is not wait.is_sparse
    # Failed attempts of earlier versions told no waits.
    assert wait.field in definitions["attempt"]["properties"]
    assert wait.field not in definitions["attempt"]["required"]


@each_wait
def test_a_wait_is_a_column_of_the_calls(wait: Wait) -> None:
    cells = dict(zip([column.name for column in CALLS], record(CALLS, a_row(wait)), strict=True))
    assert {name for name, cell in cells.items() if cell == 2.0 and name.startswith("served_")} == {
        f"served_{wait.field}"
    }


@each_wait
def test_a_wait_is_a_slice_of_the_timeline(wait: Wait) -> None:
    events = Timeline("run").topic([a_call(wait)], offset_s=0.0, elapsed_s=3.0)
    slices = [
        (event["name"], event["ts"], event["dur"]) for event in events if event.get("cat") == "wait"
    ]
    assert slices == [(wait.words, 0, 2_000_000)]


@each_wait
def test_a_wait_is_shown_on_the_page_in_a_colour_that_it_has(wait: Wait) -> None:
    [call] = detail_of(StoredTopic(result=a_stored_result(), calls=(a_call(wait),), at=Place()))[
        "calls"
    ]
    assert call["waits"] == [{"words": wait.words, "colour": wait.colour, "seconds": 2.0}]
    assert not wait.colour or f".phase-{wait.colour} {{" in STYLES.read_text()


@each_wait
def test_a_request_is_drawn_after_what_held_it(wait: Wait) -> None:
    failed, _ = requests_of(a_call_after_failing(wait))
    assert failed.start_s == (2.0 if wait.is_held else 0.0)


@each_wait
def test_a_wait_is_an_attribute_of_a_span(wait: Wait) -> None:
    span = a_span(served=served_after(wait))
    assert call_attributes(span, content=False)[f"harness.wait.{wait.attribute}"] == 2.0


@each_wait
def test_a_wait_is_laid_to_its_cause_and_told_in_a_benchmark(wait: Wait) -> None:
    calls = [call_times_of(a_call(wait))]
    limits = Limits(in_flight=1, per_run=1)
    bound = bound_of(calls, limits)
    lost = losses_of(calls, 3.0, bound, limits)
    assert {cause: seconds for cause, seconds in lost.items() if seconds} == {
        wait.cause: pytest.approx(2.0)
    }
    assert CAUSES[wait.cause]

    mean = MeanBound(seconds=1.0, by="work", work_s=1.0, critical_path_s=1.0, pace_s=0.0)
    told = wait.lost_to.format(in_flight=1, per_run=1) or "our own code"
    assert f"2.0 s was lost to {told}" in story_of(limits, 3.0, mean, lost)


@each_wait
def test_what_held_a_request_is_queueing_in_a_benchmark(wait: Wait) -> None:
    measured = measured_from_span(a_call(wait), arm="a", round_=1, origin_s=0.0)
    assert measured.queue_wait_s == (2.0 if wait.is_held else 0.0)


def test_a_simulation_adds_up_what_held_requests_and_backoff() -> None:
    assert (*HELD, BACKOFF) == SIMULATED_WAITS
    sums = WaitSums()
    for wait in HELD:
        sums.add(served_after(wait))
    sums.add(
        Served(failures=(FailedAttempt(number=1, kind="server", message="no", backoff_s=2.0),))
    )
    assert sums.seconds == {wait.field: 2.0 for wait in SIMULATED_WAITS}


def test_each_kind_has_its_place_in_the_order_of_an_attempt() -> None:
    assert sorted(wait.field for wait in IN_ORDER) == sorted(wait.field for wait in WAITS)


@each_wait
def test_a_wait_is_documented_and_some_layer_fills_it(wait: Wait) -> None:
    telemetry = (DOCS / "telemetry.md").read_text()
    assert f"`.{wait.attribute}`" in telemetry or f"`harness.wait.{wait.attribute}`" in telemetry
    assert f"`{wait.cause}`" in (DOCS / "benchmarks.md").read_text()
    assert any(f"{wait.field}=" in file.read_text() for file in ENGINE.glob("*.py"))
