from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from benches import a_bench, a_round

from harness.bench.bench_report import read_bench_report
from harness.bench.files import read_bench
from harness.bench.numbers import report_of
from harness.bench.outputs import REPORT_JSON
from harness.bench.plots import PLOTS, draw_all

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def test_plots_are_svg_that_needs_nothing_else_and_the_same_each_time(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE, tmp_path / "bench")
    bench = read_bench(tmp_path / "bench")
    report = read_bench_report(REFERENCE / REPORT_JSON)

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
    assert "was answered" in drawn[0]["gantt.svg"]


def test_a_topic_in_any_script_is_drawn_as_text(tmp_path: Path) -> None:
    calls = [
        replace(call, times=replace(call.times, topic_id="量子 $x$ <&")) for call in a_round()[1::2]
    ]
    bench = replace(a_bench(calls, topics=1), path=tmp_path)
    draw_all(bench, report_of(bench))
    assert "量子 $x$ &lt;&amp;, sequential" in (tmp_path / "gantt.svg").read_text()
    # Its two places are more than its one topic.
    assert "more in flight than topics" in (tmp_path / "speedup.svg").read_text()
