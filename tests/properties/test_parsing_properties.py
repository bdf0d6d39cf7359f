"""Whatever a model writes: a value, or a ParseError."""

from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from harness.domain.completion import Json
from harness.domain.parsing import parse_json, parse_string_list
from harness.domain.strict_json import NotJson, loads
from harness.errors import ParseError

pieces = st.sampled_from(
    [*'[]{}"\\,:\n a1质', "```", "json", "NaN", "1e999", "\\ud800", "</think>", '"a"']
)
texts = st.one_of(st.text(), st.lists(pieces, max_size=60).map("".join))
characters = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        characters,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(characters, inner, max_size=4)
    ),
    max_leaves=12,
)


def parsed(text: str) -> Json | ParseError:
    try:
        return parse_json(text)
    except ParseError as error:
        return error


def listed(text: str, at_least: int, at_most: int) -> tuple[str, ...] | ParseError:
    try:
        return parse_string_list(text, at_least=at_least, at_most=at_most)
    except ParseError as error:
        return error


@given(texts)
def test_any_text_gives_a_value_or_a_parse_error(text: str) -> None:
    found = parsed(text)

    assert (
        str(found).startswith("it ")
        if isinstance(found, ParseError)
        else loads(json.dumps(found)) == found
    )


@given(texts, st.integers(0, 4), st.integers(0, 4))
def test_any_list_keeps_its_promises(text: str, at_least: int, more: int) -> None:
    items = listed(text, at_least, at_least + more)

    if isinstance(items, ParseError):
        assert str(items)
    else:
        assert at_least <= len(items) <= at_least + more
        assert len(set(items)) == len(items)
        assert all(item and item == item.strip() for item in items)


@given(
    values, st.sampled_from(["", "Here it is:\n", "```json\n", "<think>[1]</think>"]), st.booleans()
)
def test_any_value_is_found_in_its_wrapping(value: Json, before: str, escaped: bool) -> None:
    after = "\n```" if "`" in before else ""
    wrapped = [value] if before else value
    written = json.dumps(wrapped, ensure_ascii=escaped)
    assume(not before or ("</think>" not in written and "```" not in written))

    assert parse_json(f"{before}{written}{after}") == wrapped


@given(texts)
def test_strict_json_accepts_nothing_that_the_standard_library_refuses(text: str) -> None:
    try:
        value = loads(text)
    except NotJson:
        return
    assert json.loads(text) == value
