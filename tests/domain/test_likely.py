from __future__ import annotations

import pytest

from harness.domain.completion import Message, Request, Usage
from harness.domain.likely import ENOUGH_ANSWERS, KEPT, Likely, Recent
from harness.domain.token_estimate import input_tokens_at_most

REQUEST = Request(
    endpoint="e", model="m", messages=(Message(role="user", content="why?"),), max_tokens=10_000
)
GIVEN = input_tokens_at_most(REQUEST)


def seen(*output_tokens: int, input_tokens: int = 10) -> Likely:
    likely = Likely()
    for tokens in output_tokens:
        likely.learn("ask", REQUEST, Usage(input_tokens=input_tokens, output_tokens=tokens))
    return likely


def output_of(likely: Likely, step: str = "ask") -> int | None:
    usage = likely.usage(step, REQUEST)
    return None if usage is None else usage.output_tokens


def test_a_step_without_an_answer_is_not_judged() -> None:
    assert output_of(Likely()) is None
    assert output_of(seen(100), step="another") is None


def test_of_few_answers_the_longest_counts_and_half_as_much_again() -> None:
    assert output_of(seen(*range(1, 100))) == 149  # of 99, rounded up


def test_of_many_answers_one_in_a_hundred_may_be_longer() -> None:
    assert output_of(seen(*([100] * 198), 5000, 5000)) == 150
    assert output_of(seen(*([100] * 197), 5000, 5000, 5000)) == 7500


def test_the_first_answers_are_the_short_ones_so_more_is_added() -> None:
    assert [output_of(seen(*[100] * number)) for number in (1, 2, 3, 4)] == [450, 225, 150, 150]
    assert ENOUGH_ANSWERS == 3


def test_never_more_than_the_worst_case() -> None:
    usage = seen(9000, input_tokens=GIVEN).usage("ask", REQUEST)
    assert usage == Usage(input_tokens=GIVEN, output_tokens=10_000)


def test_the_input_is_judged_by_the_requests_own_length() -> None:
    longer = Request(
        endpoint="e", model="m", messages=(Message(role="user", content="why? " * 100),)
    )
    found = seen(*[100] * 3, input_tokens=GIVEN // 2).usage("ask", longer)
    assert found is not None
    assert found.input_tokens == pytest.approx(
        1.5 * input_tokens_at_most(longer) * (GIVEN // 2) / GIVEN, abs=1
    )


def test_an_answer_whose_usage_was_not_told_says_nothing() -> None:
    likely = Likely()
    likely.learn("ask", REQUEST, Usage(untold=1))
    assert output_of(likely) is None


def test_only_the_last_answers_are_looked_back_upon() -> None:
    recent = Recent()
    for value in [9.0, *[1.0] * KEPT]:
        recent.add(value)
    assert (len(recent), recent.reaching(1.0)) == (KEPT, 1.0)
