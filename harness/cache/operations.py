"""The statements of the database: look-ups, and the writes of one transaction. Everything here runs
on its thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from harness.cache.entry import Entry, entry_of, instant, stamp, stored, stored_request
from harness.cache.lease_table import Claiming, Releasing
from harness.cache.sqlite_errors import is_of_the_statement, translated
from harness.cache.sqlite_thread import Database
from harness.domain.call import Call
from harness.domain.completion import Request
from harness.domain.ledger import Spent
from harness.ports import OpenCall, Rejection, Resolution, Stored
from harness.records.json_text import storable

_STORE = """
INSERT INTO responses (key, request, value, digest, created_at, run_id, endpoint, model, bytes, topic_id, span_id,
                       rejected)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)
ON CONFLICT (key) DO UPDATE SET
    request = excluded.request, value = excluded.value, digest = excluded.digest, created_at = excluded.created_at,
    run_id = excluded.run_id, endpoint = excluded.endpoint, model = excluded.model, bytes = excluded.bytes,
    topic_id = excluded.topic_id, span_id = excluded.span_id, rejected = excluded.rejected
"""
_OPEN = """
INSERT INTO calls (key, run_id, topic_id, span_id, opened_at, cost_at_most, tokens_at_most) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_CLOSE = """
UPDATE calls SET closed_at = ?, outcome = ?, cost = ?, tokens = ?, error = ?, cost_judged = ?, tokens_judged = ?
WHERE id = ?
"""

_REJECT_ANSWER = """
UPDATE responses SET rejected = ?
WHERE key = ? AND CASE WHEN json_valid(value) THEN coalesce(json_extract(value, '$.owner'), '') END = ?
"""
# The newest row of the call under this key: it was closed a moment ago, so it is found among the
# last of its run.
_REJECT_CALL = """
UPDATE calls SET rejected = ? WHERE id = (
    SELECT id FROM calls
    WHERE run_id = ? AND outcome = 'stored' AND key = ? AND topic_id = ? AND span_id = ? ORDER BY id DESC LIMIT 1
)
"""

# The payment of a row is unknown while it is open, where it failed and nobody knows its cost, and
# where an answer came without its usage. It is at most what was judged when the row was closed,
# else the worst case that it was opened with.
_SPENT = """
WITH rows AS (
    SELECT outcome, cost, coalesce(tokens, 0) AS tokens,
           coalesce(cost_judged, cost_at_most) AS cost_at_most,
           coalesce(tokens_judged, tokens_at_most) AS tokens_at_most,
           cost IS NULL AND (outcome <> 'stored' OR coalesce(tokens, 0) = 0) AS at_risk,
           outcome = 'stored' AND cost IS NULL AND coalesce(tokens, 0) = 0 AS untold
    FROM calls WHERE run_id = ?
)
SELECT count(*),
       coalesce(sum(cost), 0.0),
       coalesce(sum(tokens), 0),
       coalesce(sum(cost_at_most) FILTER (WHERE at_risk), 0.0),
       coalesce(sum(max(tokens_at_most - tokens, 0)) FILTER (WHERE at_risk), 0),
       count(*) FILTER (WHERE outcome = 'open'),
       count(*) FILTER (WHERE cost IS NULL AND (NOT at_risk OR cost_at_most IS NULL)),
       count(*) FILTER (WHERE untold),
       coalesce(sum(cost_at_most) FILTER (WHERE untold), 0.0),
       coalesce(sum(tokens_at_most) FILTER (WHERE untold), 0)
FROM rows
"""
_SPENT_FIELDS = (
    "calls", "cost", "tokens", "cost_at_risk", "tokens_at_risk", "open_calls", "unpriced",
    "untold", "cost_untold", "tokens_untold",
)  # fmt: skip
_LEFT_OPEN = """
SELECT key, topic_id, span_id, opened_at, cost_at_most, tokens_at_most
FROM calls WHERE run_id = ? AND outcome = 'open' ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that is there and must not answer."""

    reason: str


# As bytes: a text that is damaged beyond UTF-8 spoils its own row, and not the whole answer of the
# database.
_LOOK_UP = """
SELECT key, CAST(request AS BLOB), CAST(value AS BLOB), CAST(digest AS BLOB), CAST(created_at AS BLOB),
       CAST(run_id AS BLOB), CAST(rejected AS BLOB)
FROM responses WHERE key IN ({marks})
"""


def look_up(
    asks: Sequence[tuple[str, Request]], connection: sqlite3.Connection
) -> list[Stored | Unusable | None]:
    """The entries of all these requests, in their order."""
    keys = list({key for key, _ in asks})
    found = connection.execute(_LOOK_UP.format(marks=",".join("?" * len(keys))), keys)
    rows = {key: columns for key, *columns in found}
    answers: list[Stored | Unusable | None] = []
    for key, request in asks:
        columns = rows.get(key)
        answers.append(None if columns is None else _answer(key, request, columns))
    return answers


def _answer(key: str, request: Request, columns: list[Any]) -> Stored | Unusable:
    was_asked, value, digest, created_at, run_id, rejected = columns
    try:
        if was_asked != stored_request(request).encode():
            return Unusable("it was stored for another request")
        found = stored(
            key=key.encode(), digest_was=digest, created_at=created_at, run_id=run_id, value=value
        )
        return replace(found, rejected=None if rejected is None else rejected.decode())
    # A damaged row may hold anything, NULL included.
    except (ValueError, TypeError, AttributeError) as error:
        return Unusable(str(error))


