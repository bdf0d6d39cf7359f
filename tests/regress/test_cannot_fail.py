"""What passes whatever comes is told from what does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from harness.regress.checks.cannot_fail import (
    accepts_everything,
    is_found_everywhere,
    misspelled_keyword,
)
from harness.regress.checks.expect_schema import schema_validator

KEYWORDS = Draft202012Validator.VALIDATORS


@pytest.mark.parametrize(
    "source",
    ["", ".*", "(foo)?", "[a-z]*", "foo|", "x{0,3}", "^", "^.*", "\\A", ".*$", "\\Z", "(?m)^"],
)
def test_a_pattern_that_may_take_nothing_is_found_in_every_text(source: str) -> None:
    assert is_found_everywhere(re.compile(source))


@pytest.mark.parametrize(
    "source",
    [
        "foo",
        ".",
        "^$",
        "^.?$",
        "^.{0,80}\\Z",
        "^(?!.*foo)",
        "(?<!foo)\\Z",
        "\\b",
        "^\\s*$",
        "\\s*\\Z(?<=x)",
        "^\\w{0,3}\\b",
        "()a",
    ],
)
def test_a_pattern_that_some_text_lacks_is_not_found_everywhere(source: str) -> None:
    assert not is_found_everywhere(re.compile(source))


PIECES = [
    "a",
    "b",
    ".",
    "\\s",
    "^",
    "$",
    "\\b",
    "\\B",
    "\\A",
    "\\Z",
    "(",
    ")",
    "|",
    "*",
    "?",
    "{0,2}",
    "(?!a)",
    "(?<=b)",
    "[^a]",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.text("ab \n.", max_size=8))
def test_what_is_called_found_everywhere_is_found_in_any_text(source: str, text: str) -> None:
    try:
        pattern = re.compile(source)
    except re.error:
        assume(False)
    assert not is_found_everywhere(pattern) or pattern.search(text)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"title": "x", "$comment": "y", "default": 3},
        {"format": "date"},
        {"minLength": 0, "minItems": 0, "minProperties": 0, "required": [], "uniqueItems": False},
        {"items": {}, "additionalProperties": True, "properties": {"a": {}, "b": {"title": "B"}}},
        {"allOf": [{}, True], "prefixItems": [{}]},
        {"anyOf": [{"type": "string"}, {}]},
        {"$defs": {"a": {"type": "string"}}},
    ],
)
def test_a_schema_that_names_no_condition_accepts_everything(schema: Any) -> None:
    assert accepts_everything(schema, KEYWORDS)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "object"},
        {"minLength": 1},
        {"required": ["a"]},
        {"items": {"type": "string"}},
        {"properties": {"a": {"minItems": 1}}},
        {"additionalProperties": False},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"not": {}},
        {"contains": {}},
        {"$ref": "#/$defs/a", "$defs": {"a": {}}},
    ],
)
def test_a_schema_that_may_refuse_something_does_not_accept_everything(schema: Any) -> None:
    assert not accepts_everything(schema, KEYWORDS)


WORDS = st.sampled_from(
    [
        "type",
        "minItems",
        "items",
        "properties",
        "required",
        "anyOf",
        "allOf",
        "title",
        "format",
        "not",
    ]
)
VALUES = {
    "type": st.sampled_from(["string", "array", "object"]),
    "minItems": st.integers(0, 1),
    "required": st.lists(st.just("a"), max_size=1),
    "title": st.just("x"),
    "format": st.just("date"),
}
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 1), st.text("ab", max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> Any:
    if depth == 0:
        return draw(st.sampled_from([True, {}, {"type": "string"}]))
    part = schemas(depth - 1)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        **VALUES,
        "items": part,
        "not": part,
        "properties": st.dictionaries(st.sampled_from("ab"), part, max_size=1),
        "anyOf": st.lists(part, min_size=1, max_size=2),
        "allOf": st.lists(part, min_size=1, max_size=2),
    }
    return {word: draw(kinds[word]) for word in draw(st.lists(WORDS, max_size=3, unique=True))}


@given(schemas(), JSON)
def test_whatever_comes_fits_a_schema_that_is_said_to_accept_everything(
    schema: Any, value: Any
) -> None:
    assert not accepts_everything(schema, KEYWORDS) or Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"tpye": "array"}, ("tpye", "type")),
        ({"type": "array", "minItms": 3}, ("minItms", "minItems")),
        ({"properties": {"a": {"requierd": ["b"]}}}, ("requierd", "required")),
        ({"anyOf": [{"type": "null"}, {"item": {}}]}, ("item", "items")),
        ({"$defs": {"a": {"enumm": [1]}}}, ("enumm", "enum")),
    ],
)
def test_a_word_that_is_nearly_a_keyword_is_told(schema: Any, told: tuple[str, str]) -> None:
    assert misspelled_keyword(schema, KEYWORDS) == told


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"tpye": {"type": "string"}}, "required": ["minItms"]},
        {"enum": [{"tpye": 1}], "default": {"tpye": 1}},
        {
            "type": "string",
            "x-owner": "me",
            "deprecated": True,
            "examples": ["a"],
            "definitions": {},
        },
    ],
)
def test_names_of_properties_values_and_notes_are_no_misspelled_keywords(schema: Any) -> None:
    assert misspelled_keyword(schema, KEYWORDS) is None


def test_such_schemas_are_refused_where_they_are_read() -> None:
    for schema, problem in (({}, "all JSON fits it"), ({"tpye": "array"}, "did you mean 'type'")):
        with pytest.raises(ValueError, match=problem):
            schema_validator(schema)
