from __future__ import annotations

from typing import Any

import pytest

from harness.domain.completion import Message, Request, Tool
from harness.domain.text_tokens import likely_tokens
from harness.domain.token_estimate import (
    input_tokens_at_most,
    likely_input_tokens,
    output_tokens_at_most,
)


def asking(text: str, **fields: object) -> Request:
    given: dict[str, Any] = {
        "endpoint": "e",
        "model": "m",
        "messages": (Message(role="user", content=text),),
        **fields,
    }
    return Request(**given)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a" * 100, 25), ("量" * 100, 60), ("a" * 40 + "量" * 10, 16)]
)
def test_tokens_are_guessed_by_classes_of_characters(text: str, tokens: int) -> None:
    assert likely_tokens(text) == tokens


def test_a_request_takes_its_messages_and_tools() -> None:
    assert likely_input_tokens(asking("a" * 100)) == 25 + 8
    with_tool = asking("a" * 100, tools=(Tool(name="look", description="d" * 400),))
    assert 25 + 8 + 100 < likely_input_tokens(with_tool) < 25 + 8 + 130


@pytest.mark.parametrize("text", ["", "plain", "量子", '"\\\n', "\ud800"])
def test_the_bound_on_input_is_above_every_byte_of_it(text: str) -> None:
    assert input_tokens_at_most(asking(text)) > len(text.encode("utf-8", "surrogatepass"))


def test_the_bound_on_input_counts_tools() -> None:
    tool = Tool(name="look", parameters={"x": "y" * 500})
    assert (
        input_tokens_at_most(asking("a", tools=(tool,))) > input_tokens_at_most(asking("a")) + 500
    )


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"max_tokens": 7, "effort": "max"}, 7),
        ({"effort": "max"}, 131072),
        ({"thinking": False}, 8192),
        ({"effort": "none"}, 8192),
        ({}, 65536),
        ({"thinking": True, "effort": "low"}, 65536),
    ],
)
def test_the_bound_on_output_is_the_cap_or_the_providers_default(
    fields: dict[str, object], tokens: int
) -> None:
    assert output_tokens_at_most(asking("a", **fields)) == tokens
