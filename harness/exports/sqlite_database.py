"""A run as one SQLite file. The schema is in `sqlite_schema`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from harness.errors import StorageError
from harness.exports.columns import CALLS, TOPICS, Cell, record
from harness.exports.csv_files import iso
from harness.exports.source import RunFacts, TopicRows
from harness.exports.sqlite_schema import (
    CREATE_CALLS,
    CREATE_RUN,
    CREATE_TOPICS,
    FINISHING,
    HAS_WORD_INDEX,
    INSERT_CALL,
    INSERT_RUN,
    INSERT_TOPIC,
    RUN_COLUMNS,
    WORD_INDEX,
)


def write_sqlite(topics: Iterable[TopicRows], facts: RunFacts, file: Path) -> None:
    """The database in a new file. Raises StorageError if the disk fails, and ResultsError for a
    damaged row.
    """
    try:
        with closing(sqlite3.connect(file)) as database:
            # Nobody sees the file before it is whole, so nothing in it needs to survive a crash.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            with database:
                _fill(database, topics, facts)
            database.executescript(FINISHING)
            if database.execute(HAS_WORD_INDEX).fetchone():
                database.executescript(WORD_INDEX)
    except sqlite3.Error as error:
        raise StorageError(f"{file.name}: the database cannot be written: {error}") from error


def _fill(database: sqlite3.Connection, topics: Iterable[TopicRows], facts: RunFacts) -> None:
    database.execute(CREATE_RUN)
    database.execute(CREATE_TOPICS)
    database.execute(CREATE_CALLS)
    said = asdict(facts)
    database.execute(INSERT_RUN, [said[name] for name in RUN_COLUMNS])
    for topic in topics:
        database.execute(INSERT_TOPIC, _values(record(TOPICS, topic.row)))
        database.executemany(INSERT_CALL, (_values(record(CALLS, call)) for call in topic.calls))


def _values(cells: list[Cell]) -> list[int | float | str | None]:
    return [_value(cell) for cell in cells]


def _value(cell: Cell) -> int | float | str | None:
    return iso(cell) if isinstance(cell, datetime) else cell
