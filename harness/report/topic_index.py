"""The topics of runs, kept for the view in a temporary database that only this process sees: what
the table shows of them, searched, filtered and sorted there, so that a page is sent what it draws.

Nothing of it is on the disk under a name; it is gone with the process.
"""

# ruff: noqa: S608 - names of tables and columns are the program's own, and values are bound

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.errors import StorageError
from harness.report.digest import TopicLine
from harness.report.topic_query import (
    RUN_CELLS,
    Query,
    groups_of,
    order_of,
    source_of,
    storable,
    where_of,
)

_MADE = """
CREATE TABLE {0} (
  "order" INTEGER PRIMARY KEY, id TEXT, title TEXT, words TEXT, sorting TEXT, status TEXT,
  cause INTEGER, calls INTEGER, retries INTEGER, output_tokens INTEGER, cost REAL, elapsed_s REAL,
  print INTEGER, results_at INTEGER, traces_at INTEGER
)
"""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A topic by its id: its line, and the ids of those beside it, as a query has them."""

    row: dict[str, Any]
    before: str | None
    after: str | None


class TopicIndex:
    """Tables of topics, one a run. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # An empty name is a database of this connection alone, in memory or in a file without a
        # name.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._runs = 0
        with self.asked() as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")

    def new_table(self) -> TopicTable:
        """Return an empty table for one run."""
        with self.asked():
            self._runs += 1
        return TopicTable(self, f"topics_{self._runs}")

    def window(
        self, tables: Sequence[TopicTable], query: Query, *, start: int, most: int
    ) -> dict[str, Any]:
        """Return so many lines from a place on, how many there are in all, how many fit, and how
        many there are by status. Raises StorageError.
        """
        source, where = source_of([table.name for table in tables]), where_of(query, len(tables))
        with self.asked() as database:
            groups = database.execute(groups_of(source, len(tables))).fetchall()
            counts = _counts_of(groups, len(tables))
            wanted = counts["all"]
            if where.text != "1":
                told = f"SELECT count(*) FROM ({source}) WHERE {where.text}"
                (wanted,) = database.execute(told, where.values).fetchone()
            lines = database.execute(
                f"SELECT * FROM ({source}) WHERE {where.text} ORDER BY {order_of(query)}"
                " LIMIT ? OFFSET ?",
                (*where.values, most, start),
            )
            rows = [_row_of(line, len(tables)) for line in lines]
        return {"wanted": wanted, "counts": counts, "from": start, "rows": rows}

    def find(self, tables: Sequence[TopicTable], query: Query, topic_id: str) -> Found | None:
        """Return a topic, also one that the query leaves out; None where no run has it. Raises
        StorageError.
        """
        source, where = source_of([table.name for table in tables]), where_of(query, len(tables))
        order = order_of(query)
        beside = (
            f"SELECT before, after FROM (SELECT id, lag(id) OVER by AS before, lead(id) OVER by"
            f" AS after FROM ({source}) WHERE {where.text} WINDOW by AS (ORDER BY {order}))"
            " WHERE id = ?"
        )
        with self.asked() as database:
            line = database.execute(f"SELECT * FROM ({source}) WHERE id = ?", (storable(topic_id),))
            found = line.fetchone()
            if found is None:
                return None
            ids = database.execute(beside, (*where.values, storable(topic_id))).fetchone()
        before, after = map(_shown, ids or (None, None))
        return Found(row=_row_of(found, len(tables)), before=before, after=after)

    def close(self) -> None:
        """Let go of the database, and of the disk that it takes."""
        with self.asked() as database:
            database.close()

    @contextmanager
    def asked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise StorageError(
                    f"the view's temporary database: {error}; free space in the directory for"
                    " temporary files, or name another in TMPDIR"
                ) from error


class TopicTable:
    """The topics of one run. Made by `TopicIndex.new_table`."""

    def __init__(self, index: TopicIndex, name: str) -> None:
        self._index = index
        self.name = name
        with index.asked() as database:
            database.execute(_MADE.format(name))
            database.execute(f"CREATE INDEX {name}_id ON {name} (id)")

    def put(self, lines: Iterable[tuple[TopicLine, int]]) -> None:
        """Add topics, each with the byte at which its row begins. One that is there is replaced.

        Their retries are not known until `complete` tells them.
        """
        rows = []
        for line, results_at in lines:
            words = f"{line.id} {line.title}".lower()
            texts = map(storable, (line.id, line.title, words, sorting_key(line.id)))
            numbers = (line.cause, line.calls, None, line.output_tokens, line.cost)
            also = (line.elapsed_s, line.print, results_at, None)
            rows.append((line.index, *texts, line.status, *numbers, *also))
        marks = ", ".join("?" * len(rows[0])) if rows else ""
        with self._index.asked() as database:
            database.execute("BEGIN")
            database.executemany(f"INSERT OR REPLACE INTO {self.name} VALUES ({marks})", rows)
            database.execute("COMMIT")

    def complete(self, told: Iterable[tuple[int, int, int]]) -> None:
        """Note for each index of a topic its retries and the byte at which its calls begin."""
        change = f'UPDATE {self.name} SET retries = ?2, traces_at = ?3 WHERE "order" = ?1'
        with self._index.asked() as database:
            database.execute("BEGIN")
            database.executemany(change, told)
            database.execute("COMMIT")

    def clear(self) -> None:
        """Forget all topics."""
        with self._index.asked() as database:
            database.execute(f"DELETE FROM {self.name}")

    def places(self, index: int) -> tuple[int, int | None] | None:
        """Return where a topic's row and its calls begin; None for calls that were not met yet."""
        told = f'SELECT results_at, traces_at FROM {self.name} WHERE "order" = ?'
        with self._index.asked() as database:
            found: tuple[int, int | None] | None = database.execute(told, (index,)).fetchone()
        return found

    def cause_counts(self) -> dict[tuple[str, int], int]:
        """Return how many topics there are of each status and cause."""
        told = f"SELECT status, cause, count(*) FROM {self.name} WHERE cause >= 0 GROUP BY 1, 2"
        with self._index.asked() as database:
            return {(status, cause): number for status, cause, number in database.execute(told)}


def sorting_key(topic_id: str) -> str:
    """Return a text by which ids sort as people count: `t2` before `t10`, capitals and accents
    aside.
    """
    plain = topic_id.lower()
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", topic_id).casefold()
        plain = "".join(one for one in apart if not unicodedata.combining(one))
    return _DIGITS.sub(lambda found: _counted(found[0]), plain)


def _counted(digits: str) -> str:
    number = digits.lstrip("0")
    return f"{len(number):04d}{number}"


def _counts_of(groups: Iterable[tuple[Any, ...]], runs: int) -> dict[str, int]:
    """Count the topics that have each status in any of the runs."""
    counts = Counter({"all": 0})
    for number, differing, *states in groups:
        counts["all"] += number
        if runs > 1:
            counts["differs"] += differing
        for status in set(states):
            counts["missing" if status is None else status] += number
    return dict(counts)


def _row_of(line: tuple[Any, ...], runs: int) -> dict[str, Any]:
    about, cells = line[:5], line[5:]
    told: list[dict[str, Any] | None] = []
    for run in range(runs):
        values = dict(zip(RUN_CELLS, cells[run * len(RUN_CELLS) :], strict=False))
        values.pop("cause")
        told.append(None if values["order"] is None else values)
    return {"id": _shown(about[0]), "title": _shown(about[1]), "order": about[2], "cells": told}


def _shown(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
