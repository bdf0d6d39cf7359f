from __future__ import annotations

import json

import pytest

from harness.domain.parsing import blamed_texts, parse_json, parse_string_list
from harness.errors import ParseError, TopicFailed


def raised_by(work: object) -> BaseException:
    try:
        work()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - the error is what is looked at
        return error
    raise AssertionError("nothing was raised")


def gives_up() -> None:
    try:
        parse_json("no JSON")
    except ParseError as error:
        raise TopicFailed("no list") from error


def stumbles() -> None:
    try:
        parse_json("no JSON")
    except ParseError:
        raise KeyError("while it asked again")  # noqa: B904 - what Python chains by itself


def hides_it() -> None:
    try:
        parse_json("no JSON")
    except ParseError:
        raise KeyError("of its own") from None


@pytest.mark.parametrize(
    ("work", "texts"),
    [
        (lambda: parse_json("no JSON"), {"no JSON"}),
        (lambda: parse_string_list("[1]", at_least=1, at_most=2), {"[1]"}),
        (lambda: json.loads("{"), {"{"}),
        (gives_up, {"no JSON"}),
        (stumbles, {"no JSON"}),
        (hides_it, set()),
    ],
)
def test_an_error_blames_the_text_that_could_not_be_read(work: object, texts: set[str]) -> None:
    assert blamed_texts(raised_by(work)) == texts


def test_an_error_of_ones_own_blames_nothing() -> None:
    assert blamed_texts(ParseError("too short")) == set()


def test_a_long_chain_has_an_end() -> None:
    error: Exception = ParseError("first")
    for number in range(50):
        outer = KeyError(number)
        outer.__cause__ = error
        error = outer
    assert blamed_texts(error) == set()
