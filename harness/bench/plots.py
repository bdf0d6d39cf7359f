"""Plots as self-contained SVG, by matplotlib (the extra `plots`): no date, no network, the same for equal numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.jsonl_file import storage_errors
from harness.bench.arms import PER_RUN
from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.bench.tables import about_words
from harness.errors import SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOTS = ("speedup.svg", "latency.svg", "gantt.svg")

_SIZE = (8.0, 4.8)


def draw_all(bench: Bench, report: Mapping[str, Any]) -> tuple[str, ...]:
    """Write all plots into the benchmark's directory; returns their names.

    Raises SettingsError where matplotlib is not installed, StorageError where the disk fails.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra that only plots need
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as missing:
        raise SettingsError("plots need matplotlib: pip install 'reasoning-harness[plots]'") from missing
    # A salt in place of chance, text as text, and no dollar sign that begins a formula.
    with mpl.rc_context(
        {"svg.hashsalt": "harness", "svg.fonttype": "none", "text.parse_math": False, "axes.grid": True}
    ):
        for name, draw in zip(PLOTS, (_speedup, _latency, _gantt), strict=True):
            figure = Figure(figsize=_SIZE, layout="constrained")
            FigureCanvasSVG(figure)
            draw(figure, bench, report)
            figure.supxlabel(about_words(report), fontsize=5, color="gray")
            _save(figure, bench.path / name, about_words(report))
    return PLOTS


def _save(figure: Figure, path: Path, about: str) -> None:
    # Without a date, and with what was measured on what in the file itself.
    metadata = {"Date": None, "Creator": "harness bench", "Description": about}
    with storage_errors(path):
        figure.savefig(path, format="svg", metadata=metadata)


def _speedup(figure: Figure, bench: Bench, report: Mapping[str, Any]) -> None:
    axes = figure.add_subplot()
    baseline_s = next(arm["wall_s"] for arm in report["arms"] if arm["name"] == report["baseline"])
    arms = [arm for arm in report["arms"] if arm["swept"]] or list(report["arms"])
    arms.sort(key=lambda arm: arm["limits"]["in_flight"])
    places = [arm["limits"]["in_flight"] for arm in arms]
    axes.plot(places, places, linestyle=":", color="gray", linewidth=4, label="ideal")
    axes.plot(
        places,
        [baseline_s / arm["bound"]["seconds"] if arm["bound"]["seconds"] else 0 for arm in arms],
        marker="_",
        color="tab:orange",
        label="bound",
    )
    measured = [arm["speedup"]["value"] for arm in arms]
    axes.plot(places, measured, marker="o", color="tab:blue", label="measured")
    if all(arm["speedup"]["low"] is not None for arm in arms):
        low, high = ([arm["speedup"][end] for arm in arms] for end in ("low", "high"))
        axes.fill_between(places, low, high, alpha=0.3, color="tab:blue", linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(places, labels=[str(number) for number in places])
        axis.set_ticks([], minor=True)
    _label(axes, "Speed-up of the batch", "calls in flight", f"times as fast as {report['baseline']}")
    axes.legend()


def _latency(figure: Figure, bench: Bench, report: Mapping[str, Any]) -> None:
    axes = figure.add_subplot()
    for arm in report["arms"]:
        totals = sorted(call.total_s for call in bench.calls if call.arm == arm["name"])
        shares = [(index + 1) / len(totals) for index in range(len(totals))]
        axes.step(totals, shares, where="post", label=arm["name"])
    _label(axes, "Time of a call, from when it was wanted to its last byte", "seconds", "share of calls")
    axes.legend()


def _gantt(figure: Figure, bench: Bench, report: Mapping[str, Any]) -> None:
    topic = bench.calls[0].times.topic_id
    widest = max(report["arms"], key=lambda arm: int(arm["limits"]["in_flight"]))["name"]
    measured = {arm["name"] for arm in report["arms"]}
    shown = [name for name in dict.fromkeys((report["baseline"], PER_RUN, widest)) if name in measured]
    rows = {
        name: [call for call in bench.calls if (call.arm, call.round, call.times.topic_id) == (name, 1, topic)]
        for name in shown
    }
    panes: list[Axes] = list(figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0])
    for axes, (name, calls) in zip(panes, rows.items(), strict=True):
        _bars(axes, calls)
        _label(axes, f"{topic}, {name}", "seconds from the topic's first call" if axes is panes[-1] else "", "")


def _bars(axes: Axes, calls: Sequence[Measured]) -> None:
    ordered = sorted(calls, key=lambda call: (call.times.start_s, call.times.id))
    origin_s = ordered[0].times.start_s
    for row, call in enumerate(ordered):
        times = call.times
        sent_s = times.end_s - times.service_s
        axes.broken_barh([(times.start_s - origin_s, sent_s - times.start_s)], (row - 0.4, 0.8), color="lightgray")
        axes.broken_barh([(sent_s - origin_s, times.service_s)], (row - 0.4, 0.8), color="tab:blue")
    axes.set_yticks(range(len(ordered)), [call.times.id for call in ordered], fontsize=6)
    axes.invert_yaxis()


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
