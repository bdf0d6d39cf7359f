from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from exports.runs import FORMULA, ODD, a_run_of, odd_topics
from hypothesis import given
from hypothesis import strategies as st

from harness.exports.columns import CALLS, TOPICS
from harness.exports.csv_files import cell_text
from harness.exports.formats import export
from harness.text.safe import csv_safe


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    path, _ = export(a_run_of(tmp_path / "run", odd_topics()), "csv", None, force=False)
    return {name: read(path / f"{name}.csv") for name in ("topics", "calls")}


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_the_columns_and_rows_are_those_of_the_tables(
    tables: dict[str, list[dict[str, Any]]],
) -> None:
    assert list(tables["topics"][0]) == [column.name for column in TOPICS]
    assert list(tables["calls"][0]) == [column.name for column in CALLS]
    assert [row["topic_index"] for row in tables["topics"]] == ["0", "1", "2", "3"]
    assert [row["call_id"] for row in tables["calls"]] == ["first", "second", "third"]


def test_no_text_is_a_formula(tables: dict[str, list[dict[str, Any]]]) -> None:
    assert tables["topics"][0]["output"] == "'" + FORMULA
    assert tables["topics"][2]["topic"] == "'" + FORMULA
    for rows in tables.values():
        for row in rows:
            risky = {
                name
                for name, cell in row.items()
                if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            }
            assert risky == set()


def test_json_stays_json(tables: dict[str, list[dict[str, Any]]]) -> None:
    assert json.loads(tables["topics"][0]["metadata"]) == {"=1+1": [1, {"deep": "@x"}]}
    assert json.loads(tables["topics"][3]["output_json"]) == {"any": ["json", -1]}


def test_control_characters_are_written_out_and_all_else_is_kept(
    tables: dict[str, list[dict[str, Any]]],
) -> None:
    assert tables["topics"][0]["topic"] == ODD.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")


def test_the_file_is_what_excel_expects(tmp_path: Path) -> None:
    path, _ = export(a_run_of(tmp_path / "run", odd_topics()), "csv", None, force=False)
    data = (path / "calls.csv").read_bytes()

    assert data.startswith(b"\xef\xbb\xbftopic_index,topic_id,")
    assert data.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", '""'),
        (-1.5, "-1.5"),
        (-7, "-7"),
        (True, "true"),
        (1e-9, "1e-09"),
        ("-7", '"\'-7"'),
    ],
)
def test_nulls_numbers_and_texts_look_different(value: Any, text: str) -> None:
    assert cell_text(value, "text") == text


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_a_row_of_texts_comes_back_cell_by_cell(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "row.csv"
    path.write_text(
        ",".join(cell_text(text, "text") for text in texts) + "\r\n", encoding="utf-8", newline=""
    )
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file, strict=True)) == [[csv_safe(text) for text in texts]]


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_comes_back_as_it_was(number: float) -> None:
    assert type(number)(cell_text(number, "number")) == number


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    ((cell,),) = list(csv.reader([cell_text(text, "json")], strict=True))
    assert json.loads(cell) == value
