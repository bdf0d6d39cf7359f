"""The statements by which a page asks for topics: from what it wants to SQL."""

# ruff: noqa: S608 - names of tables and columns are the program's own, and values are bound

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CELLS = ("status", "cost", "elapsed_s", "calls", "retries", "output_tokens")
"""What a page is told of a topic in each run, besides its id and title."""

ORDERS = frozenset({"order", "id", *CELLS})
STATUSES = ("ok", "degraded", "failed")
FIRST_ROWS = 100
"""Lines that a page draws at first."""

# SQLite takes a thousand conditions, and numbers of 64 bits.
_MOST_WORDS, _LARGEST = 100, 2**31
_FILTERS = frozenset({"all", "missing", "differs", *STATUSES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The topics that a page wants, and their order.

    `status` is one of a run's, `missing`, `differs` or `all`. `words` must all be in the id or the
    title. `cause` is the number of a run, a status and a cause. `column` belongs to the run
    `run`; what is not known comes last.
    """

    status: str = "all"
    words: tuple[str, ...] = ()
    cause: tuple[int, str, int] | None = None
    column: str = "order"
    run: int = 0
    down: bool = False


def query_of(told: Mapping[str, str], runs: int) -> Query:
    """Return the query in the fields of an address. Raises ValueError for a field that says nothing
    that a table of so many runs knows.
    """
    status, column = told.get("status", "all"), told.get("sort", "order")
    words = tuple(dict.fromkeys(told.get("words", "").lower().split()))
    run, cause = int(told.get("run", "0")), told.get("cause")
    if status not in _FILTERS or column not in ORDERS or not 0 <= run < runs:
        raise ValueError(f"no such query: {dict(told)}")
    if len(words) > _MOST_WORDS:
        raise ValueError(f"more than {_MOST_WORDS} words")
    return Query(
        status=status,
        words=words,
        cause=None if cause is None else _cause_of(cause, runs),
        column=column,
        run=run,
        down=told.get("down") == "1",
    )


def _cause_of(text: str, runs: int) -> tuple[int, str, int]:
    run, status, number = text.split(",")
    if status not in STATUSES or not 0 <= int(run) < runs or not 0 <= int(number) < _LARGEST:
        raise ValueError(f"no such cause: {text}")
    return int(run), status, int(number)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL, and the values that are bound in it."""

    text: str
    values: tuple[Any, ...]


def source_of(names: Sequence[str]) -> str:
    """The topics of one run or two as one table, the cells of each run under its number."""
    first = names[0]
    if len(names) == 1:
        return f"SELECT {_about('a')}, {_cells('a', 0)} FROM {first} a"
    second = names[1]
    return (
        f"SELECT {_about('a')}, {_cells('a', 0)}, {_cells('b', 1)} FROM {first} a"
        f" LEFT JOIN {second} b ON a.id = b.id UNION ALL SELECT {_about('b')}, {_cells(None, 0)},"
        f" {_cells('b', 1)} FROM {second} b WHERE NOT EXISTS"
        f" (SELECT 1 FROM {first} a WHERE a.id = b.id)"
    )


def _about(table: str) -> str:
    return ", ".join(f'{table}."{name}"' for name in ("id", "title", "order", "words", "sorting"))


RUN_CELLS = ("order", *CELLS, "cause", "print")


def _cells(table: str | None, run: int) -> str:
    if table is None:
        return ", ".join(f"NULL AS {name}_{run}" for name in RUN_CELLS)
    return ", ".join(f'{table}."{name}" AS {name}_{run}' for name in RUN_CELLS)


def where_of(query: Query, runs: int) -> Where:
    """The condition under which a topic of so many runs is wanted."""
    parts: list[str] = []
    values: list[Any] = []
    if query.status == "differs":
        parts.append("print_0 IS NOT print_1")
    elif query.status != "all":
        status = None if query.status == "missing" else query.status
        either = " OR ".join(f"status_{run} IS ?" for run in range(runs))
        parts.append(f"({either})")
        values += [status] * runs
    if query.cause is not None:
        run, status, number = query.cause
        parts.append(f"status_{run:d} = ? AND cause_{run:d} = ?")
        values += [status, number]
    for word in query.words:
        parts.append("instr(words, ?) > 0")
        values.append(storable(word))
    return Where(" AND ".join(parts) or "1", tuple(values))


def order_of(query: Query) -> str:
    """The order, as SQL has it after ORDER BY. Only names that are known come into it."""
    if query.column not in ORDERS:
        raise ValueError(f"no column {query.column!r}")
    direction = "DESC" if query.down else "ASC"
    if query.column == "order":
        return f'"order" {direction}'
    if query.column == "id":
        return f'sorting {direction}, "order"'
    column = f"{query.column}_{query.run:d}"
    if query.column == "status":
        whens = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(STATUSES))
        return f'CASE {column} {whens} ELSE -1 END {direction}, "order"'
    return f'{column} IS NULL, {column} {direction}, "order"'


def groups_of(source: str, runs: int) -> str:
    """The statement that counts topics by their status in each run."""
    states = ", ".join(f"status_{run}" for run in range(runs))
    differing = "sum(print_0 IS NOT print_1)" if runs > 1 else "0"
    return f"SELECT count(*), {differing}, {states} FROM ({source}) GROUP BY {states}"


def storable(value: Any) -> Any:
    """Half a surrogate pair is no text to SQLite: such a text is kept as its bytes."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    return value
