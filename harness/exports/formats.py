"""The formats there are, by name, and how a run becomes one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.exports.csv_files import write_csv
from harness.exports.jsonl import write_jsonl
from harness.exports.markdown_files import write_markdown
from harness.exports.parquet_files import write_parquet
from harness.exports.placing import placed, refuse_unless_free, write_about
from harness.exports.source import RunFacts, TopicRows, open_run
from harness.exports.sqlite_database import write_sqlite

Write = Callable[[Iterable[TopicRows], RunFacts, Path], None]


@dataclass(frozen=True, slots=True)
class Format:
    """`directory`: it is several files in a directory of their own. `place` is its name where the
    user gives none.
    """

    place: str
    directory: bool
    write: Write


FORMATS: dict[str, Format] = {
    "parquet": Format("export-parquet", True, lambda topics, _, into: write_parquet(topics, into)),
    "csv": Format("export-csv", True, lambda topics, _, into: write_csv(topics, into)),
    "sqlite": Format("export.sqlite", False, write_sqlite),
    "jsonl": Format("export.jsonl", False, lambda topics, _, file: write_jsonl(topics, file)),
    "md": Format("export-md", True, write_markdown),
}


def export(run: Path, name: str, out: Path | None, *, force: bool) -> tuple[Path, RunFacts]:
    """Write the run in a directory in one of FORMATS, and return where it is and what it holds.

    `out` None: into the directory of the run. Raises ResultsError for what is no run, is damaged,
    or would be overwritten without `force`, InputError for a missing extra, and StorageError if the
    disk fails.
    """
    chosen = FORMATS[name]
    target = out or run / chosen.place
    with open_run(run) as rows:
        refuse_unless_free(target, directory=chosen.directory, force=force)
        with placed(target, directory=chosen.directory) as place:
            chosen.write(rows, rows.facts, place)
            if chosen.directory:
                write_about(place, name, rows.facts)
        return target, rows.facts
