"""A suite's report for a person at a terminal, or in a plain log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

from harness.domain.sanitize import one_line, terminal_safe
from harness.regress.checks.checks import State
from harness.regress.checks.misses import MissGroup
from harness.regress.reports.telling import (
    Failure,
    counts_words,
    draws_words,
    failures_of,
    miss_words,
    named_topics,
    notes_of,
    trace_of,
    why_not_checked,
)
from harness.regress.suites.report import CheckVerdict, SuiteReport

Tone = Literal["plain", "good", "bad", "faint", "strong"]

SHOWN_FAILURES = 3
"""Failures of a check that are shown in full; the others are named."""
NAMED_TOPICS = 20
LONGEST_DIFFERENCE = 40
"""Lines of a difference, and of the explanation of a miss."""
_HEAD = 240
_COLOURS: dict[Tone, str] = {"plain": "", "good": "green", "bad": "bold red", "faint": "dim", "strong": "bold"}
_MARKS: dict[State, tuple[str, Tone]] = {
    "passed": ("ok  ", "good"),
    "failed": ("FAIL", "bad"),
    "not checked": ("?   ", "strong"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report, and how it is meant. It commands no terminal."""

    text: str
    tone: Tone = "plain"


def in_text(report: SuiteReport) -> str:
    """The whole report as plain text."""
    return "".join(f"{line.text}\n" for line in lines_of(report))


def print_text(report: SuiteReport, file: IO[str]) -> None:
    """Print it, in colours where the file is a terminal that wants them."""
    if not file.isatty():
        file.write(in_text(report))
        return
    from rich.console import Console  # noqa: PLC0415 - 0.2 s of CPU that only a terminal is worth
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console(file=file, highlight=False)
    for line in lines_of(report):
        console.print(Text(line.text, style=_COLOURS[line.tone]), soft_wrap=True)


def lines_of(report: SuiteReport) -> Iterator[Line]:
    """What it comes to, what is not recorded, the checks, the failures, and what else should be known."""
    yield Line(text=_safe(report.headline), tone="bad" if report.exit_code else "good")
    for group in report.misses:
        yield from _miss(group)
    yield Line(text="")
    for one in report.checks:
        yield from _check(one, report.suite.samples)
    for one in report.checks:
        if one.state == "failed":
            yield Line(text="")
            yield from _failed(report, one)
    notes = list(notes_of(report))
    if notes:
        yield Line(text="")
    for note in notes:
        yield Line(text=_safe(f"note: {note}"), tone="faint")


def _miss(group: MissGroup) -> Iterator[Line]:
    yield Line(text="")
    yield Line(text=f"not recorded  {_safe(miss_words(group))}", tone="faint" if group.reason == "follows" else "bad")
    if group.reason != "follows":
        yield from _quoted(group.example.text, LONGEST_DIFFERENCE)


def _check(one: CheckVerdict, samples: int) -> Iterator[Line]:
    mark, tone = _MARKS[one.state]
    yield Line(text=f"{mark}  {_safe(one.check.name)}  ({counts_words(one)})", tone=tone)
    if words := draws_words(one, samples):
        yield Line(text=f"      {words}", tone="faint")
    if why := why_not_checked(one):
        yield Line(text=f"      not checked: {_safe(why)}", tone="faint")


def _failed(report: SuiteReport, one: CheckVerdict) -> Iterator[Line]:
    failures = failures_of(one)
    yield Line(text=f"FAIL  {_safe(one.check.name)}  {_safe(str(report.suite.path))}:{one.check.line}", tone="bad")
    for failure in failures[:SHOWN_FAILURES]:
        yield from _failure(failure)
    if len(failures) > SHOWN_FAILURES:
        yield Line(text=f"  … and {len(failures) - SHOWN_FAILURES:,} more, of {named_topics(one, NAMED_TOPICS)}")


def _failure(failure: Failure) -> Iterator[Line]:
    shortfall, call = failure.failing.shortfall, failure.failing.call
    yield Line(text=f"  - {one_line(failure.line, 400)}", tone="strong")
    if difference := failure.difference:
        yield Line(text="    expected and got, [-went-] {+came+}:", tone="faint")
        yield from _quoted(difference, LONGEST_DIFFERENCE)
    else:
        yield Line(text=f"    expected   {one_line(shortfall.expected, _HEAD)}")
        yield Line(text=f"    got        {one_line(shortfall.got, _HEAD) or 'nothing'}")
    if call is not None:
        trace = trace_of(call)
        yield Line(text=f"    call       {one_line(trace.about, _HEAD)}", tone="faint")
        for name, text in trace.parts:
            yield Line(text=f"    {name:<10} {one_line(text, _HEAD)}", tone="faint")


def _quoted(text: str, most_lines: int) -> Iterator[Line]:
    """Lines of a text that came from elsewhere. The bar keeps a log from reading them as commands to itself."""
    lines = terminal_safe(text).split("\n")
    yield from (Line(text=f"    | {line}") for line in lines[:most_lines])
    if len(lines) > most_lines:
        yield Line(text=f"    … and {len(lines) - most_lines:,} lines more", tone="faint")


def _safe(text: str) -> str:
    return one_line(text, 1_000)
