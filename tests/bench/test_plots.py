from __future__ import annotations

import json
import shutil
from pathlib import Path

from harness.bench.files import read_bench
from harness.bench.outputs import REPORT_JSON
from harness.bench.plots import PLOTS, draw_all

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def test_plots_are_svg_that_needs_nothing_else_and_the_same_each_time(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE, tmp_path / "bench")
    bench = read_bench(tmp_path / "bench")
    report = json.loads((REFERENCE / REPORT_JSON).read_text())

    drawn = []
    for _ in range(2):
        assert draw_all(bench, report) == PLOTS
        drawn.append({name: (tmp_path / "bench" / name).read_text() for name in PLOTS})

    assert drawn[0] == drawn[1]
    for text in drawn[0].values():
        assert "<svg" in text
        assert "<script" not in text
        assert "<image" not in text
        assert "<dc:date>" not in text
    assert "ideal" in drawn[0]["speedup.svg"]
    assert "bound" in drawn[0]["speedup.svg"]
