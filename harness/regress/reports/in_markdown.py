"""A suite's report as Markdown, as it is put into the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.domain.sanitize import html_safe, markdown_safe, one_line, terminal_safe
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

SHOWN_FAILURES = 10
"""Failures of a check that are shown; the topics of the others are named."""
LONGEST_TEXT = 4_000
LONGEST = 900_000
"""Characters. GitHub refuses a job's summary of more than 1 MiB as a whole."""
_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "not checked": "❔ not checked"}
_TICKS = re.compile(r"`{3,}")


def in_markdown(report: SuiteReport) -> str:
    """The whole report; what would make it too long is left out, and that is said."""
    found: list[str] = []
    size = 0
    for part in _parts(report):
        size += len(part.encode("utf-8", "backslashreplace")) + 2
        if size > LONGEST:
            found.append("The rest is left out: the report is too long.")
            break
        found.append(part)
    return "\n\n".join(found) + "\n"


def problem_in_markdown(message: str, suite: Path) -> str:
    """What kept a suite from being checked at all."""
    return f"## ❌ {_line(str(suite))}: nothing was checked\n\n{fenced(message)}\n"


def _parts(report: SuiteReport) -> Iterator[str]:
    yield f"## {'✅' if report.exit_code == 0 else '❌'} {_line(report.headline)}"
    for group in report.misses:
        yield from _miss(group)
    yield _table(report)
    for one in report.checks:
        if one.state == "failed":
            yield from _failed(report, one)
    notes = [f"- {_line(note)}" for note in notes_of(report)]
    if notes:
        yield "\n".join(notes)


def _miss(group: MissGroup) -> Iterator[str]:
    yield f"**Not recorded** – {_line(miss_words(group))}"
    if group.reason != "follows":
        yield fenced(group.example.text)


def _table(report: SuiteReport) -> str:
    samples = report.suite.samples
    columns = ["", "check", "topics", *(["draws"] if samples > 1 else []), "not checked because"]
    rows = [columns, ["---"] * len(columns)]
    for one in report.checks:
        draws = [draws_words(one, samples)] if samples > 1 else []
        cells = [one.check.name, counts_words(one), *draws, why_not_checked(one)]
        rows.append([_MARKS[one.state], *map(_line, cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _failed(report: SuiteReport, one: CheckVerdict) -> Iterator[str]:
    yield f"### ❌ {_line(one.check.name)}"
    yield f"{_line(f'{report.suite.path}:{one.check.line}')} – {_line(named_topics(one, 20))}"
    failures = failures_of(one)
    for failure in failures[:SHOWN_FAILURES]:
        yield _failure(failure)
    if len(failures) > SHOWN_FAILURES:
        yield f"… and {len(failures) - SHOWN_FAILURES:,} more."


def _failure(failure: Failure) -> str:
    shortfall, call = failure.failing.shortfall, failure.failing.call
    parts = [f"<details><summary>{html_safe(one_line(failure.line, 300))}</summary>"]
    if difference := failure.difference:
        parts += ["Expected and got:", fenced(difference, "diff-words")]
    else:
        parts += ["Expected:", fenced(shortfall.expected), "Got:", fenced(shortfall.got)]
    if call is not None:
        trace = trace_of(call)
        parts.append(f"Call {_line(trace.about)}")
        parts += [f"{name.capitalize()}:\n\n{fenced(text)}" for name, text in trace.parts]
    return "\n\n".join([*parts, "</details>"])


def fenced(text: str, language: str = "text") -> str:
    """A text as a block of code, whatever it holds: the fence is longer than any run of backticks in it."""
    shown = terminal_safe(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…")
    fence = "`" * max([3, *(len(run[0]) + 1 for run in _TICKS.finditer(shown))])
    return f"{fence}{language}\n{shown}\n{fence}"


def _line(text: str) -> str:
    return markdown_safe(one_line(text, 400))
