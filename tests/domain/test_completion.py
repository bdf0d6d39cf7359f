from __future__ import annotations

from typing import Any

import pytest

from harness.domain.call import Call
from harness.domain.completion import (
    Completion,
    FailedAttempt,
    JsonSchema,
    Request,
    Served,
    ToolCall,
    Usage,
)


def test_usage_adds_field_by_field() -> None:
    total = Usage(input_tokens=1, output_tokens=2, reasoning_tokens=1, cached_tokens=1) + Usage(
        input_tokens=10, output_tokens=20, reasoning_tokens=10, cached_tokens=5
    )
    assert total == Usage(input_tokens=11, output_tokens=22, reasoning_tokens=11, cached_tokens=6)
    assert total.total_tokens == 33


def test_waits_add_up_by_cause() -> None:
    served = Served(queued_s=1.0).waited(
        queued_run_s=4.0, queued_s=2.0, paced_s=8.0, budget_s=16.0, outage_s=64.0, stored_s=32.0
    )
    assert served == Served(
        queued_run_s=4.0, queued_s=3.0, paced_s=8.0, budget_s=16.0, outage_s=64.0, stored_s=32.0
    )
    assert served.waited_s == 127.0
    assert served.waited() is served


def test_backoff_is_the_sum_over_the_failures() -> None:
    failures = tuple(
        FailedAttempt(number=n, kind="server", message="", backoff_s=n) for n in (1, 2)
    )
    assert Served(failures=failures).backoff_s == 3.0


def test_the_owner_of_a_call_is_its_place_in_the_run() -> None:
    assert Call(run_id="r", topic_id="t", span_id="a/b").owner == "r/t/a/b"


def test_requests_are_compared_by_what_they_ask() -> None:
    one, other = (Request(endpoint="e", model="m", messages=()) for _ in range(2))
    one.memo["key"] = "computed before"
    assert one == other
    assert "memo" not in repr(one)


@pytest.mark.parametrize(
    ("reasoning_s", "answer_s", "first_s"),
    [(0.5, 2.0, 0.5), (None, 2.0, 2.0), (0.5, None, 0.5), (None, None, None)],
)
def test_the_first_token_is_the_first_of_reasoning_and_answer(
    reasoning_s: float | None, answer_s: float | None, first_s: float | None
) -> None:
    assert Served(ttft_reasoning_s=reasoning_s, ttft_answer_s=answer_s).ttft_s == first_s


def told(
    reasoning: str, content: str, usage: Usage, *, tool_calls: tuple[ToolCall, ...] = ()
) -> Usage:
    answer = Completion(
        model="m",
        content=content,
        finish_reason="stop",
        usage=usage,
        reasoning=reasoning,
        tool_calls=tool_calls,
    )
    return answer.as_told.usage


def test_an_answer_of_no_tokens_was_not_counted() -> None:
    assert told("", "Yes.", Usage()) == Usage(untold=1)
    assert told("", "Yes.", Usage(untold=1)) == Usage(untold=1)


def test_reasoning_that_was_not_counted_is_judged_by_its_share_of_the_text() -> None:
    counted = Usage(input_tokens=5, output_tokens=40)
    judged = Usage(input_tokens=5, output_tokens=40, reasoning_untold=1, reasoning_estimated=30)
    assert told("r" * 120, "a" * 40, counted) == judged


def test_calls_are_a_part_of_the_text() -> None:
    call = ToolCall(id="1", name="look", arguments="x" * 36)
    assert told("r" * 40, "", Usage(output_tokens=20), tool_calls=(call,)).reasoning_estimated == 10


def test_reasoning_of_a_few_characters_took_a_token() -> None:
    assert told("R", "a" * 400, Usage(output_tokens=100)).reasoning_estimated == 1


@pytest.mark.parametrize(
    "usage",
    [
        Usage(output_tokens=9, reasoning_tokens=4),
        Usage(output_tokens=9, reasoning_untold=1),
        Usage(input_tokens=9),
    ],
)
def test_what_the_server_counted_stays_as_it_is(usage: Usage) -> None:
    assert told("Hm.", "Yes.", usage) == usage


def test_what_was_not_told_adds_up_with_the_rest() -> None:
    assert Usage(untold=1, output_tokens=2) + Usage(untold=2, reasoning_untold=1) == Usage(
        untold=3, output_tokens=2, reasoning_untold=1
    )


@pytest.mark.parametrize(
    ("name", "schema", "why"),
    [
        ("a city", {"type": "object"}, "letters, digits"),
        ("", {"type": "object"}, "letters, digits"),
        ("x" * 65, {"type": "object"}, "letters, digits"),
        ("city", {}, "not empty"),
        ("city", ["type"], "must be an object"),
        ("city", {"minimum": float("nan")}, "what JSON can say"),
        ("city", {"enum": {1, 2}}, "what JSON can say"),
        ("city", {"type": "objekt"}, "is none: type is no type of JSON: 'objekt'"),
    ],
)
def test_a_schema_that_no_server_takes_is_refused_where_it_is_made(
    name: str, schema: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        JsonSchema(name=name, schema=schema)
