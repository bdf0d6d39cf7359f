from __future__ import annotations

import time
from contextlib import suppress

import pytest

from harness.domain.completion import Json
from harness.domain.parsing import MAX_ITEM_CHARS, MAX_TEXT_CHARS, parse_json, parse_string_list
from harness.errors import ParseError

ABC = '["a", "b", "c"]'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        (' "x" ', "x"),
        ("\n\n{}\n", {}),
        (f"```json\n{ABC}\n```", ["a", "b", "c"]),
        (f"```\n{ABC}\n```", ["a", "b", "c"]),
        (f"```{ABC}```", ["a", "b", "c"]),
        (f"Here you are:\n```JSON\r\n{ABC}\r\n```\nAnything else?", ["a", "b", "c"]),
        (f"```json\n{ABC}", ["a", "b", "c"]),
        (f"````json\n{ABC}\n````", ["a", "b", "c"]),
        ("```\nnot this\n```\n```\n[1]\n```\n```\n[2, 3]\n```", [1]),
        (f"Sure, [3] questions: {ABC} as asked [see above].", ["a", "b", "c"]),
        (f'I weigh "both" {{sides}}: {ABC}', ["a", "b", "c"]),
        (f"<think>[1, 2, 3, 4, 5, 6, 7] or so?</think>\n{ABC}", ["a", "b", "c"]),
        ('["</think>"]', ["</think>"]),
        ('["a\nb"]', ["a\nb"]),
        ('The answer is {"a": [1, 2]}', {"a": [1, 2]}),
        ('{"questions": ["a", "b"]', ["a", "b"]),
        ("first [1], then [2]", [1]),
    ],
)
def test_json_is_found_in_a_models_text(text: str, value: Json) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it was blank"),
        (" \n\u3000 ", "it was blank"),
        ("1. First?\n2. Second?", "it held no JSON array or object"),
        ("```json\n```", "it held no JSON array or object"),
        ("I cannot help with that.", "it held no JSON array or object"),
        ('["a", "b"', "it was not valid JSON: expecting ',' delimiter at column 10"),
        (
            'Well:\n["a", "b" "c"]',
            "it was not valid JSON: expecting ',' delimiter at line 2 column 11",
        ),
        ("[1, NaN]", "it was not valid JSON: NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', 'it was not valid JSON: the key "a" appears twice in one object'),
        ("[" * 200, "it was not valid JSON: nested deeper than 100 levels"),
        (
            r'["\ud800"]',
            "it was not valid JSON: a string holds half of a surrogate pair, which is no character",
        ),
        ('["\ud800"]', "it held half of a surrogate pair, which is no character"),
        (
            " " * (MAX_TEXT_CHARS + 1),
            "it was 1,000,001 characters long, far more than was asked for",
        ),
    ],
)
def test_a_text_without_json_is_told_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_json(text)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (ABC, ("a", "b", "c")),
        ('[" a ", "b\\n", "c", "", "  ", "a"]', ("a", "b", "c")),
        ('{"questions": ["a", "b", "c"]}', ("a", "b", "c")),
        ('{"topic": "x", "n": 3, "sub_questions": ["a", "b", "c"]}', ("a", "b", "c")),
        ('[{"q": "a"}, {"id": 2, "text": "b"}, "c"]', ("a", "b", "c")),
        (
            '[{"question": "a", "why": "x"}, {"why": "x", "sub_question": "b"}, {"x": "c"}]',
            ("a", "b", "c"),
        ),
        ('["a", "b", "c", "d", "e"]', ("a", "b", "c", "d", "e")),
        ('["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]', ("a", "b", "c", "d", "e")),
        ('["a", "a", "a", "b", "c", "c", "d", "e", "f", ""]', ("a", "b", "c", "d", "e")),
        (f'["{"x" * MAX_ITEM_CHARS}", "b", "c"]', ("x" * MAX_ITEM_CHARS, "b", "c")),
        ('["1. 甲？", "2. 乙？", "3. 丙？"]', ("1. 甲？", "2. 乙？", "3. 丙？")),
    ],
)
def test_a_list_of_texts_is_cleaned_and_cut(text: str, items: tuple[str, ...]) -> None:
    assert parse_string_list(text, at_least=3, at_most=5) == items


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "it held 0 items, 3 to 5 are needed"),
        ('["a"]', "it held 1 item, 3 to 5 are needed"),
        ('["a", "b"]', "it held 2 items, 3 to 5 are needed"),
        ('["a", "b", "b", ""]', "only 2 of its 4 items are distinct texts, 3 to 5 are needed"),
        ('["", ""]', "only 0 of its 2 items are distinct texts, 3 to 5 are needed"),
        ("[" + ", ".join(f'"{n}"' for n in range(11)) + "]", "it held 11 items, 3 to 5 are needed"),
        (
            "[" + ", ".join(f'"{n}"' for n in range(10_000)) + "]",
            "it held 10,000 items, 3 to 5 are needed",
        ),
        ('["a", "b", 3]', "item 3 is a number, not a string"),
        ('["a", null, "c"]', "item 2 is null, not a string"),
        ('["a", ["b"], "c"]', "item 2 is an array, not a string"),
        ('["a", "b", {"x": "1", "y": "2"}]', "item 3 is an object, not a string"),
        ('["a", "b", {"question": 7}]', "item 3 is an object, not a string"),
        ('["a", "b", {}]', "item 3 is an object, not a string"),
        (
            f'["a", "b", "{"x" * 2001}"]',
            "item 3 is 2,001 characters long, at most 2,000 are allowed",
        ),
        ('"a, b, c"', "it was a string, not an array"),
        ("3", "it was a number, not an array"),
        ('{"1": "a", "2": "b", "3": "c"}', "it was an object with no arrays in it, not an array"),
        ('{"a": ["x"], "b": ["y"]}', "it was an object with 2 arrays in it, not an array"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_why(text: str, problem: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_string_list(text, at_least=3, at_most=5)

    assert str(caught.value) == problem


def test_an_exact_number_is_asked_for_as_one_number() -> None:
    with pytest.raises(ParseError, match=r"^it held 1 item, 2 are needed$"):
        parse_string_list('["a"]', at_least=2, at_most=2)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "```" * 333_333,
        "```[" * 250_000,
        '{"a":' * 200_000,
        '"' * 1_000_000,
        '["' + r"\"" * 499_999,
        r"\"" * 500_000,
        ("[" * 99 + " ") * 10_000,
        "[" * 50 + '"' * 999_950,
        "[1, " * 250_000,
        "[]" * 500_000,
        ("[1" + " " * 998) * 1_000,
        "</think>" * 125_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_texts_cost_no_more_than_their_length(text: str) -> None:
    """A pass over a megabyte takes some 20 ms; anything quadratic would take minutes."""
    started = time.process_time()

    with suppress(ParseError):
        parse_json(text)

    assert time.process_time() - started < 5
