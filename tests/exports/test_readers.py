"""What others make of the tables: pandas, polars and duckdb open them straight, with the types that
are documented.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas
import polars
import pytest
from exports.runs import FORMULA, ODD, a_run_of, odd_topics
from pyarrow import parquet
from records import a_result

from harness.exports.columns import CALLS, TABLES, TOPICS
from harness.exports.formats import export


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run_of(tmp_path_factory.mktemp("exports") / "run", odd_topics())


@pytest.fixture(scope="module")
def in_parquet(run: Path) -> Path:
    return export(run, "parquet", None, force=False)[0]


@pytest.fixture(scope="module")
def in_csv(run: Path) -> Path:
    return export(run, "csv", None, force=False)[0]


def test_pandas_reads_parquet(in_parquet: Path) -> None:
    topics = pandas.read_parquet(in_parquet / "topics.parquet")
    calls = pandas.read_parquet(in_parquet / "calls.parquet")

    assert list(topics["topic_id"]) == ["t0", "量子", "../../etc/passwd", "con"]
    assert str(topics["started_at"].dtype) == "datetime64[ms, UTC]"
    assert topics["output"][0] == FORMULA
    assert topics["topic"][0] == ODD
    assert topics["cost"].isna().tolist() == [False, False, False, True]
    joined = calls.merge(topics, on="topic_index", suffixes=("", "_of_topic"))
    assert joined["status"].tolist() == ["ok", "ok", "degraded"]


def test_pandas_reads_csv(in_csv: Path) -> None:
    topics = pandas.read_csv(in_csv / "topics.csv", parse_dates=["started_at"])
    calls = pandas.read_csv(in_csv / "calls.csv")

    assert list(topics.columns) == [column.name for column in TOPICS]
    assert topics["topic_index"].tolist() == [0, 1, 2, 3]
    assert topics["output"][0] == "'" + FORMULA
    assert str(topics["started_at"].dtype).startswith("datetime64")
    assert calls["usage_input_tokens"].sum() == 30
    assert calls["served_latency_s"].tolist() == [2.0, 2.0, 2.0]


def test_polars_reads_both_alike(in_parquet: Path, in_csv: Path) -> None:
    for name, columns in TABLES.items():
        typed = polars.read_parquet(in_parquet / f"{name}.parquet")
        read = polars.read_csv(in_csv / f"{name}.csv", infer_schema_length=None)
        assert typed.columns == read.columns == [column.name for column in columns]
        assert typed.height == read.height
    assert typed.schema["served_attempts"] == polars.Int64
    assert read["served_attempts"].to_list() == [1, 1, 2]


def test_duckdb_asks_both_in_sql(in_parquet: Path, in_csv: Path) -> None:
    for place in (in_parquet / "calls.parquet", in_csv / "calls.csv"):
        query = (
            f"SELECT step, count(*), sum(usage_output_tokens), sum(cost) FROM '{place}' GROUP BY"
            " step"
        )
        assert answer_of_duckdb(query) == [("ask", 3, 60, 0.25)]
    kinds = "SELECT json_extract_string(served_failures, '$[0].kind')"
    found = answer_of_duckdb(f"{kinds} FROM '{in_parquet}/calls.parquet' ORDER BY call_id")
    assert found == [(None,), (None,), ("rate_limited",)]


def answer_of_duckdb(query: str) -> list[tuple[object, ...]]:
    relation = duckdb.sql(query)
    assert relation is not None
    return relation.fetchall()


def test_parquet_has_the_documented_types_and_meanings(in_parquet: Path) -> None:
    kinds = {
        "integer": "int64",
        "number": "double",
        "text": "string",
        "json": "string",
        "boolean": "bool",
        "time": "timestamp[ms, tz=UTC]",
    }
    for name, columns in TABLES.items():
        schema = parquet.read_schema(in_parquet / f"{name}.parquet")
        for field, column in zip(schema, columns, strict=True):
            assert (field.name, str(field.type)) == (column.name, kinds[column.kind])
            assert field.nullable is not column.required
            assert field.metadata[b"meaning"].decode() == column.meaning


def test_a_large_run_is_written_in_row_groups(tmp_path: Path) -> None:
    topics = [(a_result(index, output="long " * 1_000_000), ()) for index in range(3)]
    path, _ = export(a_run_of(tmp_path / "run", topics), "parquet", None, force=False)

    file = parquet.ParquetFile(path / "topics.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (3, 2)
    assert file.read(columns=["topic_index"])["topic_index"].to_pylist() == [0, 1, 2]


def test_an_empty_run_has_empty_tables(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", (), topics=3)
    in_parquet, in_csv = (export(run, name, None, force=False)[0] for name in ("parquet", "csv"))

    assert pandas.read_parquet(in_parquet / "calls.parquet").shape == (0, len(CALLS))
    assert pandas.read_csv(in_csv / "topics.csv").shape == (0, len(TOPICS))
