from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from exports.runs import FORMULA, ODD, a_run_of, odd_topics
from hypothesis import given, settings
from hypothesis import strategies as st
from records import a_result

from harness.errors import StorageError
from harness.exports.formats import export
from harness.exports.source import open_run
from harness.exports.sqlite_database import write_sqlite


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path, _ = export(
        a_run_of(tmp_path / "run", odd_topics(), topics=5), "sqlite", None, force=False
    )
    with closing(sqlite3.connect(path)) as opened:
        yield opened


def all_of(database: sqlite3.Connection, query: str) -> list[Any]:
    return database.execute(query).fetchall()


def test_topics_and_calls_have_integer_keys_and_lead_to_each_other(
    database: sqlite3.Connection,
) -> None:
    assert all_of(database, "SELECT topic_index, topic_id FROM topics") == [
        *((0, "t0"), (1, "量子"), (2, "../../etc/passwd"), (3, "con")),
    ]
    assert all_of(database, "SELECT id, topic_index, call_id FROM calls") == [
        *((1, 0, "first"), (2, 0, "second"), (3, 3, "third")),
    ]
    assert all_of(database, "PRAGMA foreign_key_check") == []
    keys = {(row[2], row[3], row[4]) for row in all_of(database, "PRAGMA foreign_key_list(calls)")}
    assert keys == {("topics", "topic_index", "topic_index"), ("run", "run_id", "run_id")}


def test_texts_are_kept_to_the_letter(database: sqlite3.Connection) -> None:
    assert all_of(database, "SELECT topic, output FROM topics WHERE topic_index = 0") == [
        (ODD, FORMULA)
    ]


def test_stamps_are_iso_and_sort_as_text(database: sqlite3.Connection) -> None:
    assert all_of(database, "SELECT DISTINCT started_at FROM topics") == [
        ("2026-11-16T12:00:00.000+00:00",)
    ]


def test_every_json_column_is_json_for_sqlite_too(database: sqlite3.Connection) -> None:
    query = "SELECT count(*) FROM topics WHERE json_valid(metadata) AND json_valid(sections)"
    assert all_of(database, query) == [(4,)]
    assert all_of(
        database, "SELECT output_json ->> '$.any[1]' FROM topics WHERE output_json IS NOT NULL"
    ) == [(-1,)]


def test_the_run_is_described(database: sqlite3.Connection) -> None:
    assert all_of(database, "SELECT run_id, topics, finished, running FROM run") == [
        ("run", 5, 4, 0)
    ]


def test_the_views_answer_the_first_questions(database: sqlite3.Connection) -> None:
    assert all_of(database, "SELECT step, calls, hits, failed, retries FROM steps") == [
        ("ask", 3, 0, 0, 1)
    ]
    assert all_of(database, "SELECT what, error_type, number, for_example FROM failures") == [
        ("topic", "TopicFailed", 1, "../../etc/passwd")
    ]
    assert all_of(database, "SELECT call_id, number, kind, status FROM attempts_failed") == [
        ("third", 1, "rate_limited", 429)
    ]
    assert [row[0] for row in all_of(database, "SELECT output FROM reports")] == [
        FORMULA,
        "",
        None,
        '{"any":["json",-1]}',
    ]


def test_reports_can_be_searched_by_words(database: sqlite3.Connection) -> None:
    assert all_of(database, "SELECT rowid FROM topics_fts WHERE topics_fts MATCH 'desrever'") == [
        (0,)
    ]


@settings(max_examples=30)  # each makes a database
@given(st.text(), st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_a_topic_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, text: str, metadata: dict[str, Any]
) -> None:
    scratch = tmp_path_factory.mktemp("hypothesis")
    run = a_run_of(scratch / "run", [(a_result(0, topic=text, output=text, metadata=metadata), ())])
    with open_run(run) as rows:
        write_sqlite(rows, rows.facts, scratch / "export.sqlite")
    with closing(sqlite3.connect(scratch / "export.sqlite")) as database:
        ((topic, output, kept),) = all_of(database, "SELECT topic, output, metadata FROM topics")
    assert (topic, output, json.loads(kept)) == (text, text, metadata)


def test_a_database_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with (
        open_run(a_run_of(tmp_path / "run", ())) as rows,
        pytest.raises(StorageError, match="cannot be written"),
    ):
        write_sqlite(rows, rows.facts, tmp_path / "nowhere" / "export.sqlite")
