"""The directory of a benchmark: read as it was written, and refused where it was not written by
us.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benches import a_bench, a_call, a_round
from records import a_span

from harness.bench.files import Bench, read_bench, write_bench
from harness.bench.measured import measured_from_row, measured_from_span, measured_to_row
from harness.bench.numbers import report_of
from harness.domain.completion import FailedAttempt, Served, Usage
from harness.domain.run import Failure
from harness.errors import ResultsError
from harness.timing.bounds import FailedTimes


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A benchmark on the disk."""
    made = a_bench([*a_round(), *a_round(2)], repeat=2)
    write_bench(tmp_path, made.description, made.calls)
    return made


def test_a_benchmark_is_read_as_it_was_written(bench: Bench, tmp_path: Path) -> None:
    found = read_bench(tmp_path)
    assert (found.calls, found.arms) == (bench.calls, bench.arms)
    assert report_of(found).arms == report_of(bench).arms


def test_a_call_with_attempts_in_vain_is_read_as_it_was_written() -> None:
    before = (FailedTimes(queued_s=1, elapsed_s=2, backoff_s=3), FailedTimes(elapsed_s=1))
    call = a_call("batch-2", "u", 0, 9, before=before, queued_s=1)
    row = json.loads(json.dumps(measured_to_row(call)))
    assert row["before"] == [{"queued_s": 1, "elapsed_s": 2, "backoff_s": 3}, {"elapsed_s": 1}]
    assert measured_from_row(row) == call


CUT_OR_EDITED = [
    pytest.param("spans.jsonl", lambda data: data[:-20], id="torn"),
    pytest.param(
        "spans.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[:-1]), id="a line short"
    ),
    pytest.param(
        "spans.jsonl", lambda data: data.replace(b'"end_s":10', b'"end_s":9'), id="another time"
    ),
    pytest.param("spans.jsonl", lambda data: data + b"\xff\xfe", id="binary"),
    pytest.param("spans.jsonl", lambda data: b"", id="empty"),
    pytest.param(
        "bench.json", lambda data: data.replace(b'"repeat": 2', b'"repeat": 1'), id="fewer rounds"
    ),
    pytest.param(
        "bench.json",
        lambda data: data.replace(b'"in_flight": 2', b'"in_flight": 0'),
        id="another limit",
    ),
    pytest.param(
        "bench.json", lambda data: data.replace(b'"cores": 2', b'"cores": 64'), id="another machine"
    ),
    pytest.param(
        "bench.json",
        lambda data: data.replace(b'"model": "m"', b'"model": "n"'),
        id="another model",
    ),
    pytest.param("bench.json", lambda data: data.replace(b'"seal"', b'"broken"'), id="no seal"),
]


@pytest.mark.parametrize(("name", "change"), CUT_OR_EDITED)
def test_what_is_not_as_it_was_measured_is_refused(
    bench: Bench, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / name
    before = file.read_bytes()
    file.write_bytes(change(before))
    assert file.read_bytes() != before
    with pytest.raises(ResultsError, match="is not as it was measured, but cut short or edited"):
        read_bench(tmp_path)


def test_calls_that_are_gone_are_missed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "spans.jsonl").unlink()
    with pytest.raises(ResultsError, match=r"spans\.jsonl: cannot be read: No such file"):
        read_bench(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"version": 9}', "of version 9, not 1"),
        ('{"version": 1, "status": "running"}', "was interrupted"),
    ],
)
def test_what_is_no_finished_benchmark_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ResultsError, match=said):
        read_bench(tmp_path)


def test_a_row_of_a_trace_becomes_its_times() -> None:
    failure = FailedAttempt(
        number=1, kind="server", message="", queued_s=1.0, elapsed_s=2.0, backoff_s=3.0
    )
    served = Served(
        queued_run_s=0.5, queued_s=1.5, latency_s=4.0, ttft_answer_s=1.0, failures=(failure,)
    )
    span = a_span(
        start_s=10.0,
        end_s=21.0,
        usage=Usage(input_tokens=3, output_tokens=4, cached_tokens=1),
        served=served,
    )
    call = measured_from_span(span, arm="batch-2", round_=1, origin_s=10.0)
    assert (call.times.start_s, call.times.end_s, call.times.service_s, call.times.tokens) == (
        0,
        11,
        4,
        7,
    )
    assert call.times.before == (FailedTimes(queued_s=1.0, elapsed_s=2.0, backoff_s=3.0),)
    # It was sent for the last time 7 s after it was wanted.
    assert (call.queue_wait_s, call.ttft_answer_s, call.total_s) == (2.0, 8.0, 11.0)

    failed = measured_from_span(
        replace(span, error=Failure(type="X", message="")), arm="batch-2", round_=1, origin_s=10.0
    )
    assert (failed.times.service_s, failed.ttft_answer_s, failed.failed) == (0, None, True)
    hit = replace(served, source="cache", failures=())
    cached = measured_from_span(replace(span, served=hit), arm="batch-2", round_=1, origin_s=10.0)
    assert (cached.times.service_s, cached.times.tokens, cached.times.sent) == (0, 0, False)
