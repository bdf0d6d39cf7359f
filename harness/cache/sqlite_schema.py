"""The schema of the cache file, readable as text, and the steps that lead to it.

`responses` holds answers by key, `calls` the journal of requests, `leases` who is asking for which
key. Texts are plain (no compression, no binary), so that any SQLite browser shows them: compressed
values were measured (`benchmarks/cache.py`) to make the file smaller and every hit dearer, and a
cache that a person cannot read is worth less than the disk it saves.

The key column has an index beside a table with a rowid: `WITHOUT ROWID` puts 4 KB values into the
index's own tree, which makes it deep and each look-up slower (same benchmark). A lease is nothing
but its key and its owner, and there it spares a second tree.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x48524E53  # "HRNS"

_FIRST = (
    """
    CREATE TABLE responses (
        id         INTEGER PRIMARY KEY,
        key        TEXT    NOT NULL UNIQUE,
        request    TEXT    NOT NULL CHECK (json_valid(request)),
        value      TEXT    NOT NULL CHECK (json_valid(value)),
        digest     TEXT    NOT NULL,
        created_at TEXT    NOT NULL,
        run_id     TEXT    NOT NULL,
        endpoint   TEXT    NOT NULL,
        model      TEXT    NOT NULL,
        bytes      INTEGER NOT NULL
    )
    """,
    "CREATE INDEX responses_by_age ON responses (created_at)",
    "CREATE INDEX responses_by_run ON responses (run_id)",
    """
    CREATE TABLE calls (
        id             INTEGER PRIMARY KEY,
        key            TEXT    NOT NULL,
        run_id         TEXT    NOT NULL,
        topic_id       TEXT    NOT NULL,
        span_id        TEXT    NOT NULL,
        opened_at      TEXT    NOT NULL,
        closed_at      TEXT,
        outcome        TEXT    NOT NULL DEFAULT 'open' CHECK (outcome IN ('open', 'stored', 'failed')),
        cost           REAL,
        cost_at_most   REAL,
        tokens         INTEGER,
        tokens_at_most INTEGER NOT NULL,
        error          TEXT,
        CHECK ((outcome = 'open') = (closed_at IS NULL))
    )
    """,
    "CREATE INDEX calls_by_run ON calls (run_id, outcome)",
    """
    CREATE VIEW answers AS
    SELECT created_at, endpoint, model, run_id,
           json_extract(request, '$.messages[#-1].content') AS prompt,
           json_extract(value, '$.reasoning')               AS reasoning,
           json_extract(value, '$.content')                 AS answer,
           json_extract(value, '$.finish_reason')           AS finish_reason,
           json_extract(value, '$.usage.input_tokens')      AS input_tokens,
           json_extract(value, '$.usage.output_tokens')     AS output_tokens,
           json_extract(value, '$.cost')                    AS cost_usd,
           json_extract(value, '$.served.latency_s')        AS latency_s,
           bytes, key
    FROM responses
    ORDER BY created_at
    """,
)

# The owner is the name of a `harness.cache.lease_owner.LeaseOwner`; rows of dead owners are without
# effect.
_LEASES = (
    "CREATE TABLE leases (key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
)

# Which call an answer was stored for. Rows from before learn it from the journal; the index is for
# that alone.
_PLACES = (
    "ALTER TABLE responses ADD COLUMN topic_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE responses ADD COLUMN span_id TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX calls_by_key ON calls (key)",
    """
    UPDATE responses SET (topic_id, span_id) = (
        SELECT topic_id, span_id FROM calls
        WHERE calls.key = responses.key AND calls.run_id = responses.run_id AND outcome = 'stored'
        ORDER BY id LIMIT 1
    )
    WHERE EXISTS (
        SELECT 1 FROM calls WHERE calls.key = responses.key AND calls.run_id = responses.run_id AND outcome = 'stored'
    )
    """,
    "DROP INDEX calls_by_key",
    "CREATE INDEX responses_by_topic ON responses (topic_id)",
)

# Why a step would not take an answer, NULL where nobody said so. The outcome of such a call is
# `stored` as before: it was paid for and is kept.
_REJECTED = (
    "ALTER TABLE responses ADD COLUMN rejected TEXT",
    "ALTER TABLE calls ADD COLUMN rejected TEXT",
    "DROP VIEW answers",
    """
    CREATE VIEW answers AS
    SELECT created_at, endpoint, model, run_id,
           json_extract(request, '$.messages[#-1].content') AS prompt,
           json_extract(value, '$.reasoning')               AS reasoning,
           json_extract(value, '$.content')                 AS answer,
           rejected,
           json_extract(value, '$.finish_reason')           AS finish_reason,
           json_extract(value, '$.usage.input_tokens')      AS input_tokens,
           json_extract(value, '$.usage.output_tokens')     AS output_tokens,
           json_extract(value, '$.cost')                    AS cost_usd,
           json_extract(value, '$.served.latency_s')        AS latency_s,
           bytes, key
    FROM responses
    ORDER BY created_at
    """,
)

# What a request can have cost of which nobody knows what it did, as judged when its row was closed;
# null before that, for rows of earlier versions, and where it is known.
_JUDGED = (
    "ALTER TABLE calls ADD COLUMN cost_judged REAL",
    "ALTER TABLE calls ADD COLUMN tokens_judged INTEGER",
)

# Step n leads from user_version n to n + 1. A step that was released is never changed.
MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _LEASES, _PLACES, _REJECTED, _JUDGED)
VERSION = len(MIGRATIONS)
TABLES = {"responses": 1, "calls": 1, "leases": 2}
"""The tables, each with the first version that has it."""


def create(connection: sqlite3.Connection) -> None:
    """Make an empty database a cache of the current version."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to the current version, in one transaction; the first of several processes
    does it.
    """
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(version_of(connection), VERSION):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def application_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])
