"""A suite's report for a person at a terminal, or in a plain log."""

from __future__ import annotations

from collections.abc import Iterator

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
from harness.render.document import Block, Code, Heading, Line, Lines, Paragraph, Tone, paragraph
from harness.render.plain import aligned_row
from harness.text.safe import one_line

SHOWN_FAILURES = 3
"""Failures of a check that are shown in full; the others are named."""
NAMED_TOPICS = 20
LONGEST_DIFFERENCE = 40
"""Lines of a difference, and of the explanation of a miss."""
_HEAD = 240
_MARKS: dict[State, tuple[str, Tone]] = {
    "passed": ("ok  ", "good"),
    "failed": ("FAIL", "bad"),
    "not checked": ("?   ", "strong"),
}


def document_of(report: SuiteReport) -> Iterator[Block]:
    """The outcome, then what is not recorded, the checks, the failures, and what else should be
    known.
    """
    yield Heading(level=1, text=_safe(report.headline), tone="bad" if report.exit_code else "good")
    for group in report.misses:
        yield from _miss(group)
    lines: list[Line] = []
    for one in report.checks:
        lines += _check(one, report.suite.samples)
    yield Paragraph(lines=tuple(lines))
    for one in report.checks:
        if one.state == "failed":
            yield from _failed(report, one)
    notes = [_safe(f"note: {note}") for note in notes_of(report)]
    if notes:
        yield paragraph(*notes, tone="faint")


def _miss(group: MissGroup) -> Iterator[Block]:
    tone: Tone = "faint" if group.reason == "follows" else "bad"
    yield Heading(level=2, text=f"not recorded  {_safe(miss_words(group))}", tone=tone)
    if group.reason != "follows":
        yield Code(text=group.example.text, most_lines=LONGEST_DIFFERENCE)


def _check(one: CheckVerdict, samples: int) -> Iterator[Line]:
    mark, tone = _MARKS[one.state]
    yield Line(f"{mark}  {_safe(one.check.name)}  ({counts_words(one)})", tone)
    if words := draws_words(one, samples):
        yield Line(f"      {words}", "faint")
    if why := why_not_checked(one):
        yield Line(f"      not checked: {_safe(why)}", "faint")


def _failed(report: SuiteReport, one: CheckVerdict) -> Iterator[Block]:
    failures = failures_of(one)
    place = f"{_safe(str(report.suite.path))}:{one.check.line}"
    yield Heading(level=2, text=f"FAIL  {_safe(one.check.name)}  {place}", tone="bad")
    for failure in failures[:SHOWN_FAILURES]:
        yield from _failure(failure)
    if len(failures) > SHOWN_FAILURES:
        more = len(failures) - SHOWN_FAILURES
        yield Lines(lines=(f"… and {more:,} more, of {named_topics(one, NAMED_TOPICS)}",))


def _failure(failure: Failure) -> Iterator[Block]:
    """The failure, both texts, and the call. Its lines stand one step further in than the line that
    names it.
    """
    shortfall = failure.failing.shortfall
    yield Lines(lines=(Line(f"- {one_line(failure.line, 400)}", "strong"),))
    if difference := failure.difference:
        yield Lines(lines=(Line("  expected and got, [-went-] {+came+}:", "faint"),))
        yield Code(text=difference, most_lines=LONGEST_DIFFERENCE)
    else:
        expected, got = one_line(shortfall.expected, _HEAD), one_line(shortfall.got, _HEAD)
        yield Lines(lines=(_part("expected", expected), _part("got", got or "nothing")))
    if failure.failing.call is not None:
        trace = trace_of(failure.failing.call)
        parts = [("call", trace.about), *trace.parts]
        yield Lines(
            lines=tuple(Line(_part(name, one_line(text, _HEAD)), "faint") for name, text in parts)
        )


def _part(name: str, text: str) -> str:
    return aligned_row((f"  {name}", text), (11, 0))


def _safe(text: str) -> str:
    return one_line(text, 1_000)
