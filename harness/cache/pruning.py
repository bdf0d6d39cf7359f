"""Removing answers by age, run and size. Runs on the database's thread."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from harness.cache.sqlite_errors import is_contended

_WORTH_A_VACUUM = 0.25
"""The share of free pages from which rewriting the whole file is worth the time it takes."""

# Newest first, until the sum passes the limit: what comes after goes.
_BEYOND = """
SELECT id, bytes FROM (
    SELECT id, bytes, sum(bytes) OVER (ORDER BY created_at DESC, id DESC) AS total FROM responses
) WHERE total > ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The entries that were removed: answers with their bytes, and closed rows of the journal.
    `vacuumed`: the file shrank.
    """

    entries: int
    bytes: int
    calls: int
    vacuumed: bool = False


def remove(
    *,
    created_before: str | None,
    run_id: str | None,
    max_bytes: int | None,
    connection: sqlite3.Connection,
) -> Pruned:
    """The answers that are both older and of the run, where either is given; then the oldest until
    the rest fits.

    The journal is the record of what was paid, so only the rows of a run that is named go, and no
    open ones.
    """
    count = size = calls = 0
    if created_before is not None or run_id is not None:
        old_and_ours = "(?1 IS NULL OR {stamp} < ?1) AND (?2 IS NULL OR run_id = ?2)"
        where = old_and_ours.format(stamp="created_at")
        values = (created_before, run_id)
        count, size = _removed(f"SELECT id, bytes FROM responses WHERE {where}", values, connection)  # noqa: S608
        if run_id is not None:
            where = old_and_ours.format(stamp="closed_at")
            calls = connection.execute(
                f"DELETE FROM calls WHERE outcome <> 'open' AND {where}",  # noqa: S608
                values,
            ).rowcount
    if max_bytes is not None:
        more, more_size = _removed(_BEYOND, (max_bytes,), connection)
        count, size = count + more, size + more_size
    return Pruned(entries=count, bytes=size, calls=calls)


def vacuum_if_worth_it(connection: sqlite3.Connection) -> bool:
    """Give the file's free pages back, if they are many and no other process is in the way."""
    free, pages = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("freelist_count", "page_count")
    )
    if free < pages * _WORTH_A_VACUUM:
        return False
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if not is_contended(error):
            raise
        return False
    return True


def _removed(
    chosen: str, values: tuple[object, ...], connection: sqlite3.Connection
) -> tuple[int, int]:
    """Remove the rows that a query of `id, bytes` names; how many they were, and their bytes."""
    count, size = connection.execute(
        f"SELECT count(*), coalesce(sum(bytes), 0) FROM ({chosen})",  # noqa: S608
        values,
    ).fetchone()
    connection.execute(f"DELETE FROM responses WHERE id IN (SELECT id FROM ({chosen}))", values)  # noqa: S608
    return count, size
