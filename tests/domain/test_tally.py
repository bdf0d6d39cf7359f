from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from harness.domain.call import Call
from harness.domain.completion import Completion, FailedAttempt, Request, Served, Usage
from harness.domain.failures import PermanentError
from harness.domain.run import Failure, Output, Span, Topic, TopicResult
from harness.domain.spans import Asked, failure_of
from harness.domain.tally import Totals, size_of_output, topic_result, totals_of, unrecordable

ASKED = Asked(
    call=Call(run_id="r", topic_id="t", span_id="s"),
    request=Request(endpoint="e", model="m", messages=()),
    step="s",
    parent=None,
    start_s=1.0,
    end_s=4.0,
)
ANSWER = Completion(
    model="m",
    content="x",
    finish_reason="stop",
    usage=Usage(input_tokens=10, output_tokens=5),
    cost=0.5,
    owner="r/t/s",
    served=Served(latency_s=3.0),
)
RESET = FailedAttempt(number=1, kind="connection", message="reset", elapsed_s=2.0, cost=0.25)


def paid() -> Span:
    return ASKED.answered(ANSWER)


def retried() -> Span:
    return ASKED.answered(
        replace(ANSWER, served=Served(attempts=2, failures=(RESET,), latency_s=3.0))
    )


def shared() -> Span:
    return ASKED.answered(
        replace(
            ANSWER, owner="r/other/s", served=Served(source="shared", attempts=0, latency_s=3.0)
        )
    )


def failed() -> Span:
    error = PermanentError("no", kind="bad_request")
    error.served = Served(failures=(RESET,))
    return ASKED.failed(error)


def row_of(*spans: Span, output: Output | None = None, error: Failure | None = None) -> TopicResult:
    return topic_result(
        run_id="r",
        workflow="w",
        topic=Topic(id="t", text="moon", index=7, metadata={"lang": "en"}),
        spans=spans,
        output=output,
        error=error,
        started_at=datetime(2026, 11, 16, tzinfo=UTC),
        elapsed_s=9.0,
    )


def test_the_sums_of_calls() -> None:
    assert totals_of([paid(), retried(), shared(), failed()]) == Totals(
        calls=4,
        hits=1,
        failures=1,
        retries=1,
        input_tokens=30,
        output_tokens=15,
        cost=0.5 + 0.75 + 0.0 + 0.25,
        saved=0.5,
        unpriced=0,
        # A shared answer took nobody's own time twice.
        sequential_s=3.0 + 5.0 + 0.0 + 2.0,
    )


def test_a_row_is_ok_degraded_or_failed() -> None:
    ok = row_of(paid(), output=Output(value="x", sections=({"a": 1},)))
    degraded = row_of(output=Output(value="x", degraded="1 of 3 failed"))
    failed_row = row_of(error=Failure(type="ParseError", message="no list"))
    assert (ok.status, ok.error, ok.output, ok.sections) == ("ok", None, "x", ({"a": 1},))
    assert (ok.topic, ok.index, ok.metadata, ok.cost) == ("moon", 7, {"lang": "en"}, 0.5)
    assert (degraded.status, degraded.error) == (
        "degraded",
        Failure(type="Degraded", message="1 of 3 failed"),
    )
    assert (failed_row.status, failed_row.output, failed_row.sections) == ("failed", None, ())


def test_a_cost_that_is_not_known_of_one_call_is_not_known_of_the_topic() -> None:
    unpriced = ASKED.answered(replace(ANSWER, cost=None))
    assert row_of(paid(), unpriced).cost is None
    assert totals_of([unpriced]).unpriced == 1


def test_an_error_without_a_story_still_makes_a_span() -> None:
    span = ASKED.failed(PermanentError("no", kind="bad_request"))
    assert (span.end_s - span.start_s, span.served.latency_s, span.cost) == (3.0, 3.0, 0)


def test_what_a_row_can_hold() -> None:
    assert unrecordable(Output(value={"a": [1, "x", None]}, sections=({"b": 1},))) is None
    assert unrecordable(Output(value=float("inf"))) is not None
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "recursion" in str(unrecordable(Output(value=deep)))  # type: ignore[arg-type]


def test_an_exception_that_cannot_say_what_it_is_is_told_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert failure_of(Broken()).message == "(its own message cannot be made: RuntimeError)"


def test_the_size_of_an_output_is_that_of_its_texts() -> None:
    assert (
        size_of_output(Output(value="abc", sections=({"answer": "de", "cited": 7}, {"error": "f"})))
        == 6
    )
    assert size_of_output(Output(value={"a": "b"}, sections=(7,))) == 1  # type: ignore[arg-type]


def test_a_topic_with_an_answer_that_may_not_be_whole_is_degraded_and_says_why() -> None:
    doubtful = ASKED.answered(replace(ANSWER, finish_reason="spark"))
    doubt = "s: an answer ended for a reason that is not known here ('spark'): it may not be whole"
    row = row_of(doubtful, doubtful, paid(), output=Output(value="x"))
    assert (row.status, row.error) == ("degraded", Failure(type="Degraded", message=doubt))
    row = row_of(doubtful, output=Output(value="x", degraded="one part is missing"))
    assert row.error == Failure(type="Degraded", message=f"one part is missing; {doubt}")


def test_a_call_that_failed_leaves_no_doubt() -> None:
    error = PermanentError("no", kind="malformed", partial=replace(ANSWER, finish_reason="spark"))
    assert row_of(ASKED.failed(error), output=Output(value="x")).status == "ok"


def test_a_topic_without_an_output_and_without_an_error_is_ok() -> None:
    assert row_of(paid()).status == "ok"


def test_what_was_judged_here_is_summed_apart() -> None:
    answer = replace(ANSWER, content="a" * 16, reasoning="r" * 16, usage=Usage(output_tokens=8))
    judged = ASKED.answered(answer)
    usage = totals_of([judged, judged]).usage
    assert (usage.reasoning_tokens, usage.reasoning_untold, usage.reasoning_estimated) == (0, 2, 8)
