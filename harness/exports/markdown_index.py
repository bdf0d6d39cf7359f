"""The index pages of Markdown reports, and the directories that the reports lie in.

A run that fits into one directory lies in one. The reports of a larger one lie in directories of
consecutive topics, each with an index of its own, so that no directory grows with the run. The
place of a report depends on its topic's index only, and stays when more topics are finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.exports.source import RunFacts
from harness.text.safe import markdown_safe, one_line

INDEX_FILE = "index.md"
NOT_KNOWN = "not known"
FILES_A_DIRECTORY = 1_000
"""No directory holds more, whatever the size of the run."""

# The index, and the file that says that the directory is an export.
_BESIDE = 2
# What a directory of a larger run holds: half of what it may, so that their names are round.
_ENTRIES = 500
_REPORTS_HEAD = "| topic | status | calls | USD | s |\n|---|---|--:|--:|--:|\n"
_DIRECTORIES_HEAD = "| topics | reports | ok | degraded | failed |\n|---|--:|--:|--:|--:|\n"


def directories_of(index: int, *, topics: int, end: int) -> tuple[str, ...]:
    """Return the directories, from the outermost, that hold the report of a topic.

    There are none where the reports of all `topics` fit into one. `end` is one more than the
    largest index.
    """
    if topics + _BESIDE <= FILES_A_DIRECTORY:
        return ()
    sizes, width = [_ENTRIES], max(3, len(str(end - 1)))
    while sizes[-1] * _ENTRIES < end:
        sizes.append(sizes[-1] * _ENTRIES)
    names = []
    for size in reversed(sizes):
        first = index // size * size
        names.append(f"{first:0{width}d}-{first + size - 1:0{width}d}")
    return tuple(names)


class _Page:
    """One index page: of reports, or of directories with pages of their own."""

    def __init__(self, directory: Path, head: str, *, of_reports: bool) -> None:
        self.directory = directory
        self.reports: Counter[str] = Counter()
        self._file = (directory / INDEX_FILE).open("w", encoding="utf-8")
        self._file.write(head + (_REPORTS_HEAD if of_reports else _DIRECTORIES_HEAD))

    def add_report(self, name: str, cells: Mapping[str, Any]) -> None:
        self.reports[cells["status"]] += 1
        self._file.write(_line_of_report(name, cells))

    def add_page(self, below: _Page) -> None:
        """Add the line of a page that is complete."""
        self.reports.update(below.reports)
        name, number = below.directory.name, below.reports
        self._file.write(
            f"| [{name}]({name}/{INDEX_FILE}) | {number.total()} | {number['ok']} |"
            f" {number['degraded']} | {number['failed']} |\n"
        )

    def close(self) -> None:
        self._file.close()


class IndexPages:
    """The index pages of an export, written while its reports come in the order of the dataset.

    Made by `index_pages`.
    """

    def __init__(self, into: Path, facts: RunFacts) -> None:
        self._facts = facts
        nested = bool(self._directories(0))
        self._open = [_Page(into, _head_of_run(facts), of_reports=not nested)]

    def add(self, index: int, name: str, cells: Mapping[str, Any]) -> Path:
        """Add the line of a topic; returns the place of its report. Raises OSError."""
        directories = self._directories(index)
        open_now = tuple(page.directory.name for page in self._open[1:])
        shared = 0
        while shared < len(open_now) and open_now[shared] == directories[shared]:
            shared += 1
        self.close(but=shared)
        for depth in range(shared, len(directories)):
            self._open_below(directories[depth], of_reports=depth + 1 == len(directories))
        self._open[-1].add_report(name, cells)
        return self._open[-1].directory / name

    def close(self, *, but: int = -1) -> None:
        """Close the pages below the first and so many more, and the first if `but` is -1."""
        while len(self._open) > but + 1:
            page = self._open.pop()
            page.close()
            if self._open:
                self._open[-1].add_page(page)

    def _open_below(self, name: str, *, of_reports: bool) -> None:
        directory = self._open[-1].directory / name
        directory.mkdir(mode=0o700)
        head = f"# Topics {name}\n\n[Up](../{INDEX_FILE})\n\n"
        self._open.append(_Page(directory, head, of_reports=of_reports))

    def _directories(self, index: int) -> tuple[str, ...]:
        return directories_of(index, topics=self._facts.topics, end=self._facts.end)


@contextmanager
def index_pages(into: Path, facts: RunFacts) -> Iterator[IndexPages]:
    """The pages in a directory; on leaving they are complete. Raises OSError."""
    pages = IndexPages(into, facts)
    with closing(pages):
        yield pages


def _head_of_run(facts: RunFacts) -> str:
    return (
        f"# Run {markdown_safe(one_line(facts.run_id))}\n\n"
        f"The run is {markdown_safe(facts.standing)}: {facts.finished} of {facts.topics} topics"
        " have a report.\n\n"
    )


def _line_of_report(name: str, cells: Mapping[str, Any]) -> str:
    cost = NOT_KNOWN if cells["cost"] is None else f"{cells['cost']:.6f}"
    return (
        f"| [{markdown_safe(one_line(cells['topic_id'], 80))}]({quote(name)}) | {cells['status']} |"
        f" {cells['calls']} | {cost} | {cells['elapsed_s']:.2f} |\n"
    )
