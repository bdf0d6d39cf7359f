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
from harness.report.detail import detail_of
from harness.report.digest import Digest
from harness.report.page import report_page
from harness.report.plotting import Plotting
from harness.report.summary import summary_of


def write_report(
    runs: Sequence[Path], target: Path, plotting: Plotting, *, now: datetime
) -> list[dict[str, Any]]:
    """Write the page of one run or two; returns the summaries that stand in it.

    Memory grows by some hundred bytes a topic and a call, whatever they say. Raises ResultsError
    for what is no run or is damaged, and StorageError where the file cannot be written.
    """
    with storage_errors(target), tempfile.TemporaryFile(dir=target.absolute().parent) as held_back:
        summaries = [_gather(path, held_back, number) for number, path in enumerate(runs)]
        write_whole(target, report_page(summaries, plotting, parts_of(held_back), written_at=now))
    return summaries


def _gather(path: Path, held_back: IO[bytes], number: int) -> dict[str, Any]:
    # Before its rows: a run that ends in between is called running, and not one that lacks its last
    # rows complete.
    running = is_running(path)
    down = down_in(path) if running else None
    run, digest, blocks = Run.open(path), Digest(), Blocks(held_back, number)
    for topic in run.topics():
        digest.add(topic)
        blocks.add(detail_of(topic))
    blocks.close()
    return summary_of(name_of(path), run.manifest, run.standing, digest, running=running, down=down)


def name_of(path: Path) -> str:
    """Return the name of a run: that of its directory."""
    return path.absolute().name
