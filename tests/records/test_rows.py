from __future__ import annotations

import json
from types import MappingProxyType

from records import a_failed_result, a_hard_won_span, a_result, a_span

from harness.domain.run import Failure
from harness.records.json_text import to_text
from harness.records.rows import call_times_of, result_to_row, span_to_row


def test_a_row_says_everything_of_a_topic() -> None:
    row = result_to_row(a_failed_result(3, metadata={"lang": "zh"}), session=2)

    assert row == {
        "version": 1,
        "run_id": "run",
        "session": 2,
        "topic_id": "t3",
        "index": 3,
        "workflow": "research",
        "status": "failed",
        "topic": "why?",
        "output": None,
        "sections": [],
        "error": {
            "type": "TopicFailed",
            "kind": None,
            "message": "no answer",
            "step": None,
            "status": None,
        },
        "usage": {
            "input_tokens": 10,
            "output_tokens": 20,
            "reasoning_tokens": 5,
            "cached_tokens": 4,
        },
        "cost": 0.25,
        "saved": 0.0,
        "calls": 2,
        "hits": 1,
        "started_at": "2026-11-16T12:00:00.000+00:00",
        "elapsed_s": 3.5,
        "sequential_s": 4.25,
        "metadata": {"lang": "zh"},
        "answered_by": [],
    }


def test_a_row_of_a_call_tells_its_whole_story() -> None:
    row = span_to_row(a_hard_won_span(), index=3, session=2)

    assert row["served"] == {
        "source": "endpoint",
        "attempts": 2,
        "queued_run_s": 0.1,
        "queued_s": 0.2,
        "paced_s": 0.3,
        "budget_s": 0.4,
        "outage_s": 0.7,
        "ttft_reasoning_s": 0.5,
        "ttft_answer_s": 0.75,
        "latency_s": 2.0,
        "stored_s": 0.6,
        "failures": [
            {
                "number": 1,
                "kind": "rate_limited",
                "status": 429,
                "message": "slow down",
                "elapsed_s": 0.5,
                "backoff_s": 0.25,
                "queued_run_s": 0.0,
                "queued_s": 0.0,
                "paced_s": 0.0,
                "budget_s": 0.0,
                "stored_s": 0.0,
                "usage": None,
                "cost": 0.0,
                "content": "",
                "reasoning": "",
            }
        ],
    }
    assert row["tool_calls"] == [{"id": "c1", "name": "look_up", "arguments": "{}"}]
    assert (row["index"], row["session"], row["own_s"]) == (3, 2, 2.5)


def test_a_wait_for_the_provider_stands_in_a_row_where_there_was_one_and_old_rows_are_read() -> (
    None
):
    waited = span_to_row(a_hard_won_span(), index=0, session=1)
    others = span_to_row(a_span(), index=0, session=1)

    assert "outage_s" in to_text(waited)
    assert "outage_s" not in to_text(others)
    assert call_times_of(a_hard_won_span()).outage_s == 0.7
    assert [attempt.outage_s for attempt in call_times_of(a_hard_won_span()).before] == [0.0]
    assert call_times_of(a_span()).outage_s == 0.0


def test_seconds_are_rounded_to_what_a_clock_can_tell() -> None:
    row = span_to_row(a_span(start_s=0.1234567891), index=0, session=1)

    assert row["start_s"] == 0.123457


def test_any_mapping_and_sequence_of_a_workflow_becomes_json() -> None:
    output = MappingProxyType({"parts": (MappingProxyType({"n": 1}), [2])})
    row = result_to_row(a_result(output=output, sections=(MappingProxyType({"a": ()}),)), session=1)

    written = json.loads(to_text(row))
    assert written["output"] == {"parts": [{"n": 1}, [2]]}
    assert written["sections"] == [{"a": []}]


def test_half_a_surrogate_pair_can_be_written() -> None:
    row = result_to_row(
        a_result(output="\ud83d", error=Failure(type="X", message="\udcff")), session=1
    )

    assert json.loads(to_text(row).encode())["output"] == "\ud83d"
