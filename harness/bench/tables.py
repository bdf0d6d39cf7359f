"""The numbers of a benchmark as rows of text, for the terminal and for Markdown, and as rows of values for CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.bench.words import laws_words, marked
from harness.domain.sanitize import csv_safe, markdown_safe
from harness.domain.wording import counted, duration
from harness.text import money

_TIMES = {
    "queue_wait_s": "queue wait",
    "ttft_reasoning_s": "first reasoning",
    "ttft_answer_s": "first answer",
    "total_s": "total",
    "wall_of_a_topic_s": "wall",
}
_QUANTILES = ("p50", "p90", "p99")
# Nothing of this is markup within a line.
_PLAIN = re.compile(r"[A-Za-z0-9 .,:;=/%$()\[\]'–-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, the names of the columns, and the rows under them; the first `names` columns name the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


def tables_of(report: Mapping[str, Any]) -> tuple[Table, ...]:
    """All tables of a report."""
    return (_speed(report), _price(report), _steps(report))


def _speed(report: Mapping[str, Any]) -> Table:
    return Table(
        title=f"{counted(report['topics'], 'topic')}, {counted(report['repeat'], 'round')}, "
        f"{report['model']} at {report['endpoint']}",
        columns=("arm", "wall", "speed-up", "bound", "efficiency"),
        rows=tuple(
            (
                marked(arm),
                duration(arm["wall_s"]),
                ratio_words(arm["speedup"]),
                duration(arm["bound"]["seconds"]),
                "–" if arm["efficiency"] is None else f"{arm['efficiency']:.0%}",
            )
            for arm in report["arms"]
        ),
    )


def _price(report: Mapping[str, Any]) -> Table:
    return Table(
        title="speed-up of a topic, throughput, and what it cost",
        columns=("arm", "of a topic", "calls/s", "tokens/s", "cached input", "cost"),
        rows=tuple(
            (
                marked(arm),
                ratio_words(arm["topic_speedup"]),
                figure(arm["calls_per_s"]),
                figure(arm["tokens_per_s"]),
                f"{arm['cached_tokens']:,.0f} ({_share(arm['cached_tokens'], arm['input_tokens'])})",
                money(arm["cost"]),
            )
            for arm in report["arms"]
        ),
    )


def _steps(report: Mapping[str, Any]) -> Table:
    return Table(
        title="seconds from when a call was wanted, and of a step in a topic (wall): p50 / p90 / p99",
        columns=("arm", "step", "calls/s", "tokens/s", *_TIMES.values()),
        rows=tuple(
            (
                marked(arm),
                step["step"],
                figure(step["calls_per_s"]),
                figure(step["tokens_per_s"]),
                *(_quantiles(step[name]) for name in _TIMES),
            )
            for arm in report["arms"]
            for step in arm["steps"]
        ),
        names=2,
    )


def ratio_words(ratio: Mapping[str, Any] | None) -> str:
    """`2.31 [2.20, 2.43]`, or without an interval where there is none."""
    if ratio is None:
        return "–"
    if ratio["low"] is None:
        return f"{ratio['value']:.2f}"
    return f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def prose_of(report: Mapping[str, Any]) -> list[str]:
    """What the tables do not say: where the time went, the laws, the published example, what to know."""
    lines = [f"{marked(arm)}: {arm['story']}" for arm in report["arms"]]
    lines += laws_words(report["scaling"])
    if report["published"] is not None:
        lines.append(published_words(report["published"]))
    return [*lines, *report["notes"]]


def published_words(found: Mapping[str, Any]) -> str:
    """The published example in words, with its whole distribution."""
    low, high, calls = found["low_s"], found["high_s"], found["calls"]
    ratio, inside = found["speedup"], found["speedup_within_claim"]
    shares = ", ".join(f"{edge}: {count / found['draws']:.1%}" for edge, count in found["histogram"].items())
    times = "hold in every draw" if found["times_hold"] else "do not always hold"
    holds = (
        f"The speed-up of 2 to 2.5 holds in {inside:.1%} of the draws"
        f" ({found['speedup_below_claim']:.1%} are below, {found['speedup_above_claim']:.1%} above)"
    )
    return (
        f"The published example, {calls} calls of {low:g} to {high:g} s, drawn {found['draws']:,} times: "
        f"{calls * low:g} to {calls * high:g} s in sequence and {2 * low:g} to {2 * high:g} s with {found['places']} "
        f"at a time {times}. {holds}: median {ratio['p50']:.2f}, from {ratio['low']:.2f} to {ratio['high']:.2f}. "
        f"Share of draws by speed-up, from: {shares}."
    )


def about_words(report: Mapping[str, Any]) -> str:
    """On what and with what it was measured, all settings that have a value included."""
    about = report["about"]
    time = "on virtual time" if report["virtual"] else "on real time"
    chosen = [
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in report["settings"].items()
        if value not in (None, [], {})
    ]
    return (
        f"harness {about['harness']}, Python {about['python']}, openai {about['openai']}, {about['system']}, "
        f"{about['cores']} cores, {time}, seed {about['seed']}. Settings: {', '.join(chosen)}"
    )


def markdown_of(report: Mapping[str, Any], plots: Sequence[str] = ()) -> str:
    """The report as Markdown."""
    parts = [f"# Benchmark {_cell(report['benchmark'])}", _cell(about_words(report))]
    for table in tables_of(report):
        rule = ("---", *("---:" for _ in table.columns[1:]))
        lines = [_line(table.columns), _line(rule), *(_line([_cell(text) for text in row]) for row in table.rows)]
        parts += [f"**{_cell(table.title)}**", "\n".join(lines)]
    parts.append("\n".join(f"- {_cell(line)}" for line in prose_of(report)))
    parts += [f"![{name.removesuffix('.svg')}]({name})" for name in plots]
    return "\n\n".join(parts) + "\n"


def csv_of(report: Mapping[str, Any]) -> str:
    """A row an arm and step, numbers as they are; every row names versions, cores, seed and settings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    about = report["about"]
    names = ("wall_s", "calls_per_s", "tokens_per_s", "input_tokens", "cached_tokens", "output_tokens", "cost")
    header = [*("benchmark", *about, "virtual", "settings", "arm", "in_flight", "per_run", "runs"), *names]
    header += ["speedup", "speedup_low", "speedup_high", "bound_s", "efficiency"]
    header += [f"lost_to_{cause}_s" for cause in report["arms"][0]["losses"]]
    header += ["step", "step_calls", "step_calls_per_s", "step_tokens_per_s"]
    writer.writerow(
        [*header, *(f"{name.removesuffix('_s')}_{quantile}_s" for name in _TIMES for quantile in _QUANTILES)]
    )
    settings = json.dumps(report["settings"], ensure_ascii=False, separators=(",", ":"))
    for arm in report["arms"]:
        ratio = arm["speedup"] or {"value": None, "low": None, "high": None}
        row = [report["benchmark"], *about.values(), report["virtual"], settings]
        row += [arm["name"], *(arm["limits"][name] for name in ("in_flight", "per_run", "runs"))]
        row += [*(arm[name] for name in names), ratio["value"], ratio["low"], ratio["high"]]
        row += [arm["bound"]["seconds"], arm["efficiency"], *arm["losses"].values()]
        for step in arm["steps"]:
            times = [step[name][quantile] if step[name] else None for name in _TIMES for quantile in _QUANTILES]
            own = [step[name] for name in ("step", "calls", "calls_per_s", "tokens_per_s")]
            writer.writerow([_csv_cell(value) for value in [*row, *own, *times]])
    return text.getvalue()


def figure(value: float) -> str:
    """With as many digits as it takes to tell it from its like."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _quantiles(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    digits = 3 if found["p99"] < 1 else 2 if found["p99"] < 100 else 1
    return " / ".join(f"{found[quantile]:.{digits}f}" for quantile in _QUANTILES)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Text on one line; where a step, a model or a topic may have brought markup into it, without that."""
    line = " ".join(text.split())
    return line if _PLAIN.fullmatch(line) and "://" not in line and "www." not in line else markdown_safe(line)


def _csv_cell(value: Any) -> Any:
    return csv_safe(value) if isinstance(value, str) else value
