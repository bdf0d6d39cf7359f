"""An index on disk of every line of a dataset: memory is the same for ten lines and for ten
million.

The database has no name and lives in temporary storage: SQLite removes it when it is closed, and
the system does so if the process dies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from harness.domain.run import drawn_id
from harness.errors import StorageError

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE lines (
    number INTEGER PRIMARY KEY,
    offset INTEGER NOT NULL,
    length INTEGER,  -- NULL: too long to be read
    id TEXT,         -- NULL: a bad line, or a blank one
    derived INTEGER, -- the id was derived from the topic's text
    rank INTEGER,    -- decides the order of reading; NULL: not selected
    digest INTEGER NOT NULL -- 0: a blank line
);
CREATE TABLE grown (after INTEGER PRIMARY KEY); -- lines that the file had before it grew
CREATE TABLE renamed (number INTEGER PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE repeated (number INTEGER PRIMARY KEY, first INTEGER NOT NULL);
CREATE TABLE topics (place INTEGER PRIMARY KEY, number INTEGER NOT NULL); -- the selected ones, in the order of reading
"""

_FINISH = """
CREATE INDEX lines_by_id ON lines (id, number) WHERE id IS NOT NULL;
INSERT INTO renamed
    SELECT number, id || '-' || occurrence FROM (
        SELECT number, id, row_number() OVER (PARTITION BY id ORDER BY number) AS occurrence
        FROM lines WHERE id IS NOT NULL AND derived
    ) WHERE occurrence > 1;
UPDATE lines SET id = (SELECT id FROM renamed WHERE renamed.number = lines.number)
    WHERE number IN (SELECT number FROM renamed);
INSERT INTO repeated
    SELECT number, first FROM (
        SELECT number, min(number) OVER (PARTITION BY id) AS first FROM lines WHERE id IS NOT NULL
    ) WHERE number > first;
"""

_ARRANGE = """
DELETE FROM topics;
INSERT INTO topics
    SELECT place, number FROM (
        SELECT number, id, row_number() OVER (
            ORDER BY (SELECT count(*) FROM grown WHERE after < number), rank, number
        ) - 1 AS place FROM lines WHERE rank IS NOT NULL
    ) WHERE id IS NOT NULL AND number NOT IN (SELECT number FROM repeated);
"""


class LineFacts(NamedTuple):
    """Facts of one line, from one pass over the dataset, in the order of the table's columns."""

    number: int
    offset: int
    length: int | None
    id: str | None
    derived: bool
    rank: int | None
    digest: int


_BLOCK = 256
"""Rows that are fetched in one go."""


class Entry(NamedTuple):
    """A selected topic.

    `place` counts from 0 over the selected lines; those that hold no topic have theirs, too.
    """

    place: int
    number: int
    offset: int
    length: int
    id: str


class LineIndex:
    """The facts of all lines, filled once.

    Every method raises StorageError if the temporary storage fails.
    """

    def __init__(self) -> None:
        with _storage():
            # Filled in a worker thread, read on the event loop's, never by both at once.
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._database.executescript(_SCHEMA)

    def fill(self, facts: Iterable[LineFacts]) -> None:
        """Takes in all lines.

        Then numbers equal derived ids (`-2`, `-3` …) and finds ids that are used twice.
        """
        with _storage():
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)", facts)
            self._database.execute("COMMIT")
            self._database.executescript(_FINISH)
            self._database.executescript(_ARRANGE)

    def order_after(self, lines: Iterable[int]) -> None:
        """Set the order of reading of a file that grew: the older lines first.

        `lines` are how many lines it had when each earlier session read it.
        """
        with _storage():
            self._database.execute("DELETE FROM grown")
            self._database.executemany(
                "INSERT OR IGNORE INTO grown VALUES (?)", [(number,) for number in lines]
            )
            self._database.executescript(_ARRANGE)

    def repeated(self, limit: int) -> tuple[int, list[tuple[int, str, int]]]:
        """Count the lines that repeat an earlier line's id, and return the first of them.

        Each is its number, the id, and the earlier number.
        """
        with _storage():
            (count,) = self._database.execute("SELECT count(*) FROM repeated").fetchone()
            first = self._database.execute(
                "SELECT number, id, first FROM repeated JOIN lines USING (number) ORDER BY number"
                " LIMIT ?",
                (limit,),
            )
            return count, first.fetchall()

    def named_like_a_draw(self, samples: int) -> tuple[int, str, int] | None:
        """Return the first line whose id is the name of a draw of another line.

        The value is its number, the id, and the other line's number; `samples` is how often each
        topic is drawn. None where all draws have names of their own.
        """
        if samples == 1:
            return None
        with _storage():
            numbered = self._database.execute(
                "SELECT number, id FROM lines WHERE id LIKE '%#%' ORDER BY number"
            )
            for number, own_id in numbered:
                topic_id, _, draw = own_id.rpartition("#")
                if not (
                    draw.isdecimal()
                    and 2 <= int(draw) <= samples
                    and own_id == drawn_id(topic_id, int(draw) - 1)
                ):
                    continue
                other = self._database.execute(
                    "SELECT number FROM lines WHERE id = ? ORDER BY number", (topic_id,)
                ).fetchone()
                if other is not None:
                    return number, own_id, other[0]
        return None

    def entries(self, limit: int) -> Iterator[Entry]:
        """The first selected topics, in the order of reading."""
        with _storage():
            rows = self._database.execute(
                "SELECT place, number, offset, length, id FROM topics CROSS JOIN lines USING"
                " (number) ORDER BY place LIMIT ?",
                (limit,),
            )
            while block := rows.fetchmany(_BLOCK):
                for row in block:
                    yield Entry(*row)

    def count(self) -> int:
        """Return the number of selected topics."""
        with _storage():
            (count,) = self._database.execute("SELECT count(*) FROM topics").fetchone()
            return int(count)

    def places(self, limit: int) -> int:
        """Return how many positions the first selected topics take, lines without a topic
        included.
        """
        with _storage():
            (last,) = self._database.execute(
                "SELECT max(place) FROM (SELECT place FROM topics ORDER BY place LIMIT ?)", (limit,)
            ).fetchone()
            return 0 if last is None else int(last) + 1

    def place_of(self, own_id: str) -> int | None:
        """The place of the selected topic with this id; None if there is none."""
        with _storage():
            found = self._database.execute(
                "SELECT place FROM topics WHERE number IN (SELECT number FROM lines WHERE id = ?)",
                (own_id,),
            ).fetchone()
            return None if found is None else int(found[0])

    def digests(self) -> Iterator[int]:
        """Yield a digest of each line; blank lines at the end are left out."""
        with _storage():
            (last,) = self._database.execute(
                "SELECT ifnull(max(number), 0) FROM lines WHERE digest != 0"
            ).fetchone()
            rows = self._database.execute(
                "SELECT digest FROM lines WHERE number <= ? ORDER BY number", (last,)
            )
            for (digest,) in rows:
                yield int(digest)

    def where(self, number: int) -> tuple[int, int | None] | None:
        """Offset and length of a line; None if there is no such line."""
        with _storage():
            found = self._database.execute(
                "SELECT offset, length FROM lines WHERE number = ?", (number,)
            ).fetchone()
            if found is None:
                return None
            return (int(found[0]), found[1])

    def close(self) -> None:
        """The database is gone."""
        self._database.close()


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"the index of the topic file cannot be kept in temporary storage: {error}; "
            "point TMPDIR to a directory with room"
        ) from error
