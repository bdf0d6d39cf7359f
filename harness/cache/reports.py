"""The contents of a cache: counts, single entries, and whether every row is still what was stored.

Plain functions of a connection that only read; `cache_admin` runs them on the database's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.cache.entry import Entry, instant, stored, stored_request
from harness.domain.completion import Request
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall
from harness.ports import Stored
from harness.records.json_text import storable
from harness.records.request_codec import request_from_canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStats:
    """Answers of one model of one endpoint, as they were asked for. `bytes` counts requests and
    answers.
    """

    endpoint: str
    model: str
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStats:
    """All calls of all runs. `cost` in USD and `tokens` are what is known to have been spent.

    `rejected` are those of the stored ones whose answers a step would not take, `unpriced` those of
    unknown cost.
    """

    runs: int
    calls: int
    stored: int
    failed: int
    open: int
    cost: float
    tokens: int
    rejected: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """A cache in numbers. `bytes` is its entries, `file_bytes` the file with all that SQLite
    adds.
    """

    entries: int
    bytes: int
    file_bytes: int
    oldest: datetime | None
    newest: datetime | None
    models: tuple[ModelStats, ...]
    journal: JournalStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One entry, whole: its row as texts, and what they say."""

    entry: Entry
    request: Request
    stored: Stored

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def call(self) -> RecordedCall:
        """The call that it was stored for."""
        return RecordedCall(
            topic_id=self.entry.topic_id,
            span_id=self.entry.span_id,
            key=self.entry.key,
            request=self.request,
            completion=self.stored.completion,
            run_id=self.stored.run_id,
            created_at=self.stored.created_at,
        )

    @property
    def bytes(self) -> int:
        return self.entry.bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that will never answer, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The findings of a check of every row. `structure` is what SQLite says of the file itself, if
    it found faults.
    """

    entries: int
    bad: tuple[BadRow, ...]
    structure: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.bad and not self.structure


# As bytes: a text that is damaged beyond UTF-8 spoils its own row only.
_NAMES = (
    "key",
    "request",
    "value",
    "digest",
    "created_at",
    "run_id",
    "topic_id",
    "span_id",
    "rejected",
)
_COLUMNS = ", ".join(f"CAST({name} AS BLOB)" for name in _NAMES)


def stats(connection: sqlite3.Connection) -> CacheStats:
    models = tuple(
        ModelStats(endpoint=endpoint, model=model, entries=entries, bytes=size)
        for endpoint, model, entries, size in connection.execute(
            "SELECT endpoint, model, count(*), sum(bytes) FROM responses GROUP BY endpoint, model"
            " ORDER BY 1, 2"
        )
    )
    oldest, newest = connection.execute(
        "SELECT min(created_at), max(created_at) FROM responses"
    ).fetchone()
    pages, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    runs, calls, kept, rejected, unpriced, failed, open_, cost, tokens = connection.execute(
        "SELECT count(DISTINCT run_id), count(*), count(*) FILTER (WHERE outcome = 'stored'), "
        "count(*) FILTER (WHERE rejected IS NOT NULL), "
        "count(*) FILTER (WHERE outcome = 'stored' AND cost IS NULL), "
        "count(*) FILTER (WHERE outcome = 'failed'), count(*) FILTER (WHERE outcome = 'open'), "
        "coalesce(sum(cost), 0.0), coalesce(sum(tokens), 0) FROM calls"
    ).fetchone()
    return CacheStats(
        entries=sum(model.entries for model in models),
        bytes=sum(model.bytes for model in models),
        file_bytes=pages * page_bytes,
        oldest=instant(oldest) if oldest else None,
        newest=instant(newest) if newest else None,
        models=models,
        journal=JournalStats(
            runs=runs,
            calls=calls,
            stored=kept,
            failed=failed,
            open=open_,
            cost=cost,
            tokens=tokens,
            rejected=rejected,
            unpriced=unpriced,
        ),
    )


def show(prefix: str, limit: int, connection: sqlite3.Connection) -> tuple[Sound, ...]:
    """The first `limit` entries whose keys begin so, in the order of keys; damaged ones are left
    out.
    """
    # Keys are hexadecimal digits: "g" comes after all of them.
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM responses WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",  # noqa: S608
        (prefix, prefix + "g", limit),
    )
    return tuple(found for found in map(checked, rows) if isinstance(found, Sound))


def entries(connection: sqlite3.Connection) -> Iterator[Sound | BadRow]:
    """Every row in the order of topics, calls and keys: an entry, or what is wrong with it."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM responses ORDER BY topic_id, span_id, key")  # noqa: S608
    return map(checked, rows)


def of_topic(topic_id: str, connection: sqlite3.Connection) -> list[RecordedCall]:
    """Return what was stored for calls of this topic, of any run, oldest first; damaged entries are
    left out.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM responses WHERE topic_id = ? ORDER BY created_at, id",  # noqa: S608
        (storable(topic_id),),
    )
    return [found.call for found in map(checked, rows) if isinstance(found, Sound)]


def of_key(key: str, connection: sqlite3.Connection) -> Sound | BadRow | None:
    """The row of this key, if there is one."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM responses WHERE key = ?", (key,)).fetchone()  # noqa: S608
    return None if row is None else checked(row)


def verify(connection: sqlite3.Connection) -> Verified:
    """Check every row (key against request, digest, JSON) and the structure of the file. Reads all
    of it.
    """
    count = 0
    bad: list[BadRow] = []
    structure: list[str] = []
    try:
        for found in entries(connection):
            count += 1
            if isinstance(found, BadRow):
                bad.append(found)
        structure = [
            text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"
        ]
    except sqlite3.DatabaseError as error:
        structure.append(str(error))
    return Verified(entries=count, bad=tuple(bad), structure=tuple(structure))


def checked(row: tuple[Any, ...]) -> Sound | BadRow:
    """Read a row, of which the columns are as `_NAMES` has them; or what is wrong with it."""
    key, was_asked, value, digest, created_at, run_id, topic_id, span_id, rejected = row
    try:
        request = request_from_canonical(was_asked.decode())
        if cache_key(request).encode() != key or stored_request(request).encode() != was_asked:
            return _bad(key, "its key is not that of its request")
        answer = stored(
            key=key, digest_was=digest, created_at=created_at, run_id=run_id, value=value
        )
    # A damaged row may hold anything.
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return _bad(key, str(error))
    entry = Entry(
        key=key.decode(),
        request=was_asked.decode(),
        value=value.decode(),
        created_at=created_at.decode(),
        run_id=run_id.decode(),
        endpoint=storable(request.endpoint),
        model=storable(request.model),
        topic_id=topic_id.decode("utf-8", "replace"),
        span_id=span_id.decode("utf-8", "replace"),
    )
    mark = None if rejected is None else rejected.decode("utf-8", "replace")
    return Sound(entry=entry, request=request, stored=replace(answer, rejected=mark))


def _bad(key: bytes, reason: str) -> BadRow:
    return BadRow(key=key.decode("utf-8", "backslashreplace"), reason=reason)
