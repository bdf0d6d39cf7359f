"""Topics in: a file of any size, checked as a whole, read one topic at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from harness.datasets.byte_lines import Line, split_lines
from harness.datasets.byte_source import Content, closing_on_error, open_content
from harness.datasets.index import Entry, LineIndex
from harness.datasets.scan import ERRORS_SHOWN, Scan, read_row
from harness.datasets.spec import DatasetSpec
from harness.datasets.topic_line import Format, format_of
from harness.domain.run import Topic, drawn_id, topic_of_drawn
from harness.errors import DatasetError, StorageError
from harness.text.amounts import counted

__all__ = ["Dataset", "DatasetSpec", "ValidationReport", "open_dataset"]

_HEAD_BYTES = 64 * 1024
_SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """A summary of the whole file, selected or not.

    `errors` are the first `file:line: reason`, `bad` counts them all.
    """

    topics: int
    bad: int
    errors: tuple[str, ...]


class Dataset:
    """A topic file that was read through once.

    Closing it lets go of the file and of all temporary storage. `sha256` is that of the
    decompressed bytes. `count` is how many topics `read` yields: the selected ones, each as often
    as it is drawn; `end` is one more than the last of their indexes. Made by `open_dataset`.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        content: Content,
        index: LineIndex,
        *,
        written: Format,
        sha256: str,
        report: ValidationReport,
    ) -> None:
        self.spec = spec
        self.sha256 = sha256
        self.report = report
        self._content = content
        self._index = index
        self._written: Format = written
        selected = index.count()
        if spec.limit is None:
            self._topics = selected
        else:
            self._topics = min(spec.limit, selected)
        self.count = self._topics * spec.samples
        self.end = index.places(self._topics) * spec.samples

    def check(self, *, skip_bad: bool) -> None:
        """Raises DatasetError, which lists the first bad lines of the file: if there are any and
        they are not to be skipped, or if nothing is left besides.
        """
        report = self.report
        if not report.bad or (skip_bad and self.count):
            return
        listed = "\n".join(report.errors)
        if report.bad > len(report.errors):
            listed += f"\n… and {report.bad - len(report.errors):,} more"
        advice = "Correct the file, or let `harness run --skip-bad` skip its bad lines and go on."
        if skip_bad:
            advice = "There is no topic to go on with. Correct the file."
        raise DatasetError(
            f"{listed}\n{counted(report.bad, 'bad line')}, {report.topics:,} good. Nothing was"
            f" sent. {advice}"
        )

    def read(self, wanted: Callable[[int], bool] = lambda index: True) -> Iterator[Topic]:
        """The selected topics, one at a time, as many as `count`.

        `index` grows, and leaves out bad and blank lines. The draws of a topic follow each other.
        May be called again and gives the same. Those whose index is not `wanted` are passed over
        unread. Raises DatasetError if the file was changed meanwhile.
        """
        samples = self.spec.samples
        for entry in self._index.entries(self._topics):
            for sample in range(samples):
                index = entry.place * samples + sample
                if wanted(index):
                    yield self._topic(index, sample, entry)

    def index_of(self, drawn: str) -> int | None:
        """The index of the topic that is called so, or of the draw of one.

        None if it is not among those of `read`.
        """
        for own_id, sample in ((drawn, 0), *_draws_named(drawn, self.spec.samples)):
            place = self._index.place_of(own_id)
            if place is None:
                index = None
            else:
                index = place * self.spec.samples + sample
            if index is not None and index < self.end:
                return index
        return None

    def digests(self) -> Iterator[int]:
        """Yield a digest of each line of the file; blank lines at the end are left out."""
        return self._index.digests()

    def line(self, number: int) -> str:
        """The beginning of a line, for a message."""
        found = self._index.where(number)
        if found is None:
            return ""
        offset, length = found
        shown = _SHOWN_BYTES if length is None else min(length, _SHOWN_BYTES)
        return self._content.read(offset, shown).decode(errors="replace").strip("\ufeff\r")

    def order_after(self, lines: Sequence[int]) -> None:
        """Read in the order of a file that grew, where the new lines come last.

        `lines` are how many lines it had when each earlier session read it. Without a shuffle that
        is the order of the file.
        """
        if lines and self.spec.shuffle_seed is not None:
            self._index.order_after(lines)
            self.end = self._index.places(self._topics) * self.spec.samples

    def save(self, directory: Path) -> Path:
        """Writes the dataset's bytes, decompressed, into a directory and returns the file, which
        reads the same.

        Standard input can be read once only, so a run that is to be resumed keeps this copy. Raises
        StorageError.
        """
        path = directory / ("dataset.txt" if self._written == "text" else "dataset.jsonl")
        unfinished = path.with_name(f".{path.name}.part")
        try:
            with open(
                os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as file:
                for block in self._content.blocks():
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except OSError as error:
            raise StorageError(
                f"{path}: the dataset cannot be copied: {error.strerror or error}"
            ) from error
        return path

    def close(self) -> None:
        """After this nothing can be read."""
        self._index.close()
        self._content.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _topic(self, index: int, sample: int, entry: Entry) -> Topic:
        data = self._content.read(entry.offset, entry.length)
        row = read_row(Line(entry.number, entry.offset, data), self._written, self.spec)
        drawn = drawn_id(entry.id, sample)
        return Topic(id=drawn, text=row.text, index=index, sample=sample, metadata=row.metadata)


def open_dataset(
    spec: DatasetSpec,
    *,
    spool_dir: Path | None = None,
    stdin: BinaryIO | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """Reads the whole dataset once and checks every line.

    The result says what is wrong and reads the topics. It takes about a second for a hundred
    thousand lines: call it in a worker thread. `progress` is told the lines read so far, now and
    then, and may raise to stop. The temporary copy (of all but large plain files) goes to
    `spool_dir`. Raises DatasetError for what is wrong with the file as a whole: it cannot be read,
    is of another kind, is empty, or no topic is selected. Bad lines do not raise: see
    `Dataset.check`.
    """
    content = open_content(spec.path, name=spec.shown_name, spool_dir=spool_dir, stdin=stdin)
    with closing_on_error(content), closing_on_error(LineIndex()) as index:
        return _checked(spec, content, index, progress)


def _checked(
    spec: DatasetSpec, content: Content, index: LineIndex, progress: Callable[[int], None] | None
) -> Dataset:
    written = format_of(spec.path, _first_line(content.read(0, _HEAD_BYTES)))
    digest = hashlib.sha256()
    scan = Scan(spec, written, progress)
    index.fill(scan.facts(split_lines(_hashed(content.blocks(), digest))))
    repetitions, repeated = index.repeated(ERRORS_SHOWN)
    found = [
        *scan.errors,
        *((number, _repetition(own_id, first)) for number, own_id, first in repeated),
    ]
    report = ValidationReport(
        topics=scan.good - repetitions,
        bad=scan.bad + repetitions,
        errors=tuple(
            f"{spec.shown_name}:{number}: {reason}"
            for number, reason in sorted(found)[:ERRORS_SHOWN]
        ),
    )
    scan.refuse_useless()
    clash = index.named_like_a_draw(spec.samples)
    if clash is not None:
        number, own_id, other = clash
        raise DatasetError(
            f"{spec.shown_name}:{number}: the id {own_id!r} is what a draw of line {other} is"
            f" called, with {spec.samples:,} draws of each topic; change one of the ids"
        )
    return Dataset(
        spec,
        content,
        index,
        written=written,
        sha256=digest.hexdigest(),
        report=report,
    )


def _repetition(own_id: str, first: int) -> str:
    return f"the id {own_id!r} is that of line {first} too; ids must differ"


def _draws_named(drawn: str, samples: int) -> Iterator[tuple[str, int]]:
    """The topic, and which draw of it, that may be called so, besides the first draw of a topic."""
    _, _, number = drawn.rpartition("#")
    if number.isdecimal() and 2 <= int(number) <= samples:
        yield topic_of_drawn(drawn, int(number) - 1), int(number) - 1


def _first_line(head: bytes) -> bytes:
    return next((line for line in head.split(b"\n") if line.strip(b"\xef\xbb\xbf \t\r\n")), b"")


def _hashed(blocks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block
