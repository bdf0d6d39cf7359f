"""`report.json`: written in one place, and read back whole, also where an earlier version wrote
it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benches import a_bench, a_round

from harness.bench.bench_report import REPORT_VERSION, as_json, read_bench_report
from harness.bench.numbers import report_of
from harness.bench.tables import csv_of, markdown_of
from harness.errors import ResultsError

EARLIER = Path(__file__).parents[1] / "data" / "benches" / "report-v1.json"


def written(path: Path, value: Any) -> Path:
    file = path / "report.json"
    file.write_text(json.dumps(value))
    return file


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    value = as_json(report_of(a_bench([*a_round(1), *a_round(2, 1 / 3)], repeat=2)))
    assert as_json(read_bench_report(written(tmp_path, value))) == value


def test_numbers_are_told_to_the_microsecond_and_limits_that_are_not_set_are_left_out() -> None:
    value = as_json(report_of(a_bench(a_round(1, 1 / 3))))
    # 4 s and 6 s, both divided by three, one after the other.
    assert value["arms"][0]["wall_s"] == 3.333333
    assert "requests_per_minute" not in value["arms"][0]["limits"]
    assert value["version"] == REPORT_VERSION


def test_a_report_of_the_first_version_is_read_with_its_tables() -> None:
    report = read_bench_report(EARLIER)
    assert (report.version, [arm.name for arm in report.arms]) == (1, ["sequential", "batch-6"])
    assert report.arms[1].wall_s == 72.517885
    assert report.scaling is not None
    assert report.scaling.usl.knee == 101.568948
    assert "| batch-6 | 72.5 s |" in markdown_of(report)
    assert "batch-6" in csv_of(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 9}, "of version 9, and this harness reads 1 and 2"),
        ({"repeat": "five"}, "damaged: repeat: "),
        ({"arms": [{}]}, r"damaged: arms\.0\.name: is missing"),
    ],
)
def test_what_is_no_report_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    value = {**as_json(report_of(a_bench(a_round()))), **change}
    with pytest.raises(ResultsError, match=said):
        read_bench_report(written(tmp_path, value))


def test_a_report_that_is_torn_or_gone_is_refused(tmp_path: Path) -> None:
    torn = tmp_path / "report.json"
    with pytest.raises(ResultsError, match="cannot be read"):
        read_bench_report(torn)
    torn.write_text('{"version": 2, "bench')
    with pytest.raises(ResultsError, match="is no report of a benchmark, or damaged"):
        read_bench_report(torn)
