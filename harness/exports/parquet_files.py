"""Parquet by pyarrow: `topics.parquet` and `calls.parquet`, typed, the meaning of each column in
its metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import InputError
from harness.exports.columns import TABLES, Cell, Column, record
from harness.exports.source import TopicRows

_MOST_ROWS = 4096
_MOST_CHARACTERS = 8_000_000
"""The limits of a row group. Memory holds one group at a time, however large the run."""


def write_parquet(topics: Iterable[TopicRows], into: Path) -> None:
    """Both tables. Raises InputError without pyarrow, OSError, and ResultsError for a damaged
    row.
    """
    with _Table("topics", into) as topic_table, _Table("calls", into) as call_table:
        for topic in topics:
            topic_table.add(record(TABLES["topics"], topic.row))
            for call in topic.calls:
                call_table.add(record(TABLES["calls"], call))


class _Table:
    """Gathers rows column by column, and writes a row group when it is large enough."""

    def __init__(self, name: str, into: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - 166 MB that only this format needs
            from pyarrow import parquet  # noqa: PLC0415 - as above
        except ImportError as error:
            raise InputError(
                "Parquet is written by pyarrow, which is not installed: pip install"
                ' "reasoning-harness[parquet]", or choose --format sqlite or csv'
            ) from error
        self._arrow = pa
        self._columns = TABLES[name]
        self._schema = pa.schema([_field(pa, column) for column in self._columns])
        self._writer = parquet.ParquetWriter(
            into / f"{name}.parquet", self._schema, compression="zstd"
        )
        self._cells: list[list[Cell]] = [[] for _ in self._columns]
        self._characters = 0

    def add(self, cells: list[Cell]) -> None:
        for gathered, cell in zip(self._cells, cells, strict=True):
            gathered.append(cell)
        self._characters += sum(len(cell) for cell in cells if isinstance(cell, str))
        if self._characters >= _MOST_CHARACTERS or len(self._cells[0]) >= _MOST_ROWS:
            self._write()

    def _write(self) -> None:
        arrays = [
            self._arrow.array(cells, field.type)
            for cells, field in zip(self._cells, self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
        for cells in self._cells:
            cells.clear()
        self._characters = 0

    def __enter__(self) -> _Table:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._cells[0]:
            self._write()
        self._writer.close()


def _field(pa: Any, column: Column) -> Any:
    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
        "json": pa.string(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("ms", tz="UTC"),
    }
    metadata = {"meaning": column.meaning, "kind": column.kind}
    return pa.field(
        column.name, types[column.kind], nullable=not column.required, metadata=metadata
    )
