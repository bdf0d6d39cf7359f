from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import a_hard_won_span, a_span
from trace_events import assert_valid

from harness.domain.completion import FailedAttempt, Served
from harness.domain.outage_words import PastOutage
from harness.domain.run import Failure, Span
from harness.records.chrome_trace import RUN_PID, Event, Timeline, trace_file
from harness.records.stored import StoredSpan, stored_span


def rows(*spans: Span, index: int = 0) -> list[StoredSpan]:
    return [stored_span(span, index=index, session=1) for span in spans]


def events(
    *topics: Sequence[StoredSpan], offset_s: float = 0.0, elapsed_s: float = 0.0
) -> list[Event]:
    line = Timeline("run")
    return [
        *(
            event
            for calls in topics
            for event in line.topic(calls, offset_s=offset_s, elapsed_s=elapsed_s)
        ),
        *line.counters(),
    ]


def slices(found: Sequence[Event], category: str) -> list[tuple[str, int, int]]:
    return [
        (event["name"], event["ts"], event["dur"])
        for event in found
        if event.get("cat") == category
    ]


def test_a_call_shows_each_wait_each_attempt_and_its_tokens_in_order() -> None:
    # 0.1 + 0.2 + 0.3 + 0.4 + 0.7 of waits, 0.5 failed, 0.25 of backoff, 2.0 answered, 0.6 stored.
    calls = rows(Span(**{**fields(a_hard_won_span()), "start_s": 1.0, "end_s": 6.05}))

    found = events(calls)

    assert_valid(found)
    assert slices(found, "wait") == [
        ("waits for the budget", 1_000_000, 400_000),
        ("waits for a slot in its topic", 1_400_000, 100_000),
        ("waits for a slot", 1_500_000, 200_000),
        ("paced", 1_700_000, 300_000),
        ("waits for a provider that is away", 2_000_000, 700_000),
        ("cache and journal", 2_700_000, 600_000),
        ("backoff", 3_800_000, 250_000),
    ]
    assert slices(found, "attempt") == [
        ("attempt 1 failed: rate_limited", 3_300_000, 500_000),
        ("attempt 2", 4_050_000, 2_000_000),
    ]
    assert slices(found, "generation") == [
        ("to the first token", 4_050_000, 500_000),
        ("reasoning", 4_550_000, 250_000),
        ("answer", 4_800_000, 1_250_000),
    ]


def test_outages_are_slices_of_the_run() -> None:
    line = Timeline("run")
    call = line.topic(rows(a_span(start_s=0.0, end_s=2.0)), offset_s=0.0, elapsed_s=2.0)
    since = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
    away = PastOutage(
        since=since, until=None, seconds=75.5, probes=6, kind="connection", message="refused"
    )

    found = [*call, *line.outages([away], zero_s=since.timestamp() - 10.0), *line.counters()]

    assert_valid(found)
    assert slices(found, "outage") == [("provider away", 10_000_000, 75_500_000)]
    assert list(line.outages([], zero_s=0.0)) == []


def fields(span: Span) -> dict[str, Any]:
    return {name: getattr(span, name) for name in span.__dataclass_fields__}


def test_calls_that_overlap_stand_in_lanes_of_their_own_and_lanes_are_used_again() -> None:
    spans = [
        a_span(span_id="a", start_s=0.0, end_s=2.0),
        a_span(span_id="b", start_s=1.0, end_s=3.0),
        a_span(span_id="c", start_s=2.0, end_s=4.0),
    ]

    found = events(rows(*spans))

    lanes = {event["name"]: event["tid"] for event in found if event.get("cat") == "call"}
    assert lanes["a"] == lanes["c"] != lanes["b"]
    assert_valid(found)


def test_of_two_calls_that_shared_one_place_never_both_are_drawn_in_flight() -> None:
    # The second got the place when the first had kept its answer: 1 s of noting and keeping in
    # each, 2 s of answer.
    first = a_span(span_id="a", start_s=0.0, end_s=3.0, served=Served(latency_s=2.0, stored_s=1.0))
    second = a_span(
        span_id="b",
        start_s=0.0,
        end_s=6.0,
        served=Served(queued_s=3.0, latency_s=2.0, stored_s=1.0),
    )

    found = events(rows(first, second))

    assert [event["args"] for event in found if event["name"] == "calls"] == [
        {"in flight": 1},
        {"in flight": 0},
        {"in flight": 1},
        {"in flight": 0},
    ]


def test_threads_are_shown_in_their_order_the_topic_first() -> None:
    spans = [a_span(span_id=str(number), start_s=0.0, end_s=1.0 + number) for number in range(12)]

    found = events(rows(*spans))

    place = {
        event["tid"]: event["args"]["sort_index"]
        for event in found
        if event["name"] == "thread_sort_index"
    }
    names = {
        event["tid"]: event["args"]["name"] for event in found if event["name"] == "thread_name"
    }
    assert [names[tid] for tid in sorted(place, key=lambda tid: place[tid])] == [
        "topic",
        *(f"calls {number}" for number in range(1, 13)),
    ]


