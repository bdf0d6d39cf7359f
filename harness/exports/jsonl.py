"""One line of JSON a topic: its row of `results.jsonl`, with the rows of its calls in
`traces.jsonl` as `spans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.exports.source import TopicRows
from harness.records.json_text import to_text


def jsonl_lines(topics: Iterable[TopicRows]) -> Iterator[bytes]:
    """The lines, with their ends. Raises ResultsError for a damaged row."""
    for topic in topics:
        yield to_text({**topic.row, "spans": topic.calls}).encode() + b"\n"


def write_jsonl(topics: Iterable[TopicRows], file: Path) -> None:
    """One file. Raises OSError, and ResultsError for a damaged row."""
    with file.open("wb") as out:
        out.writelines(jsonl_lines(topics))
