"""One pass over all lines of a dataset, which fills the index and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from harness.datasets.byte_lines import Line
from harness.datasets.index import LineFacts
from harness.datasets.spec import DatasetSpec, shuffled_rank
from harness.datasets.topic_line import BadRow, Format, Row, derived_id, digest_of, is_blank, row_of
from harness.domain.completion import Json
from harness.domain.filters import matches_all
from harness.errors import DatasetError

ERRORS_SHOWN = 20

_FIELDS_SHOWN = 30
_PROGRESS_LINES = 10_000


def read_row(line: Line, written: Format, spec: DatasetSpec) -> Row:
    """The topic of a line, by the user's field names. Raises BadRow."""
    return row_of(line, written, topic_field=spec.topic_field, id_field=spec.id_field)


class Scan:
    """The counts of one pass, and the first bad lines as number and reason.

    Blank lines count as neither.
    """

    def __init__(
        self, spec: DatasetSpec, written: Format, progress: Callable[[int], None] | None
    ) -> None:
        self._spec = spec
        self._written: Format = written
        self._progress = progress
        self._fields: dict[str, None] = {}
        self._own_ids = False
        self.good = 0
        self.bad = 0
        self.selected = 0
        self._lines = 0
        self.errors: list[tuple[int, str]] = []

    def facts(self, lines: Iterable[Line]) -> Iterator[LineFacts]:
        """The facts of each line, in the order of the file."""
        for line in lines:
            self._lines = line.number
            if self._progress is not None and line.number % _PROGRESS_LINES == 0:
                self._progress(line.number)
            yield self._facts_of(line)

    def _facts_of(self, line: Line) -> LineFacts:
        length, digest = None if line.data is None else len(line.data), digest_of(line)
        rank = self._rank(line.number)
        # A line that holds no topic keeps its place among those that any filter selects: the topics
        # after it have the same index in every version, also in those that took it for a topic that
        # failed.
        no_topic = LineFacts(line.number, line.offset, length, None, False, rank, digest)
        if is_blank(line):
            return no_topic
        try:
            row = read_row(line, self._written, self._spec)
        except BadRow as error:
            self.bad += 1
            if len(self.errors) < ERRORS_SHOWN:
                self.errors.append((line.number, str(error)))
            return no_topic
        self.good += 1
        self._note_fields(row)
        own_id = derived_id(row.text) if row.id is None else row.id
        wanted = not self._spec.filters or matches_all(
            self._spec.filters, _fields(row, own_id, self._spec)
        )
        self.selected += wanted
        return LineFacts(
            line.number,
            line.offset,
            length,
            own_id,
            row.id is None,
            rank if wanted else None,
            digest,
        )

    def _rank(self, number: int) -> int:
        if self._spec.shuffle_seed is None:
            return number
        return shuffled_rank(self._spec.shuffle_seed, number)

    def _note_fields(self, row: Row) -> None:
        self._own_ids = self._own_ids or row.id is not None
        for name in row.metadata:
            if name not in self._fields and len(self._fields) < _FIELDS_SHOWN:
                self._fields[name] = None

    def refuse_useless(self) -> None:
        """Raises DatasetError if the dataset is empty, or if a name the user gave is in no line."""
        spec, name = self._spec, self._spec.shown_name
        if not self.good + self.bad:
            found = "has only blank lines" if self._lines else "is empty"
            raise DatasetError(f"{name}:1: the file {found}, it holds no topics")
        if not self.good:
            return
        fields = ", ".join(map(repr, self._fields)) or "no others"
        if spec.id_field != "id" and not self._own_ids:
            raise DatasetError(
                f"{name}: no line has the field --id-field {spec.id_field!r}; fields seen: {fields}"
            )
        if not self.selected:
            wanted = " ".join(f"--filter {one}" for one in spec.filters)
            seen = ", ".join(
                map(repr, dict.fromkeys((spec.id_field, spec.topic_field, *self._fields)))
            )
            raise DatasetError(f"{name}: no topic matches {wanted}; fields seen: {seen}")


def _fields(row: Row, own_id: str, spec: DatasetSpec) -> Mapping[str, Json]:
    """Return the fields that filters may ask for.

    They are `id` and `topic`, the file's own names for them, and all its other fields.
    """
    return {
        "id": own_id,
        "topic": row.text,
        spec.id_field: own_id,
        spec.topic_field: row.text,
        **row.metadata,
    }
