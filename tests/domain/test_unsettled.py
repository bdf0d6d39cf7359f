from __future__ import annotations

from typing import Any

import pytest

from harness.domain.completion import Completion, Message, Request, Served, ToolCall, Usage
from harness.domain.token_estimate import input_tokens_at_most
from harness.domain.unsettled import (
    ENOUGH_ANSWERS,
    UNSEEN_TOKENS_PER_S,
    FastestWriting,
    tokens_seen_at_most,
    usage_at_most,
)

REQUEST = Request(
    endpoint="e", model="m", messages=(Message(role="user", content="why?"),), max_tokens=30_000
)
GIVEN = input_tokens_at_most(REQUEST)


def answered(tokens: int = 0, *, content: str = "", **served: Any) -> Completion:
    usage = Usage(input_tokens=5 if tokens else 0, output_tokens=tokens)
    return Completion(
        model="m", content=content, finish_reason="stop", usage=usage, served=Served(**served)
    )


def writing(tokens_per_s: float) -> FastestWriting:
    """A writer that was measured often enough."""
    return FastestWriting(answers=ENOUGH_ANSWERS, seen_tokens_per_s=tokens_per_s)


def output_of(seen: Completion | None = None, **how: Any) -> int:
    told: dict[str, Any] = {
        "elapsed_s": 10.0,
        "ended": False,
        "streamed": True,
        "fastest": writing(100.0),
        **how,
    }
    usage = usage_at_most(REQUEST, seen, **told)
    assert usage.input_tokens == GIVEN
    return usage.output_tokens


def test_a_stream_that_broke_counts_the_time_that_passed_at_the_fastest_rate() -> None:
    # Ten seconds and two more in which the server does not know yet, at half as much again as was
    # seen.
    assert output_of() == 12 * 150


def test_what_arrived_counts_where_it_is_more() -> None:
    # Likely 2,500 tokens; twice that many at most.
    assert output_of(answered(content="four" * 2500)) == 5000


def test_never_more_than_the_cap() -> None:
    assert output_of(elapsed_s=10_000.0) == 30_000


def test_a_request_for_a_whole_answer_may_have_been_answered_to_its_end() -> None:
    assert output_of(streamed=False, elapsed_s=0.1) == 30_000


@pytest.mark.parametrize("streamed", [True, False])
def test_nothing_is_written_after_the_end(streamed: bool) -> None:
    assert output_of(ended=True, streamed=streamed) == 10 * 150


def test_until_enough_answers_were_seen_a_fast_writer_is_reckoned_with() -> None:
    fastest = FastestWriting()
    for _ in range(ENOUGH_ANSWERS - 1):
        fastest.learn(answered(50, latency_s=1.0))
        assert fastest.tokens_per_s == UNSEEN_TOKENS_PER_S
    fastest.learn(answered(50, latency_s=1.0))
    assert fastest.tokens_per_s == 75.0


def test_a_writer_that_is_faster_than_was_thought_is_known_at_once() -> None:
    fastest = FastestWriting()
    fastest.learn(answered(4000, latency_s=2.0))
    assert fastest.tokens_per_s == 3000.0


def test_the_rate_is_that_from_the_first_token_on() -> None:
    fastest = FastestWriting()
    fastest.learn(answered(100, latency_s=6.0, ttft_reasoning_s=4.0, ttft_answer_s=5.0))
    assert fastest.seen_tokens_per_s == 50.0


def test_an_answer_that_came_in_one_piece_is_measured_by_its_whole_time() -> None:
    fastest = FastestWriting()
    fastest.learn(answered(100, latency_s=5.0, ttft_answer_s=4.9))
    assert fastest.seen_tokens_per_s == 20.0


def test_an_answer_without_usage_is_measured_by_its_text() -> None:
    fastest = FastestWriting()
    fastest.learn(answered(content="four" * 10, latency_s=2.0))
    assert fastest.seen_tokens_per_s == 10.0


@pytest.mark.parametrize("answer", [answered(100), answered(latency_s=2.0)])
def test_what_took_no_time_or_has_no_tokens_says_nothing(answer: Completion) -> None:
    fastest = FastestWriting()
    fastest.learn(answer)
    assert (fastest.answers, fastest.seen_tokens_per_s) == (0, 0.0)


def test_all_that_arrived_is_seen() -> None:
    call = ToolCall(id="1", name="abcd", arguments="abcd" * 3)
    answer = Completion(
        model="m",
        content="four",
        reasoning="four" * 2,
        finish_reason="",
        usage=Usage(),
        tool_calls=(call,),
    )
    # 1 + 2 + 4 tokens likely, twice that at most.
    assert tokens_seen_at_most(answer) == 14
