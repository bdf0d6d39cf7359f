from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.settings.toml_lines import line_in_table, line_of, place

TEXT = '''# a comment
a = 1
"b c" = 2
[one]
a = 3   # not the first
long = """
a = 4
[two]
"""
[one.two]
x.y = 5
[ three . "four five" ]
z = { deep = 6 }
[[many]]
n = 7
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["a"], 2),
        (["b c"], 3),
        (["one"], 4),
        (["one", "a"], 5),
        (["one", "long"], 6),
        (["one", "two"], 10),
        (["one", "two", "x", "y"], 11),
        (["three", "four five", "z"], 13),
        (["three", "four five", "z", "deep"], 13),
        (["many", "n"], 15),
        (["two"], None),
        (["none"], None),
    ],
)
def test_a_value_is_found_on_its_line(path: list[str], line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_a_place_is_the_file_alone_where_the_line_is_not_known() -> None:
    assert place("x.toml", TEXT, ["a"]) == "x.toml:2"
    assert place("x.toml", TEXT, ["none"]) == "x.toml"


@given(
    st.text(alphabet="ab=[]\"'\n. #", max_size=60),
    st.lists(st.sampled_from(["a", "b", ""]), max_size=3),
)
def test_any_text_has_a_line_or_none(text: str, path: list[str]) -> None:
    line = line_of(text, path)
    assert line is None or 1 <= line <= text.count("\n") + 1


TABLES = """[[check]]
name = "one"
[[check]]
name = "two"
text = '''
[[check]]
name = "no table"
'''
[check.chars]
at_least = 3

[[ check ]]
[other]
name = "another"
"""


@pytest.mark.parametrize(
    ("index", "path", "line"),
    [
        (0, [], 1),
        (0, ["name"], 2),
        (1, ["name"], 4),
        (1, ["chars", "at_least"], 10),
        (1, ["none"], 3),
        (2, ["name"], 12),
        (3, ["name"], 1),
    ],
)
def test_a_value_is_found_in_the_table_that_it_belongs_to(
    index: int, path: list[str], line: int
) -> None:
    assert line_in_table(TABLES, "check", index, path) == line


def test_tables_that_stand_in_one_line_are_found_on_it() -> None:
    assert line_in_table("a = 1\ncheck = [{ a = 1 }, { b = 2 }]\n", "check", 1, ["b"]) == 2
    assert line_in_table("a = 1\n", "check", 0) is None
