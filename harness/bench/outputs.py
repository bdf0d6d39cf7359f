"""The files that a report is written to, beside what it was made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.bench.bench_report import BenchReport, as_json, bench_report_of
from harness.bench.files import Bench
from harness.bench.numbers import report_of
from harness.bench.plots import draw_all
from harness.bench.tables import csv_of, markdown_of
from harness.errors import SettingsError
from harness.records.jsonl_file import pretty, storage_errors, write_whole

REPORT_JSON, REPORT_MARKDOWN, REPORT_CSV = "report.json", "report.md", "report.csv"


def write_reports(bench: Bench, tell: Callable[[str], None], *, plots: bool = True) -> BenchReport:
    """Write the report as JSON, Markdown and CSV, and the plots where they can be drawn.

    Returns the report as its JSON has it. Raises ResultsError where the arms cannot be compared,
    StorageError where the disk fails.
    """
    written = as_json(report_of(bench))
    # Read back, so that every table shows the rounded numbers that `report.json` holds.
    report = bench_report_of(written)
    drawn: tuple[str, ...] = ()
    if plots:
        try:
            drawn = draw_all(bench, report)
        except SettingsError as missing:
            tell(f"no plots were drawn: {missing}")
    _write(bench.path / REPORT_JSON, pretty(written))
    _write(bench.path / REPORT_MARKDOWN, [markdown_of(report, drawn).encode()])
    _write(bench.path / REPORT_CSV, [csv_of(report).encode()])
    return report


def _write(path: Path, parts: list[bytes]) -> None:
    with storage_errors(path):
        write_whole(path, parts)
