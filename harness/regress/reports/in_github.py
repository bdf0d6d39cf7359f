"""A suite's report as annotations of GitHub Actions: workflow commands, which the runner reads from
the log.

The escapes are those of GitHub's own toolkit: in a message `%`, CR and LF, in a property also `:`
and `,`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.regress.checks.misses import MissGroup
from harness.regress.reports.telling import (
    failures_of,
    miss_words,
    named_topics,
    notes_of,
    why_not_checked,
)
from harness.regress.suites.report import CheckVerdict, SuiteReport
from harness.text.safe import terminal_safe

MOST_ERRORS = 10
"""GitHub shows so many errors of one step, and so many warnings; of more it keeps silent."""
LONGEST_MESSAGE = 3_000
_DETAILED = 3
_PLACE = re.compile(r"(\S.*?):(\d+): ")


def in_github(report: SuiteReport, *, root: Path) -> str:
    """A line for each finding, at most ten errors. `root` is the repository's, from which files are
    named.
    """
    file = _from_root(report.suite.path, root)
    errors = list(_errors(report, file))
    if len(errors) > MOST_ERRORS:
        left = len(errors) - MOST_ERRORS + 1
        more = command(
            "error",
            f"… and {left} more findings; the summary has them all",
            title=report.suite.name,
        )
        errors = [*errors[: MOST_ERRORS - 1], more]
    notices = [command("notice", note, title=report.suite.name) for note in notes_of(report)]
    return "".join(f"{line}\n" for line in (*errors, *notices))


def problem_in_github(message: str, *, root: Path) -> str:
    """Say what kept a suite from being checked at all: a line for each line of the message, at the
    file that it names.
    """
    errors = []
    for line in message.splitlines()[:MOST_ERRORS]:
        place = _PLACE.match(line)
        if place:
            where = {"file": _from_root(Path(place[1]), root), "line": place[2]}
        else:
            where = {}
        errors.append(
            command("error", line[place.end() :] if place else line, **where, title="harness check")
        )
    return "".join(f"{line}\n" for line in errors)


def command(kind: str, message: str, **properties: str | int) -> str:
    """One workflow command: `::error file=…,line=…,title=…::message`."""
    given = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    if given:
        return f"::{kind} {given}::{_message(message)}"
    return f"::{kind}::{_message(message)}"


def _errors(report: SuiteReport, file: str) -> Iterator[str]:
    for group in report.misses:
        if report.misses_fail:
            yield _missed(group, file)
    for one in report.checks:
        if one.state == "failed":
            yield _failed(one, file)
    for one in report.blind:
        said = f"checked nothing: {why_not_checked(one)}"
        yield command("error", said, file=file, line=one.check.line, title=one.check.name)
    if report.exit_code == 2 and not report.blind:
        yield command("error", report.headline, file=file, line=1, title=report.suite.name)


def _missed(group: MissGroup, file: str) -> str:
    text = f"{miss_words(group)}\n{group.example.text if group.reason != 'follows' else ''}".strip()
    return command("error", text, file=file, line=1, title=f"not recorded: {group.step}")


def _failed(one: CheckVerdict, file: str) -> str:
    failures = failures_of(one)
    lines = [failure.line for failure in failures[:_DETAILED]]
    if len(failures) > _DETAILED:
        lines.append(f"… and {len(failures) - _DETAILED} more, of {named_topics(one, 10)}")
    return command("error", "\n".join(lines), file=file, line=one.check.line, title=one.check.name)


def _from_root(path: Path, root: Path) -> str:
    absolute, base = path.resolve(), root.resolve()
    if absolute.is_relative_to(base):
        return absolute.relative_to(base).as_posix()
    return str(path)


def _message(text: str) -> str:
    cut = text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…"
    return terminal_safe(cut).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