def test_the_counters_tell_what_was_open_at_each_change() -> None:
    first = rows(a_span(start_s=0.0, end_s=2.0))
    second = rows(a_span(topic_id="t1", start_s=1.0, end_s=3.0), index=1)

    counters = [
        (e["name"], *e["args"], e["ts"], *e["args"].values())
        for e in events(first, second)
        if e["ph"] == "C"
    ]

    for name in (("calls", "in flight"), ("topics", "open")):
        assert [counter[2:] for counter in counters if counter[:2] == name] == [
            (0, 1),
            (1_000_000, 2),
            (2_000_000, 1),
            (3_000_000, 0),
        ]


def test_each_topic_is_a_process_of_its_own_named_by_its_id() -> None:
    found = events(rows(a_span()), rows(a_span(topic_id="t1"), index=1))

    names = {e["pid"]: e["args"]["name"] for e in found if e["name"] == "process_name"}
    assert sorted(names.values()) == ["run run", "t0", "t1"]
    assert names[RUN_PID] == "run run"


def test_a_later_session_stands_after_the_first() -> None:
    (name, start, _), *_ = slices(
        events(rows(a_span(start_s=1.0, end_s=3.0)), offset_s=100.0), "call"
    )

    assert (name, start) == ("ask", 101_000_000)


def test_a_topic_is_as_long_as_it_was_open() -> None:
    assert slices(events(rows(a_span(start_s=1.0, end_s=3.0)), elapsed_s=5.0), "topic") == [
        ("t0", 1_000_000, 5_000_000)
    ]


def test_a_hit_is_a_slice_without_attempts_and_counts_no_request() -> None:
    found = events(rows(a_span(served=Served(source="cache", attempts=0, latency_s=2.0))))

    assert len(slices(found, "call")) == 1
    assert slices(found, "attempt") == []
    assert not [event for event in found if event["ph"] == "C" and event["name"] == "calls"]


def test_a_call_that_failed_for_good_says_why_and_has_no_successful_attempt() -> None:
    served = Served(
        attempts=1, failures=(FailedAttempt(number=1, kind="length", message="cut", elapsed_s=2.0),)
    )
    error = Failure(type="PermanentError", message="cut", kind="length")

    found = events(rows(a_span(served=served, error=error)))

    assert [name for name, _, _ in slices(found, "attempt")] == ["attempt 1 failed: length"]
    (call,) = [event for event in found if event.get("cat") == "call"]
    assert call["args"]["error"] == "PermanentError: cut"


def test_no_prompt_and_no_answer_is_in_it() -> None:
    text = b"".join(
        trace_file(events(rows(a_span(content="SECRET answer", reasoning="SECRET thought"))))
    )

    assert b"SECRET" not in text
    assert b"why?" not in text


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_file_is_json_whatever_the_number_of_events(number: int) -> None:
    made: list[Event] = [
        {"ph": "C", "name": "é\n", "pid": 1, "ts": at, "args": {}} for at in range(number)
    ]

    assert json.loads(b"".join(trace_file(made)))["traceEvents"] == made


@pytest.mark.parametrize(
    ("name", "written"), [("tête 日本 😀", "tête 日本 😀"), ("half \ud83d", "half ?")]
)
def test_the_file_has_characters_and_no_escapes_of_surrogates_which_perfetto_refuses(
    name: str, written: str
) -> None:
    text = b"".join(trace_file([{"ph": "C", "name": name, "pid": 1, "ts": 0, "args": {}}]))

    assert f'"name":"{written}"' in text.decode()


seconds = st.floats(0, 20).map(lambda value: round(value, 6))


@given(
    st.lists(
        st.builds(
            lambda start, length, waits, latency, ttft, failed: a_span(
                start_s=start,
                end_s=start + length,
                served=Served(
                    queued_s=waits[0],
                    paced_s=waits[1],
                    outage_s=waits[2],
                    stored_s=waits[2],
                    latency_s=latency,
                    ttft_answer_s=ttft,
                    attempts=2,
                    failures=(
                        FailedAttempt(
                            number=1, kind="timeout", message="", elapsed_s=failed, backoff_s=failed
                        ),
                    ),
                ),
            ),
            seconds,
            seconds,
            st.tuples(seconds, seconds, seconds),
            seconds,
            st.none() | seconds,
            seconds,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_slices_are_nested_whatever_the_rows_say(spans: list[Span]) -> None:
    assert_valid(events(rows(*spans)))
