"""CSV as spreadsheets and data tools both take it: `topics.csv` and `calls.csv`.

UTF-8 with a byte-order mark, by which Excel knows it; lines end with CR LF; texts stand in quotes
and numbers do not; a null is an empty cell without quotes. No text is taken for a formula: see
`csv_safe`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TextIO

from harness.exports.columns import TABLES, Cell, Column, Kind, record
from harness.exports.source import TopicRows
from harness.text.safe import csv_safe, json_safe

BYTE_ORDER_MARK = "\ufeff"


def write_csv(topics: Iterable[TopicRows], into: Path) -> None:
    """Both tables. Raises OSError, and ResultsError for a damaged row."""
    with ExitStack() as opened:
        files = {
            name: opened.enter_context(_begun(into / f"{name}.csv", columns))
            for name, columns in TABLES.items()
        }
        for topic in topics:
            files["topics"].write(_line(TABLES["topics"], record(TABLES["topics"], topic.row)))
            files["calls"].writelines(
                _line(TABLES["calls"], record(TABLES["calls"], call)) for call in topic.calls
            )


def cell_text(value: Cell, kind: Kind) -> str:
    """One cell, as it stands between two commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _quoted(value, kind)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso(value)
    return repr(value)


def _quoted(value: str, kind: Kind) -> str:
    # JSON begins with no character of a formula but the minus of a number, and must stay JSON.
    safe = json_safe(value) if kind == "json" else csv_safe(value)
    return '"' + safe.replace('"', '""') + '"'


def iso(instant: datetime) -> str:
    """An instant in UTC, as in the rows of a run."""
    return instant.isoformat(timespec="milliseconds")


def _begun(path: Path, columns: tuple[Column, ...]) -> TextIO:
    file = path.open("w", encoding="utf-8", newline="")
    file.write(BYTE_ORDER_MARK + ",".join(column.name for column in columns) + "\r\n")
    return file


def _line(columns: tuple[Column, ...], cells: list[Cell]) -> str:
    return (
        ",".join(cell_text(cell, column.kind) for cell, column in zip(cells, columns, strict=True))
        + "\r\n"
    )
