"""The numbers of a benchmark as tables: a document for the terminal and for Markdown, and values
for CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from harness.bench.bench_report import ArmFigures, BenchReport, StepFigures
from harness.bench.description import About
from harness.bench.words import law_words, marked
from harness.render.document import Block, Heading, Lines, Table, paragraph
from harness.render.markdown import markdown_parts
from harness.text.amounts import counted, duration, money
from harness.text.safe import csv_safe
from harness.timing.stats import Distribution, Ratio

_TIMES = {
    "queue_wait_s": "queue wait",
    "ttft_reasoning_s": "first reasoning",
    "ttft_answer_s": "first answer",
    "total_s": "total",
    "wall_of_a_topic_s": "wall",
}
_QUANTILES = ("p50", "p90", "p99")


def document_of(report: BenchReport) -> Iterator[Block]:
    """Yield what a person is told of a report: its tables, then what they do not say."""
    yield from tables_of(report)
    yield paragraph(*prose_of(report))


def tables_of(report: BenchReport) -> tuple[Table, ...]:
    """Return all tables of a report."""
    return (_speed(report), _price(report), _steps(report))


def _speed(report: BenchReport) -> Table:
    rows = []
    for arm in report.arms:
        rows.append(
            (
                marked(arm),
                duration(arm.wall_s),
                ratio_words(arm.speedup),
                duration(arm.bound.seconds),
                f"{arm.efficiency:.0%}",
            )
        )
    return Table(
        title=(
            f"{counted(report.topics, 'topic')}, {counted(report.repeat, 'round')}, "
            f"{report.model} at {report.endpoint}"
        ),
        columns=("arm", "wall", "speed-up", "bound", "efficiency"),
        rows=tuple(rows),
    )


def _price(report: BenchReport) -> Table:
    rows = []
    for arm in report.arms:
        rows.append(
            (
                marked(arm),
                ratio_words(arm.topic_speedup),
                figure(arm.calls_per_s),
                figure(arm.tokens_per_s),
                f"{arm.cached_tokens:,.0f} ({_share(arm.cached_tokens, arm.input_tokens)})",
                money(arm.cost),
            )
        )
    return Table(
        title="speed-up of a topic, throughput, and what it cost",
        columns=("arm", "of a topic", "calls/s", "tokens/s", "cached input", "cost"),
        rows=tuple(rows),
    )


def _steps(report: BenchReport) -> Table:
    rows = []
    for arm in report.arms:
        for step in arm.steps:
            rows.append(
                (
                    marked(arm),
                    step.step,
                    figure(step.calls_per_s),
                    figure(step.tokens_per_s),
                    *(_quantiles(times) for times in _times_of(step)),
                )
            )
    return Table(
        title=(
            "seconds from when a call was wanted, and of a step in a topic (wall): p50 / p90 / p99"
        ),
        columns=("arm", "step", "calls/s", "tokens/s", *_TIMES.values()),
        rows=tuple(rows),
        texts=2,
    )


def _times_of(step: StepFigures) -> list[Distribution | None]:
    """Return the times of a step in the order of `_TIMES`."""
    return [getattr(step, name) for name in _TIMES]


def ratio_words(ratio: Ratio | None) -> str:
    """Write `2.31 [2.20, 2.43]`, or without an interval where there is none."""
    if ratio is None:
        return "–"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f}"
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def prose_of(report: BenchReport) -> list[str]:
    """Return what the tables do not say: where the time went, the law, what to know."""
    stories = [f"{marked(arm)}: {arm.story}" for arm in report.arms]
    return [*stories, *law_words(report.scaling), *report.notes]


def about_words(report: BenchReport) -> str:
    """Tell on what and with what it was measured, all settings that have a value included."""
    about = report.about
    time = "on virtual time" if report.virtual else "on real time"
    chosen = []
    for name, value in report.settings.items():
        if value not in (None, [], {}):
            text = value if isinstance(value, str) else json.dumps(value)
            chosen.append(f"{name} {text}")
    return (
        f"harness {about.harness}, Python {about.python}, openai {about.openai}, {about.system}, "
        f"{about.cores} cores, {time}, seed {about.seed}. Settings: {', '.join(chosen)}"
    )


def markdown_of(report: BenchReport, plots: Sequence[str] = ()) -> str:
    """Return the report as Markdown, with the names of the files of its plots."""
    parts = list(markdown_parts(_markdown_document(report)))
    parts += [f"![{name.removesuffix('.svg')}]({name})" for name in plots]
    return "\n\n".join(parts) + "\n"


def _markdown_document(report: BenchReport) -> Iterator[Block]:
    yield Heading(level=1, text=f"Benchmark {report.benchmark}")
    yield paragraph(about_words(report))
    for table in tables_of(report):
        # A report has one column at the left: those that were committed are made anew to the byte.
        yield replace(table, texts=1)
    yield Lines(lines=tuple(prose_of(report)))


def csv_of(report: BenchReport) -> str:
    """Write a row an arm and step, numbers as they are; each names versions, cores, seed and
    settings.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_csv_header(report))
    settings = json.dumps(report.settings, ensure_ascii=False, separators=(",", ":"))
    shared = [report.benchmark, *asdict(report.about).values(), report.virtual, settings]
    for arm in report.arms:
        for step in arm.steps:
            row = [*shared, *_csv_arm(arm), *_csv_step(step)]
            writer.writerow([_csv_cell(value) for value in row])
    return text.getvalue()


