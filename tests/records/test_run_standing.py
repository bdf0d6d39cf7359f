from __future__ import annotations

from typing import Any

from records import a_failed_result, a_stored_result, values_of

from harness.domain.completion import Answerer, Usage
from harness.domain.run import Answered, Failure
from harness.records.run_standing import RowTotals, Standing
from harness.records.stored import StoredResult


def ok(index: int, session: int = 1, **fields: Any) -> StoredResult:
    return a_stored_result(index, session=session, **fields)


def failed(index: int, session: int = 1, **fields: Any) -> StoredResult:
    return StoredResult(**values_of(a_failed_result(index, **fields)), session=session)


def standing_of(*rows: StoredResult) -> Standing:
    standing = Standing()
    for row in rows:
        standing.add(row, row.session)
    return standing


def test_rows_add_up() -> None:
    totals = standing_of(ok(0), ok(1, cost=None), failed(2)).totals.as_json()

    assert totals == {
        "rows": 3,
        "ok": 2,
        "degraded": 0,
        "failed": 1,
        "unpriced": 1,
        "cost": 0.5,
        "saved": 0.0,
        "calls": 6,
        "hits": 3,
        "sequential_s": 12.75,
        "usage": {
            "input_tokens": 30,
            "output_tokens": 60,
            "reasoning_tokens": 15,
            "cached_tokens": 12,
        },
        "answered_by": [],
    }


def test_a_row_of_a_later_session_takes_the_place_of_a_failed_one() -> None:
    again = ok(0, session=2, cost=1.0, calls=7, usage=Usage(input_tokens=1))
    standing = standing_of(failed(0, cost=None), again)

    assert standing.totals.as_json() == standing_of(again).totals.as_json()
    assert standing.superseded == 1
    assert standing.counts(again.index, again.session)
    assert not standing.counts(0, 1)


def test_each_topic_stands_as_its_row_says_or_is_unfinished() -> None:
    standing = standing_of(ok(0), failed(1), ok(3, status="degraded"))

    assert [standing.state(index) for index in range(5)] == [
        "ok",
        "failed",
        "unfinished",
        "degraded",
        "unfinished",
    ]
    assert standing.in_states(("failed", "unfinished"), 5, 5) == 3
    assert standing.in_states(("degraded",), 5, 5) == 1
    assert standing.in_states(("ok",), 5, 5) == 1
    # Those that a limit leaves out today are not counted.
    assert standing.in_states(("failed", "degraded", "unfinished"), 2, 2) == 1


def test_a_row_of_a_later_session_takes_the_place_of_a_degraded_one() -> None:
    before = ok(0, status="degraded", cost=2.0, calls=9, usage=Usage(input_tokens=7))
    for again in (
        ok(0, session=2, cost=1.0),
        failed(0, session=2),
        ok(0, session=2, status="degraded"),
    ):
        standing = standing_of(before, again)
        assert standing.totals.as_json() == standing_of(again).totals.as_json()
        assert standing.superseded == 1
        assert not standing.counts(before.index, before.session)


def test_topics_with_gaps_between_them_are_counted_without_the_gaps() -> None:
    standing = standing_of(ok(1), ok(4))

    # Three topics, at 1, 4 and 6: the lines between are none.
    assert standing.unfinished(3, 7) == 1
    assert standing.in_states(("unfinished",), 3, 7) == 1


def test_rows_of_bad_lines_that_an_older_version_wrote_are_failures_until_the_run_goes_on() -> None:
    bad = failed(1, calls=0, hits=0, error=Failure(type="DatasetError", message="t.jsonl:2: blank"))
    own = failed(
        2, error=Failure(type="DatasetError", message="raised by a workflow after its first call")
    )
    standing = standing_of(ok(0), bad, own)
    assert standing.totals.as_json()["failed"] == 2

    standing.forget_bad_lines()

    assert standing.totals.as_json() == standing_of(ok(0), own).totals.as_json()
    assert not standing.counts(bad.index, bad.session)
    assert (standing.superseded, standing.unfinished(2, 3)) == (1, 0)


def test_unfinished_topics_are_counted_among_those_that_are_wanted_now() -> None:
    standing = standing_of(ok(0), ok(1), ok(4))

    assert [standing.unfinished(topics) for topics in (1, 2, 3, 5, 7)] == [0, 0, 1, 2, 4]


def test_a_topic_that_fails_twice_is_counted_once() -> None:
    standing = standing_of(failed(0), failed(0, session=2), failed(0, session=3))

    assert standing.totals.as_json()["failed"] == 1
    assert standing.superseded == 2


def test_a_row_of_a_topic_that_never_was_does_not_count() -> None:
    assert not standing_of(ok(0)).counts(1, 1)


def test_failed_topics_are_counted_by_cause_and_the_first_of_each_is_named() -> None:
    def because(index: int, kind: str, status: int | None) -> StoredResult:
        message = f"said of {index}\x1b"
        return failed(
            index, error=Failure(type="TransientError", message=message, kind=kind, status=status)
        )

    standing = standing_of(
        because(0, "server", 500), because(1, "timeout", None), because(2, "server", 500)
    )
    server, timeout = standing.failures()
    assert (server.cause, server.topics, server.topic_id, server.message) == (
        "server 500",
        2,
        "t0",
        "said of 0\\x1b",
    )
    assert (timeout.cause, timeout.topics, timeout.kind, timeout.type) == (
        "timeout",
        1,
        "timeout",
        "TransientError",
    )


def test_a_topic_that_was_run_again_is_a_failure_no_more() -> None:
    standing = standing_of(failed(0), ok(0, session=2))
    assert standing.failures() == ()


def test_sums_are_read_back_as_they_were_told() -> None:
    standing = Standing()
    other = Answered("mock", "x", Answerer("other/dear"), other=True)
    usage = Usage(input_tokens=10, output_tokens=20, reasoning_tokens=5, cached_tokens=4, untold=1)
    standing.add(a_stored_result(0, usage=usage, cost=0.25, answers={other: 2}), 1)
    standing.add(a_stored_result(1, status="degraded", cost=None), 1)
    told = standing.totals.rounded()
    assert RowTotals.from_json(told.as_json()) == told
