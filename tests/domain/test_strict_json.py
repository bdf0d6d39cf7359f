from __future__ import annotations

import pytest

from harness.domain.completion import Json
from harness.domain.strict_json import MAX_DEPTH, NotJson, kind_of, loads, loads_prefix


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        (" \t\r\n[1, 2.5, -0, 1e3] \n", [1, 2.5, 0, 1000.0]),
        ('{"a": {"a": "b"}}', {"a": {"a": "b"}}),
        (r'"\ud83d\ude00"', "😀"),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ('["' + "[{" * 200 + '"]', ["[{" * 200]),
        ('["' + "[" * 200 + r"\"" + "[" * 200 + '"]', ["[" * 200 + '"' + "[" * 200]),
        ("[" + ",".join(["{}"] * 200) + "]", [{}] * 200),
    ],
)
def test_json_is_read(text: str, value: Json) -> None:
    read = loads(text)

    assert read == value or value is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expecting value at column 1"),
        ("nope", "expecting value at column 1"),
        ("[1,\n2,\n x]", "expecting value at line 3 column 2"),
        ("[1] [2]", "extra text after the value at column 5"),
        ("[1]\u00a0", "extra text after the value at column 4"),
        ('["a', "unterminated string at column 2"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" appears twice in one object'),
        ("[NaN]", "NaN is not a JSON number"),
        ("-Infinity", "-Infinity is not a JSON number"),
        ("1e400", "the number 1e400 is out of range"),
        ("[" + "1" * 400 + ".0]", f"the number {'1' * 20} is out of range"),
        ("9" * 5000, "a number has too many digits"),
        ("[" * (MAX_DEPTH + 1), "nested deeper than 100 levels"),
        ('{"a":' * (MAX_DEPTH + 1), "nested deeper than 100 levels"),
        (r'["\udc00"]', "a string holds half of a surrogate pair, which is no character"),
        ('["a\nb"]', "invalid control character at line 1 column 4"),
    ],
)
def test_what_is_no_json_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(NotJson) as caught:
        loads(text)

    assert str(caught.value) == reason


def test_line_breaks_may_stand_in_strings_where_that_is_asked_for() -> None:
    assert loads('["a\n\tb"]', raw_controls=True) == ["a\n\tb"]


def test_a_value_may_have_text_around_it() -> None:
    text = "so: [1, 2], and " + "[" * 200

    assert loads_prefix(text, 4) == ([1, 2], 10)


def test_brackets_that_close_nothing_are_no_nesting() -> None:
    with pytest.raises(NotJson, match="expecting value"):
        loads("]" * 200 + "[" * 100 + "x" + "{" * 1)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "a number"),
        (1.5, "a number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_kinds_have_the_names_that_people_use(value: Json, name: str) -> None:
    assert kind_of(value) == name
