"""Plots as self-contained SVG, by matplotlib (the extra `plots`): no date, no network, the same for
equal numbers.
"""

from __future__ import annotations

import importlib.util
import io
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.arms import PER_RUN
from harness.bench.bench_report import ArmFigures, BenchReport
from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.bench.tables import about_words
from harness.bench.words import marked
from harness.errors import SettingsError
from harness.records.jsonl_file import storage_errors, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PLOTS = ("speedup.svg", "latency.svg", "gantt.svg")

_SIZE = (8.0, 4.8)
_FOOT_CHARACTERS = 210
_WITHOUT_MATPLOTLIB = (
    "plots need matplotlib: pip install 'reasoning-harness[plots]', and then `harness bench report"
    " DIR` draws them"
)


def check_can_draw() -> None:
    """Raises SettingsError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError(_WITHOUT_MATPLOTLIB)


def draw_all(bench: Bench, report: BenchReport) -> tuple[str, ...]:
    """Write all plots into the benchmark's directory; returns their names.

    Raises SettingsError where matplotlib is not installed, StorageError where the disk fails.
    """
    check_can_draw()
    import matplotlib as mpl  # noqa: PLC0415 - an extra that only plots need
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    # A salt in place of chance, text as text, and no dollar sign that begins a formula.
    bytes_and_look: Any = {
        "svg.hashsalt": "harness",
        "svg.fonttype": "none",
        "text.parse_math": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "lightgray",
    }
    with mpl.rc_context(bytes_and_look), warnings.catch_warnings():
        # Text stays text: whoever looks at it has the glyphs that our font lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        for name, draw in zip(PLOTS, (_speedup, _latency, _gantt), strict=True):
            figure = Figure(figsize=_SIZE, layout="constrained")
            FigureCanvasSVG(figure)
            draw(figure, bench, report)
            figure.supxlabel(
                textwrap.fill(about_words(report), _FOOT_CHARACTERS), fontsize=5, color="gray"
            )
            _save(figure, bench.path / name, about_words(report))
    return PLOTS


def _save(figure: Figure, path: Path, about: str) -> None:
    # Without a date, and with what was measured on what in the file itself.
    metadata = {"Date": None, "Creator": "harness bench", "Description": about}
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata=metadata)
    with storage_errors(path):
        write_whole(path, [drawn.getvalue()])


def _speedup(figure: Figure, bench: Bench, report: BenchReport) -> None:
    axes = figure.add_subplot()
    baseline = next(arm for arm in report.arms if arm.name == report.baseline)
    arms = [arm for arm in report.arms if arm.swept] or list(report.arms)
    arms.sort(key=lambda arm: arm.limits.in_flight)
    slots = [arm.limits.in_flight for arm in arms]
    # All the work of the baseline, shared evenly: as many times as fast as there are slots, where
    # it was sequential.
    ideal = [number * baseline.wall_s / baseline.bound.work_s for number in slots]
    axes.plot(slots, ideal, linestyle=":", color="gray", linewidth=4, label="ideal")
    bounds = [_times_as_fast(baseline.wall_s, arm.bound.seconds) for arm in arms]
    axes.plot(slots, bounds, marker="_", color="tab:orange", label="bound")
    _measured_speedup(axes, arms)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_ticks(slots, labels=[str(number) for number in slots])
    axes.xaxis.set_ticks([], minor=True)
    _in_plain_numbers(axes.yaxis)
    _label(axes, "Speed-up of the batch", "calls in flight", f"times as fast as {report.baseline}")
    axes.legend()


def _times_as_fast(baseline_s: float, seconds: float) -> float:
    return baseline_s / seconds if seconds else 0


def _measured_speedup(axes: Axes, arms: Sequence[ArmFigures]) -> None:
    """Draw the speed-up with its interval, where there is one, and mark the arms that were
    underfed.
    """
    shown = [(arm, arm.speedup) for arm in arms if arm.speedup is not None]
    slots = [arm.limits.in_flight for arm, _ in shown]
    axes.plot(
        slots, [ratio.value for _, ratio in shown], marker="o", color="tab:blue", label="measured"
    )
    few = [(arm.limits.in_flight, ratio.value) for arm, ratio in shown if arm.underfed]
    if few:
        axes.plot(
            *zip(*few, strict=True),
            "o",
            color="white",
            markeredgecolor="tab:blue",
            label="more in flight than topics",
        )
    low, high = [], []
    for _, ratio in shown:
        if ratio.low is not None and ratio.high is not None:
            low.append(ratio.low)
            high.append(ratio.high)
    if len(low) == len(shown):
        axes.fill_between(slots, low, high, alpha=0.3, color="tab:blue", linewidth=0)


def _latency(figure: Figure, bench: Bench, report: BenchReport) -> None:
    axes = figure.add_subplot()
    for arm in report.arms:
        totals = sorted(call.total_s for call in bench.calls if call.arm == arm.name)
        shares = [(index + 1) / len(totals) for index in range(len(totals))]
        axes.step(totals, shares, where="post", label=marked(arm))
    axes.set_xscale("log")
    _in_plain_numbers(axes.xaxis)
    _label(
        axes,
        "Time of a call, from when it was wanted to its last byte",
        "seconds",
        "share of calls",
    )
    axes.legend()


def _in_plain_numbers(axis: Axis) -> None:
    """Give a logarithmic axis ticks at 1, 2, 5, 10 and so on."""
    from matplotlib.ticker import LogLocator  # noqa: PLC0415 - an extra that only plots need

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_ticks([], minor=True)


def _gantt(figure: Figure, bench: Bench, report: BenchReport) -> None:
    topic = bench.calls[0].times.topic_id
    widest = max(report.arms, key=lambda arm: arm.limits.in_flight).name
    measured = {arm.name for arm in report.arms}
    shown = [name for name in dict.fromkeys((report.baseline, PER_RUN, widest)) if name in measured]
    panes: list[Axes] = list(figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0])
    for axes, name in zip(panes, shown, strict=True):
        first = (name, 1, topic)
        calls = [
            call for call in bench.calls if (call.arm, call.round, call.times.topic_id) == first
        ]
        _bars(axes, calls)
        is_last = axes is panes[-1]
        _label(
            axes, f"{topic}, {name}", "seconds from the topic's first call" if is_last else "", ""
        )
    panes[0].legend(loc="upper right", fontsize=6)


def _bars(axes: Axes, calls: Sequence[Measured]) -> None:
    ordered = sorted(calls, key=lambda call: (call.times.start_s, call.times.id))
    origin_s = ordered[0].times.start_s
    rows = range(len(ordered))
    wanted = [call.times.start_s - origin_s for call in ordered]
    waited = [call.total_s - call.times.service_s for call in ordered]
    sent = [start + wait for start, wait in zip(wanted, waited, strict=True)]
    axes.barh(rows, waited, left=wanted, color="silver", label="waited, or was tried in vain")
    axes.barh(
        rows,
        [call.times.service_s for call in ordered],
        left=sent,
        color="tab:blue",
        label="was answered",
    )
    axes.set_yticks(range(len(ordered)), [call.times.id for call in ordered], fontsize=6)
    axes.invert_yaxis()


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
