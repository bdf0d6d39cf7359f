"""A suite's report as Markdown, as it is put into the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
from harness.render.document import (
    Block,
    Code,
    Fold,
    Heading,
    Line,
    Lines,
    Paragraph,
    Table,
    paragraph,
)
from harness.render.markdown import markdown, markdown_parts
from harness.text.safe import one_line

SHOWN_FAILURES = 10
"""Failures of a check that are shown; the topics of the others are named."""
LONGEST_TEXT = 4_000
LONGEST = 900_000
"""Characters. GitHub refuses a job's summary of more than 1 MiB as a whole."""
_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "not checked": "❔ not checked"}


def in_markdown(report: SuiteReport) -> str:
    """The whole report; what would make it too long is left out, and that is said."""
    found: list[str] = []
    size = 0
    for part in markdown_parts(_blocks(report)):
        size += len(part.encode("utf-8", "backslashreplace")) + 2
        if size > LONGEST:
            found.append("The rest is left out: the report is too long.")
            break
        found.append(part)
    return "\n\n".join(found) + "\n"


def problem_in_markdown(message: str, suite: Path) -> str:
    """Say what kept a suite from being checked at all."""
    return markdown(
        [Heading(level=2, text=f"❌ {_line(str(suite))}: nothing was checked"), _code(message)]
    )


def _blocks(report: SuiteReport) -> Iterator[Block]:
    mark = "✅" if report.exit_code == 0 else "❌"
    yield Heading(level=2, text=f"{mark} {_line(report.headline)}")
    for group in report.misses:
        yield Paragraph(
            lines=(Line("Not recorded", "strong"), Line(f"– {_line(miss_words(group))}"))
        )
        if group.reason != "follows":
            yield _code(group.example.text)
    yield _table(report)
    for one in report.checks:
        if one.state == "failed":
            yield from _failed(report, one)
    notes = tuple(_line(note) for note in notes_of(report))
    if notes:
        yield Lines(lines=notes)


def _table(report: SuiteReport) -> Table:
    samples = report.suite.samples
    drawn = ("draws",) if samples > 1 else ()
    columns = ("", "check", "topics", *drawn, "not checked because")
    rows = []
    for one in report.checks:
        draws = [draws_words(one, samples)] if drawn else []
        cells = [one.check.name, counts_words(one), *draws, why_not_checked(one)]
        rows.append((_MARKS[one.state], *map(_line, cells)))
    return Table(columns=columns, rows=tuple(rows), texts=len(columns))


def _failed(report: SuiteReport, one: CheckVerdict) -> Iterator[Block]:
    yield Heading(level=3, text=f"❌ {_line(one.check.name)}")
    yield paragraph(
        _line(f"{report.suite.path}:{one.check.line}"), f"– {_line(named_topics(one, 20))}"
    )
    failures = failures_of(one)
    for failure in failures[:SHOWN_FAILURES]:
        yield Fold(summary=one_line(failure.line, 300), blocks=tuple(_failure(failure)))
    if len(failures) > SHOWN_FAILURES:
        yield paragraph(f"… and {len(failures) - SHOWN_FAILURES:,} more.")


def _failure(failure: Failure) -> Iterator[Block]:
    shortfall, call = failure.failing.shortfall, failure.failing.call
    if difference := failure.difference:
        yield paragraph("Expected and got:")
        yield _code(difference, "diff-words")
    else:
        yield paragraph("Expected:")
        yield _code(shortfall.expected)
        yield paragraph("Got:")
        yield _code(shortfall.got)
    if call is not None:
        trace = trace_of(call)
        yield paragraph(f"Call {_line(trace.about)}")
        for name, text in trace.parts:
            yield paragraph(f"{name.capitalize()}:")
            yield _code(text)


def _code(text: str, language: str = "text") -> Code:
    """A text as it is quoted: a long one is cut."""
    return Code(
        text=text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…", language=language
    )


def _line(text: str) -> str:
    return one_line(text, 400)