_CSV_LIMITS = ("in_flight", "per_run", "runs")
_CSV_OF_ARM = (
    *("wall_s", "calls_per_s", "tokens_per_s"),
    *("input_tokens", "cached_tokens", "output_tokens", "cost"),
)
_CSV_RATIO = ("speedup", "speedup_low", "speedup_high")


def _csv_header(report: BenchReport) -> list[str]:
    about = [field.name for field in fields(About)]
    header = ["benchmark", *about, "virtual", "settings", "arm", *_CSV_LIMITS, *_CSV_OF_ARM]
    header += [*_CSV_RATIO, "bound_s", "efficiency"]
    header += [f"lost_to_{cause}_s" for cause in report.arms[0].losses]
    header += ["step", "step_calls", "step_calls_per_s", "step_tokens_per_s"]
    for name in _TIMES:
        header += [f"{name.removesuffix('_s')}_{quantile}_s" for quantile in _QUANTILES]
    return header


def _csv_arm(arm: ArmFigures) -> list[Any]:
    row: list[Any] = [arm.name]
    row += [getattr(arm.limits, name) for name in _CSV_LIMITS]
    row += [getattr(arm, name) for name in _CSV_OF_ARM]
    if arm.speedup is None:
        row += [None for _ in _CSV_RATIO]
    else:
        row += [arm.speedup.value, arm.speedup.low, arm.speedup.high]
    return [*row, arm.bound.seconds, arm.efficiency, *arm.losses.values()]


def _csv_step(step: StepFigures) -> list[Any]:
    row: list[Any] = [step.step, step.calls, step.calls_per_s, step.tokens_per_s]
    for times in _times_of(step):
        row += [getattr(times, quantile, None) for quantile in _QUANTILES]
    return row


def figure(value: float) -> str:
    """Write a number with as many digits as it takes to tell it from its like."""
    if value < 1:
        return f"{value:.3f}"
    if value < 100:
        return f"{value:.2f}"
    return f"{value:,.0f}"


def _quantiles(times: Distribution | None) -> str:
    if times is None:
        return "–"
    digits = 1
    if times.p99 < 1:
        digits = 3
    elif times.p99 < 100:
        digits = 2
    return " / ".join(f"{value:.{digits}f}" for value in (times.p50, times.p90, times.p99))


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def _csv_cell(value: Any) -> Any:
    return csv_safe(value) if isinstance(value, str) else value