class Write(Protocol):
    """A part of a transaction."""

    def prepare(self) -> None:
        """Do what takes time and no database, before the lock is taken."""
        ...

    def apply(self, connection: sqlite3.Connection) -> None:
        """Its statements. May be applied again after a roll-back."""
        ...

    def committed(self) -> int:
        """Told once the transaction is durable; the row's number is what the caller gets."""
        ...


@dataclass(slots=True, eq=False)
class Opening:
    """The row of a request that is about to leave.

    `number` is known once the row is durable. `withdrawn` is set when the caller was cancelled:
    nothing will leave.
    """

    entry: OpenCall
    number: int = 0
    withdrawn: bool = False
    _row: int = 0

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def apply(self, connection: sqlite3.Connection) -> None:
        if self.withdrawn:
            return
        entry, call = self.entry, self.entry.call
        names = (storable(call.run_id), storable(call.topic_id), storable(call.span_id))
        values = (
            entry.key,
            *names,
            stamp(entry.opened_at),
            entry.cost_at_most,
            entry.tokens_at_most,
        )
        self._row = connection.execute(_OPEN, values).lastrowid or 0

    def committed(self) -> int:
        self.number = self._row
        return self.number


@dataclass(slots=True, eq=False)
class Withdrawal:
    """Takes an opening back. It is handed in after the opening, so whatever became of that is known
    by then.
    """

    opening: Opening

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def apply(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM calls WHERE id = ?", (self.opening.number,))

    def committed(self) -> int:
        return self.opening.number


@dataclass(slots=True, eq=False)
class Closing:
    """The answer of a call into `responses`, and its row of the journal closed.

    `lease` is the claim on its key, if there is one: an answer that is kept releases it.
    """

    number: int
    request: Request
    entry: OpenCall
    resolution: Resolution
    lease: Claiming | None = None
    _answer: Entry | None = None

    def prepare(self) -> None:
        resolution = self.resolution
        if resolution.outcome == "stored" and resolution.keep and resolution.completion is not None:
            self._answer = entry_of(
                self.entry.key,
                self.request,
                resolution.completion,
                run_id=storable(self.entry.call.run_id),
                created_at=resolution.closed_at,
                topic_id=self.entry.call.topic_id,
                span_id=self.entry.call.span_id,
            )

    def apply(self, connection: sqlite3.Connection) -> None:
        if self._answer is not None:
            store(self._answer, connection)
            if self.lease is not None:
                self.lease.release(connection)
        resolution = self.resolution
        error = None if resolution.error is None else storable(resolution.error)
        values = (
            stamp(resolution.closed_at),
            resolution.outcome,
            resolution.cost,
            resolution.tokens,
            error,
        )
        most = resolution.at_most
        judged = (None, None) if most is None else (most.cost, most.tokens)
        connection.execute(_CLOSE, (*values, *judged, self.number))

    def committed(self) -> int:
        return self.number

    @property
    def releases(self) -> bool:
        """Return whether the lease, if there is one, ended with it; known once it is prepared."""
        return self._answer is not None


@dataclass(slots=True, eq=False)
class Rejecting:
    """An answer marked as rejected, in its entry and in the journal."""

    rejection: Rejection

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def apply(self, connection: sqlite3.Connection) -> None:
        rejection, call = self.rejection, self.rejection.call
        reason, owner = storable(rejection.reason), storable(rejection.owner)
        connection.execute(_REJECT_ANSWER, (reason, rejection.key, owner))
        if rejection.owner == call.owner:
            names = (storable(call.topic_id), storable(call.span_id))
            connection.execute(_REJECT_CALL, (reason, storable(call.run_id), rejection.key, *names))

    def committed(self) -> int:
        return 0


def store(entry: Entry, connection: sqlite3.Connection) -> None:
    """Keep an answer; it replaces an older one of the same key."""
    values = (entry.key, entry.request, entry.value, entry.digest, entry.created_at, entry.run_id)
    connection.execute(
        _STORE, (*values, entry.endpoint, entry.model, entry.bytes, entry.topic_id, entry.span_id)
    )


def write(
    writes: Sequence[Write], database: Database, connection: sqlite3.Connection
) -> list[int | Exception]:
    """All of them in one transaction. One that is at fault itself fails alone; the disk's failure
    is everyone's.
    """
    try:
        for operation in writes:
            operation.prepare()
        # A lease means nothing after a power cut, so what is only about leases need not outlast
        # one.
        durable = not all(isinstance(operation, Claiming | Releasing) for operation in writes)
        database.in_transaction(partial(_apply, writes), connection, durable=durable)
    except Exception as error:
        if not is_of_the_statement(error):
            raise
        if len(writes) == 1:
            return [translated(error, database.path) if isinstance(error, sqlite3.Error) else error]
        return [
            result for operation in writes for result in write([operation], database, connection)
        ]
    return [operation.committed() for operation in writes]


def _apply(writes: Sequence[Write], connection: sqlite3.Connection) -> None:
    for operation in writes:
        operation.apply(connection)


def spent(run_id: str, connection: sqlite3.Connection) -> Spent:
    row = connection.execute(_SPENT, (storable(run_id),)).fetchone()
    return Spent(**dict(zip(_SPENT_FIELDS, row, strict=True)))


def left_open(run_id: str, connection: sqlite3.Connection) -> list[OpenCall]:
    return [
        OpenCall(
            key=key,
            call=Call(run_id=run_id, topic_id=topic_id, span_id=span_id),
            opened_at=instant(opened_at),
            cost_at_most=cost_at_most,
            tokens_at_most=tokens_at_most,
        )
        for key, topic_id, span_id, opened_at, cost_at_most, tokens_at_most in connection.execute(
            _LEFT_OPEN, (storable(run_id),)
        )
    ]
