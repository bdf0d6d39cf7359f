from __future__ import annotations

import pytest

from harness.domain.completion import Json
from harness.domain.filters import Filter, matches_all, parse_filter
from harness.errors import SettingsError

FIELDS: dict[str, Json] = {
    "language": "zh",
    "year": 2024,
    "score": 0.5,
    "draft": False,
    "note": None,
    "tags": ["sea", "Wind", 3, ["inner"]],
    "nested": {"a": "b"},
    "empty": "",
    "formula": "a=b",
}


@pytest.mark.parametrize(
    ("expression", "field", "operator", "value"),
    [
        ("language=zh", "language", "=", "zh"),
        ("language==zh", "language", "=", "zh"),
        ("language != zh", "language", "!=", "zh"),
        (" topic ~ deep sea ", "topic", "~", "deep sea"),
        ("formula=a=b", "formula", "=", "a=b"),
        ("a~b=c", "a", "~", "b=c"),
        ("note=", "note", "=", ""),
        ("語=中\n文", "語", "=", "中\n文"),
    ],
)
def test_an_expression_is_field_operator_value(
    expression: str, field: str, operator: str, value: str
) -> None:
    one = parse_filter(expression)

    assert (one.field, one.operator, one.value) == (field, operator, value)


@pytest.mark.parametrize(
    "expression", ["", "language", "=zh", " =zh", "~x", "!=x", "year>2000", "a!b"]
)
def test_anything_else_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(SettingsError, match=r"for example --filter language=zh$"):
        parse_filter(expression)


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("language=zh", True),
        ("language=ZH", False),
        ("language!=zh", False),
        ("language!=en", True),
        ("language~Z", True),
        ("year=2024", True),
        ("year=2024.0", False),
        ("year~02", True),
        ("score=0.5", True),
        ("draft=false", True),
        ("draft=False", False),
        ("note=null", True),
        ("note=", False),
        ("empty=", True),
        ("empty~", True),
        ("tags=sea", True),
        ("tags=wind", False),
        ("tags~wind", True),
        ("tags=3", True),
        ("tags!=sea", False),
        ("tags=inner", False),
        ("nested=b", False),
        ("nested!=b", True),
        ("formula=a=b", True),
        ("unknown=x", False),
        ("unknown!=x", False),
        ("unknown~", False),
    ],
)
def test_a_filter_matches_as_a_person_expects(expression: str, matches: bool) -> None:
    assert parse_filter(expression).matches(FIELDS) is matches


def test_all_filters_must_match() -> None:
    zh, en = parse_filter("language=zh"), parse_filter("language=en")

    assert matches_all([], FIELDS)
    assert matches_all([zh, zh], FIELDS)
    assert not matches_all([zh, en], FIELDS)


def test_a_filter_is_written_as_it_was_given() -> None:
    assert str(Filter(field="a", operator="!=", value="b c")) == "a!=b c"
