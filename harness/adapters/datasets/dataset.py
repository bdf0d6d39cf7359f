"""Topics in: a file of any size, checked as a whole, read one topic at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from harness.adapters.datasets.index import Entry, LineIndex
from harness.adapters.datasets.lines import Line, split_lines
from harness.adapters.datasets.rows import BadRow, Format, format_of
from harness.adapters.datasets.scan import ERRORS_SHOWN, Scan, read_row
from harness.adapters.datasets.source import Content, closing_on_error, open_content
from harness.adapters.datasets.spec import DatasetSpec
from harness.domain.run import BadLine, Topic, drawn_id
from harness.domain.wording import counted
from harness.errors import DatasetError, StorageError

__all__ = ["Dataset", "DatasetSpec", "ValidationReport", "open_dataset"]

_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What the whole file holds, selected or not. `errors` are the first `file:line: reason`, `bad` counts them all."""

    topics: int
    bad: int
    errors: tuple[str, ...]


class Dataset:
    """A topic file that was read through once. Closing it lets go of the file and of all temporary storage.

    `sha256` is that of the decompressed bytes. `count` is how many items `read` yields: the selected lines, each as
    often as it is drawn. Made by `open_dataset`.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        content: Content,
        index: LineIndex,
        *,
        written: Format,
        sha256: str,
        lines: int,
        report: ValidationReport,
    ) -> None:
        self.spec = spec
        self.sha256 = sha256
        self.count = lines * spec.samples
        self.report = report
        self._content = content
        self._index = index
        self._written: Format = written

    def raise_if_bad(self) -> None:
        """Raises DatasetError, which lists the first bad lines of the file, if it has any."""
        report = self.report
        if not report.bad:
            return
        listed = "\n".join(report.errors)
        if report.bad > len(report.errors):
            listed += f"\n… and {report.bad - len(report.errors):,} more"
        raise DatasetError(
            f"{listed}\n{counted(report.bad, 'bad line')}, {report.topics:,} good. Nothing was sent. "
            "Correct the file, or let `harness run --skip-bad` record each bad line as a failed row and go on."
        )

    def read(self, wanted: Callable[[int], bool] = lambda index: True) -> Iterator[Topic | BadLine]:
        """The selected topics and bad lines, one at a time, indexed from 0 without gaps: as many as `count`.

        The draws of a topic follow each other. May be called again and gives the same. Those whose index is not
        `wanted` are passed over unread. Raises DatasetError if the file was changed meanwhile.
        """
        samples = self.spec.samples
        for line, entry in enumerate(self._index.entries(self.count // samples)):
            for sample in range(samples):
                index = line * samples + sample
                if wanted(index):
                    yield self._item(index, sample, entry)

    def save(self, directory: Path) -> Path:
        """Writes the dataset's bytes, decompressed, into a directory and returns the file, which reads the same.

        Standard input can be read once only, so a run that is to be resumed keeps this copy. Raises StorageError.
        """
        path = directory / ("dataset.txt" if self._written == "text" else "dataset.jsonl")
        unfinished = path.with_name(f".{path.name}.part")
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for block in self._content.blocks():
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except OSError as error:
            raise StorageError(f"{path}: the dataset cannot be copied: {error.strerror or error}") from error
        return path

    def close(self) -> None:
        """After this nothing can be read."""
        self._index.close()
        self._content.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _item(self, index: int, sample: int, entry: Entry) -> Topic | BadLine:
        data = None if entry.length is None else self._content.read(entry.offset, entry.length)
        where = f"{self.spec.shown_name}:{entry.number}"
        try:
            row = read_row(Line(entry.number, entry.offset, data), self._written, self.spec)
        except BadRow as error:
            return BadLine(where=where, reason=str(error), index=index, sample=sample)
        if entry.first is not None:
            return BadLine(where=where, reason=_repetition(entry.id, entry.first), index=index, sample=sample)
        drawn = drawn_id(entry.id, sample)
        return Topic(id=drawn, text=row.text, index=index, sample=sample, metadata=row.metadata)


def open_dataset(
    spec: DatasetSpec,
    *,
    spool_dir: Path | None = None,
    stdin: BinaryIO | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """Reads the whole dataset once and checks every line; the result says what is wrong and reads the topics.

    It takes about a second for a hundred thousand lines: call it in a worker thread. `progress` is told the lines
    read so far, now and then, and may raise to stop. The temporary copy (of all but large plain files) goes to
    `spool_dir`. Raises DatasetError for what is wrong with the file as a whole: it cannot be read, is of another
    kind, is empty, or no topic is selected. Bad lines do not raise: see `Dataset.raise_if_bad`.
    """
    content = open_content(spec.path, name=spec.shown_name, spool_dir=spool_dir, stdin=stdin)
    with closing_on_error(content), closing_on_error(LineIndex()) as index:
        return _checked(spec, content, index, progress)


def _checked(spec: DatasetSpec, content: Content, index: LineIndex, progress: Callable[[int], None] | None) -> Dataset:
    written = format_of(spec.path, _first_line(content.read(0, _HEAD_BYTES)))
    digest = hashlib.sha256()
    scan = Scan(spec, written, progress)
    index.fill(scan.facts(split_lines(_hashed(content.blocks(), digest))))
    repetitions, repeated = index.repeated(ERRORS_SHOWN)
    found = [*scan.errors, *((number, _repetition(own_id, first)) for number, own_id, first in repeated)]
    report = ValidationReport(
        topics=scan.good - repetitions,
        bad=scan.bad + repetitions,
        errors=tuple(f"{spec.shown_name}:{number}: {reason}" for number, reason in sorted(found)[:ERRORS_SHOWN]),
    )
    scan.refuse_useless()
    clash = index.named_like_a_draw(spec.samples)
    if clash is not None:
        number, own_id, other = clash
        raise DatasetError(
            f"{spec.shown_name}:{number}: the id {own_id!r} is what a draw of line {other} is called, with "
            f"{spec.samples:,} draws of each topic; change one of the ids"
        )
    return Dataset(
        spec,
        content,
        index,
        written=written,
        sha256=digest.hexdigest(),
        lines=scan.selected if spec.limit is None else min(spec.limit, scan.selected),
        report=report,
    )


def _repetition(own_id: str, first: int) -> str:
    return f"the id {own_id!r} is that of line {first} too; ids must differ"


def _first_line(head: bytes) -> bytes:
    return next((line for line in head.split(b"\n") if line.strip(b"\xef\xbb\xbf \t\r\n")), b"")


def _hashed(blocks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block
