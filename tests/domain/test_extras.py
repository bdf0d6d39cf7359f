from __future__ import annotations

from typing import Any

import pytest

from harness.domain.completion import Json
from harness.domain.extras import check_extra_body, check_header, filled, merged, variables_in


@pytest.mark.parametrize("name", ["model", "messages", "stream", "max_tokens", "n", "tools"])
def test_what_is_said_in_another_way_is_no_extra(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} is said by"):
        check_extra_body({name: 1})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_what_json_cannot_say_is_no_extra(value: Any) -> None:
    with pytest.raises(ValueError, match="what JSON can say"):
        check_extra_body({"top_k": value})


def test_a_field_needs_a_name() -> None:
    with pytest.raises(ValueError, match="blank"):
        check_extra_body({"": 1})


def test_objects_of_two_sources_are_put_together_and_all_else_is_replaced() -> None:
    base: dict[str, Json] = {"a": 1, "kwargs": {"x": 1, "y": 1}, "list": [1]}
    assert merged(base, {"a": 2, "kwargs": {"y": 2}, "list": [2], "new": None}) == {
        "a": 2,
        "kwargs": {"x": 1, "y": 2},
        "list": [2],
        "new": None,
    }
    assert base["kwargs"] == {"x": 1, "y": 1}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("X Team", "a", "no name of a header"),
        ("Content-Length", "3", "set by the request itself"),
        ("X-Team", " ", "printable"),
        ("X-Team", "a\nb", "printable"),
        ("X-Team", "blå", "printable"),
        ("X-Api-Key", "sk-in-the-open", "looks like a secret"),
        ("Authorization", "Bearer sk-in-the-open", "looks like a secret"),
    ],
)
def test_a_header_that_cannot_be_or_shows_a_secret_is_refused_unseen(
    name: str, value: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        check_header(name, value)
    assert "in-the-open" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("X-Team", "blue"), ("X-Api-Key", "$KEY"), ("Authorization", "Token ${K}")]
)
def test_a_plain_header_and_a_secret_in_a_variable_pass(name: str, value: str) -> None:
    check_header(name, value)


def test_variables_are_found_and_filled_in() -> None:
    template = "$A-${B_2} costs $$3, $A"
    assert variables_in(template) == ("A", "B_2")
    assert filled(template, {"A": "one", "B_2": "two"}) == "one-two costs $3, one"
    with pytest.raises(KeyError, match="B_2"):
        filled(template, {"A": "one"})
