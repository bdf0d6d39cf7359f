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

_TIMES = (
    ("first reasoning", "sent_ttft_reasoning_s", "ttft_reasoning_s"),
    ("first answer", "sent_ttft_answer_s", "ttft_answer_s"),
    ("total", "service_s", "total_s"),
    ("between tokens", "inter_token_s", None),
    ("queue wait", None, "queue_wait_s"),
    ("wall of a topic", None, "wall_of_a_topic_s"),
)
"""The times of a step: in words, counted from when it was sent, and from when it was wanted."""

_QUANTILES = ("p50", "p90", "p95", "p99")
_IN_WORDS = " / ".join(_QUANTILES)


def document_of(report: BenchReport) -> Iterator[Block]:
    """Yield what a person is told of a report: its tables, then what they do not say."""
    yield from tables_of(report)
    yield paragraph(*prose_of(report))


def tables_of(report: BenchReport) -> tuple[Table, ...]:
    """Return all tables of a report."""
    tables = [_speed(report), _price(report)]
    if any(_met_limits(arm) for arm in report.arms):
        tables.append(_provider(report))
    return (*tables, _steps(report), _times(report))


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


def _met_limits(arm: ArmFigures) -> bool:
    """Return whether the provider refused calls of an arm, or showed a limit of its own."""
    found = arm.provider
    return found is not None and bool(found.refusals or found.limit is not None)


def _provider(report: BenchReport) -> Table:
    rows = []
    for arm in report.arms:
        found = arm.provider
        if found is None:
            continue
        rows.append(
            (
                marked(arm),
                f"{found.refusals:,.4g}",
                duration(found.wait_s),
                "–" if found.limit is None else f"{found.limit:,}",
                f"{found.slots:,.4g} of {arm.limits.in_flight:,}",
                duration(found.bound_s),
                f"{found.efficiency:.0%}",
            )
        )
    return Table(
        title=(
            "what the provider let through: the bound and the efficiency with the slots that were"
            " really to be had"
        ),
        columns=(
            *("arm", "refused (429)", "waited for it", "its limit", "slots to be had"),
            *("bound with them", "efficiency"),
        ),
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
                    _quantiles(step.output_tokens_per_s),
                )
            )
    return Table(
        title=f"throughput of a step, and output tokens a second of one call: {_IN_WORDS}",
        columns=("arm", "step", "calls/s", "tokens/s", "output tokens/s of a call"),
        rows=tuple(rows),
        texts=2,
    )


def _times(report: BenchReport) -> Table:
    rows = []
    for arm in report.arms:
        for step in arm.steps:
            for words, sent, wanted in _TIMES:
                pair = (_named(step, sent), _named(step, wanted))
                if _says_something(step, wanted, pair):
                    rows.append((marked(arm), step.step, words, *map(_quantiles, pair)))
    return Table(
        title=(
            f"seconds, {_IN_WORDS}: from sent is what the provider took, from wanted what the topic"
            " felt"
        ),
        columns=("arm", "step", "time", "from sent", "from wanted"),
        rows=tuple(rows),
        texts=3,
    )


def _says_something(
    step: StepFigures, wanted: str | None, pair: tuple[Distribution | None, ...]
) -> bool:
    """Return whether a row tells more than those beside it: no wait tells nothing, nor does the
    wall of a step that is one call.
    """
    if wanted == "queue_wait_s" and (step.queue_wait_s is None or step.queue_wait_s.high == 0):
        return False
    if wanted == "wall_of_a_topic_s" and step.wall_of_a_topic_s == step.total_s:
        return False
    return any(pair)


def _named(step: StepFigures, name: str | None) -> Distribution | None:
    return None if name is None else getattr(step, name)


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
    *("wall_s", "calls_per_s", "tokens_per_s", "output_tokens_per_s"),
    *("input_tokens", "cached_tokens", "output_tokens", "cost"),
)
_CSV_OF_PROVIDER = ("refusals", "wait_s", "limit", "slots", "bound_s", "efficiency")
_CSV_OF_STEP = (
    *("queue_wait_s", "ttft_reasoning_s", "ttft_answer_s", "total_s", "wall_of_a_topic_s"),
    *("sent_ttft_reasoning_s", "sent_ttft_answer_s", "service_s", "inter_token_s"),
    "output_tokens_per_s",
)
_CSV_RATIO = ("speedup", "speedup_low", "speedup_high")


def _csv_header(report: BenchReport) -> list[str]:
    about = [field.name for field in fields(About)]
    header = ["benchmark", *about, "virtual", "settings", "arm", *_CSV_LIMITS, *_CSV_OF_ARM]
    header += [*_CSV_RATIO, "bound_s", "efficiency"]
    header += [f"lost_to_{cause}_s" for cause in report.arms[0].losses]
    header += [f"provider_{name}" for name in _CSV_OF_PROVIDER]
    header += ["step", "step_calls", "step_calls_per_s", "step_tokens_per_s"]
    for name in _CSV_OF_STEP:
        unit = "" if name.endswith("tokens_per_s") else "_s"
        base = name if not unit else name.removesuffix("_s")
        header += [f"{base}_{quantile}{unit}" for quantile in _QUANTILES]
    return header


def _csv_arm(arm: ArmFigures) -> list[Any]:
    row: list[Any] = [arm.name]
    row += [getattr(arm.limits, name) for name in _CSV_LIMITS]
    row += [getattr(arm, name) for name in _CSV_OF_ARM]
    if arm.speedup is None:
        row += [None for _ in _CSV_RATIO]
    else:
        row += [arm.speedup.value, arm.speedup.low, arm.speedup.high]
    row += [arm.bound.seconds, arm.efficiency, *arm.losses.values()]
    return [*row, *(getattr(arm.provider, name, None) for name in _CSV_OF_PROVIDER)]


def _csv_step(step: StepFigures) -> list[Any]:
    row: list[Any] = [step.step, step.calls, step.calls_per_s, step.tokens_per_s]
    for name in _CSV_OF_STEP:
        times = getattr(step, name)
        row += [getattr(times, quantile, None) for quantile in _QUANTILES]
    return row


def figure(value: float) -> str:
    """Write a number with as many digits as it takes to tell it from its like."""
    if value < 1:
        return f"{value:.3f}"
    if value < 100:
        return f"{value:.2f}"
    return f"{value:,.0f}"


def _quantiles(values: Distribution | None) -> str:
    """Write the percentiles; those of versions before have none at 95 %."""
    if values is None:
        return "–"
    found = [values.p50, values.p90, values.p95, values.p99]
    if values.p99 < 0.1:
        digits = 4
    elif values.p99 < 1:
        digits = 3
    elif values.p99 < 100:
        digits = 2
    else:
        digits = 1
    return " / ".join(_rounded(value, digits) for value in found)


def _rounded(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def _csv_cell(value: Any) -> Any:
    return csv_safe(value) if isinstance(value, str) else value
