"""The table of topics as the page of a file holds it: by column, as JSON, written as topics come.

Nothing of a topic stays in memory but its place in a buffer of some hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import IO, Any

from harness.report.blocks import encoded, json_text
from harness.report.digest import TopicLine

_LINES_HELD = 512
_NAMES = tuple(TopicLine.__dataclass_fields__)
_CELLS = attrgetter(*_NAMES)


class SpooledJson:
    """A list of JSON of which only the places in a file are known."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: list[tuple[int, int]] = []

    def extend(self, values: list[Any]) -> None:
        """Add values at the end of the list, and of the file."""
        text = encoded(json_text(values)[1:-1])
        self._places.append((self._file.tell(), len(text)))
        self._file.write(text)

    def parts(self) -> Iterator[bytes]:
        """Yield the list. The file must not be written to afterwards."""
        yield b"["
        for number, (at, size) in enumerate(self._places):
            if number:
                yield b","
            self._file.seek(at)
            yield self._file.read(size)
        yield b"]"


class Columns:
    """The lines of topics, turned into columns; `close` writes what is held."""

    def __init__(self, file: IO[bytes]) -> None:
        self._columns = [SpooledJson(file) for _ in _NAMES]
        self._held: list[TopicLine] = []

    def add(self, line: TopicLine) -> None:
        """Add the next topic."""
        self._held.append(line)
        if len(self._held) == _LINES_HELD:
            self.close()

    def close(self) -> dict[str, SpooledJson]:
        """Return the columns, by name."""
        if self._held:
            values = zip(*map(_CELLS, self._held), strict=True)
            for column, these in zip(self._columns, values, strict=True):
                column.extend(list(these))
            self._held = []
        return dict(zip(_NAMES, self._columns, strict=True))


def json_parts(value: Any) -> Iterator[bytes]:
    """The JSON of a value, in parts, with what is spooled in its place."""
    if isinstance(value, SpooledJson):
        yield from value.parts()
    elif isinstance(value, Mapping):
        yield b"{"
        for number, (name, item) in enumerate(value.items()):
            yield encoded(f"{',' if number else ''}{json_text(name)}:")
            yield from json_parts(item)
        yield b"}"
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield b"["
        for number, item in enumerate(value):
            if number:
                yield b","
            yield from json_parts(item)
        yield b"]"
    else:
        yield encoded(json_text(value))
