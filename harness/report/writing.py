"""A report's file: the runs are read once, what is held back goes to a file beside it, and the page
is put together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from harness.records.jsonl_file import storage_errors, write_whole
from harness.records.results_dir import is_running
from harness.records.run import Run
from harness.report.away import down_in
from harness.report.blocks import Blocks, parts_of
from harness.report.columns import Columns
from harness.report.detail import detail_of
from harness.report.digest import Digest
from harness.report.page import report_page
from harness.report.plotting import Plotting
from harness.report.summary import summary_of


def write_report(
    runs: Sequence[Path], target: Path, plotting: Plotting, *, now: datetime
) -> list[dict[str, Any]]:
    """Write the page of one run or two; returns the summaries that stand in it.

    Memory grows by some tens of bytes a call; what is said of topics and in them goes to files
    beside the page as it is read. Raises ResultsError for what is no run or is damaged, and
    StorageError where the file cannot be written.
    """
    with storage_errors(target), _scratch(target) as held_back, _scratch(target) as columns:
        summaries = []
        for number, path in enumerate(runs):
            summaries.append(_gather(path, Blocks(held_back, number), Columns(columns)))
        write_whole(target, report_page(summaries, plotting, parts_of(held_back), written_at=now))
    return summaries


def _scratch(target: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=target.absolute().parent)


def _gather(path: Path, blocks: Blocks, columns: Columns) -> dict[str, Any]:
    # Before its rows: a run that ends in between is called running, and not one that lacks its last
    # rows complete.
    running = is_running(path)
    down = down_in(path) if running else None
    run, digest = Run.open(path), Digest()
    for topic in run.topics():
        columns.add(digest.add(topic))
        blocks.add(detail_of(topic))
    blocks.close()
    summary = summary_of(
        name_of(path), run.manifest, run.standing, digest, running=running, down=down
    )
    return {**summary, "topics": columns.close()}


def name_of(path: Path) -> str:
    """Return the name of a run: that of its directory."""
    return path.absolute().name
