"""The directory of a benchmark: read as it was written, and refused where it was not written by us."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benches import a_bench, a_call, a_round

from harness.bench.files import Bench, read_bench, write_bench
from harness.bench.measured import measured_from_row, measured_from_trace, measured_to_row
from harness.bench.numbers import report_of
from harness.domain.bounds import InVain
from harness.errors import ResultsError


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A benchmark on the disk."""
    made = a_bench([*a_round(), *a_round(2)], repeat=2)
    write_bench(tmp_path, made.description, made.calls)
    return made


def test_a_benchmark_is_read_as_it_was_written(bench: Bench, tmp_path: Path) -> None:
    found = read_bench(tmp_path)
    assert (found.calls, found.arms) == (bench.calls, bench.arms)
    assert report_of(found)["arms"] == report_of(bench)["arms"]


def test_a_call_with_attempts_in_vain_is_read_as_it_was_written() -> None:
    before = (InVain(queued_s=1, elapsed_s=2, backoff_s=3), InVain(elapsed_s=1))
    call = a_call("batch-2", "u", 0, 9, before=before, queued_s=1)
    row = json.loads(json.dumps(measured_to_row(call)))
    assert row["before"] == [{"queued_s": 1, "elapsed_s": 2, "backoff_s": 3}, {"elapsed_s": 1}]
    assert measured_from_row(row) == call


def change_spans(path: Path, change: Callable[[bytes], bytes]) -> None:
    spans = path / "spans.jsonl"
    spans.write_bytes(change(spans.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-20],
        lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
        lambda data: data.replace(b'"end_s":10', b'"end_s":9'),
        lambda data: data + b"\xff\xfe",
        lambda data: b"",
    ],
    ids=["torn", "a line short", "edited", "binary", "empty"],
)
def test_calls_that_are_not_those_that_were_measured_are_refused(
    bench: Bench, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    change_spans(tmp_path, change)
    with pytest.raises(ResultsError, match=r"spans\.jsonl: is not what was measured"):
        read_bench(tmp_path)


def test_calls_that_are_gone_are_missed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "spans.jsonl").unlink()
    with pytest.raises(ResultsError, match=r"spans\.jsonl: cannot be read: No such file"):
        read_bench(tmp_path)


@pytest.mark.parametrize("row", [{"arm": "sequential"}, [1, 2], "x", {**measured_to_row(a_round()[0]), "before": [1]}])
def test_a_row_that_is_no_call_is_refused(row: Any) -> None:
    with pytest.raises(ResultsError, match="a call without its timings"):
        measured_from_row(row)


def an_arm(**limits: Any) -> dict[str, Any]:
    return {"name": "sequential", "limits": limits, "swept": False}


@pytest.mark.parametrize(
    "change",
    [
        {"repeat": "x"},
        {"repeat": 0},
        {"repeat": True},
        {"topics": None},
        {"identity": "x"},
        {"about": []},
        {"settings": 1},
        {"spans_sha256": None},
        {"arms": []},
        {"arms": "x"},
        {"arms": [{}]},
        {"arms": [an_arm(in_flight=0)]},
        {"arms": [an_arm(in_flight="2")]},
        {"arms": [an_arm(unheard_of=2)]},
    ],
    ids=str,
)
def test_a_description_that_is_none_is_damaged(bench: Bench, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ResultsError, match=r"bench\.json: damaged"):
        read_bench(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"version": 9}', "of version 9, not 1"),
        ('{"version": 1, "status": "running"}', "was interrupted"),
    ],
)
def test_what_is_no_finished_benchmark_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ResultsError, match=said):
        read_bench(tmp_path)


def test_a_row_of_a_trace_becomes_its_times() -> None:
    waits = {"queued_run_s": 0.5, "queued_s": 1.5, "paced_s": 0.0, "budget_s": 0.0, "stored_s": 0.0}
    failure = {**dict.fromkeys(waits, 0.0), "queued_s": 1.0, "elapsed_s": 2.0, "backoff_s": 3.0, "kind": "server"}
    row: dict[str, Any] = {
        "topic_id": "t",
        "id": "ask",
        "step": "ask",
        "start_s": 10.0,
        "end_s": 21.0,
        "key": "k" * 64,
        "model": "m",
        "usage": {"input_tokens": 3, "output_tokens": 4, "cached_tokens": 1},
        "cost": 0.5,
        "error": None,
        "served": {
            **waits,
            "source": "endpoint",
            "latency_s": 4.0,
            "ttft_reasoning_s": None,
            "ttft_answer_s": 1.0,
            "failures": [failure],
        },
    }
    call = measured_from_trace(row, arm="batch-2", round_=1, origin_s=10.0)
    assert (call.times.start_s, call.times.end_s, call.times.service_s, call.times.tokens) == (0, 11, 4, 7)
    assert call.times.before == (InVain(queued_s=1.0, elapsed_s=2.0, backoff_s=3.0),)
    # It was sent for the last time 7 s after it was wanted.
    assert (call.queue_wait_s, call.ttft_answer_s, call.total_s) == (2.0, 8.0, 11.0)

    failed = measured_from_trace({**row, "error": {"type": "X"}}, arm="batch-2", round_=1, origin_s=10.0)
    assert (failed.times.service_s, failed.ttft_answer_s, failed.failed) == (0, None, True)
    hit = {**row["served"], "source": "cache", "failures": []}
    cached = measured_from_trace({**row, "served": hit}, arm="batch-2", round_=1, origin_s=10.0)
    assert (cached.times.service_s, cached.times.tokens, cached.times.sent) == (0, 0, False)
