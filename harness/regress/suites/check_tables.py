"""From the tables [[check]] of a suite's file to its checks: names, steps, and what each
expectation needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import SuiteError
from harness.regress.checks.checks import Check
from harness.regress.checks.expect_parts import Status
from harness.regress.checks.expectation import Expectation
from harness.regress.checks.judge_calls import judge_name
from harness.regress.checks.judging import Judged
from harness.regress.suites.building import build
from harness.regress.suites.suite_tables import EXPECTATIONS, OF_CALLS, OF_OUTPUTS, CheckTable
from harness.settings.toml_lines import line_in_table
from harness.settings.toml_tables import checked, shown

LONGEST_NAME = 80
NO_TOPIC_FAILED = "no topic failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """One table [[check]] of the file."""

    path: Path
    text: str
    index: int

    def line(self, *path: str) -> int:
        return line_in_table(self.text, "check", self.index, path) or 1

    def where(self, path: tuple[str, ...]) -> str:
        return f"{self.path}:{self.line(*path)}"

    def error(self, message: str, *path: str) -> SuiteError:
        return SuiteError(f"{self.where(path)}: {message}")


def read_checks(path: Path, text: str, tables: Sequence[Mapping[str, Any]]) -> tuple[Check, ...]:
    """The checks, after the one that holds for every suite. Raises SuiteError, a line for each
    table that is wrong.
    """
    if not tables:
        raise SuiteError(f"{path}:1: a suite without checks: it needs at least one table [[check]]")
    found: dict[str, Check] = {}
    wrong: list[str] = []
    for index, table in enumerate(tables):
        at = _At(path=path, text=text, index=index)
        try:
            check = _check(at, table, found)
        except SuiteError as error:
            wrong.append(str(error))
        else:
            found[check.name] = check
    if wrong:
        raise SuiteError("\n".join(wrong))
    _refuse_alike(path, found.values())
    checks = tuple(found.values())
    # A topic that failed, or is incomplete, must never be green unless a check allows it.
    implied = Check(name=NO_TOPIC_FAILED, line=1, expectations=(Status(),), implied=True)
    return checks if any(_says_status(check) for check in checks) else (implied, *checks)


def _says_status(check: Check) -> bool:
    return any(isinstance(each, Status) for each in check.expectations)


def _check(at: _At, table: Mapping[str, Any], known: Mapping[str, Check]) -> Check:
    read = checked(CheckTable, table, where=at.where, error=SuiteError)
    given = [name for name in EXPECTATIONS if getattr(read, name) is not None]
    if not given:
        raise at.error(
            "the check expects nothing; give it contains, matches, citations or another expectation"
        )
    for name in given:
        if read.step is not None and name in OF_OUTPUTS:
            raise at.error(f"{name}: {OF_OUTPUTS[name]}; leave 'step' out", name)
        if read.step is None and name in OF_CALLS:
            raise at.error(f"{name}: {OF_CALLS[name]}; name its step", name)
    if read.name == NO_TOPIC_FAILED:
        raise at.error(f"name = {read.name!r}: every suite has a check of that name", "name")
    if read.name is not None and read.name in known:
        raise at.error(
            f"name = {read.name!r}: a check on line {known[read.name].line} has it already", "name"
        )
    # A judge is found by the check's name, and the name may be made from the expectations: those
    # come first.
    others = tuple(_expectation(at, read, name) for name in given if name != "judge")
    judge = (Judged(check=read.name or "", criterion=read.judge),) if read.judge is not None else ()
    name = read.name or _made_name(read.step, (*others, *judge), known)
    return Check(
        name=name,
        line=at.line(),
        step=read.step,
        pass_rate=read.pass_rate,
        expectations=(*others, *(Judged(check=name, criterion=each.criterion) for each in judge)),
    )


def _expectation(at: _At, table: CheckTable, name: str) -> Expectation:
    value = getattr(table, name)
    given = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    try:
        return build(name, value, beside=at.path.parent, of_calls=table.step is not None)
    except ValueError as error:
        raise at.error(f"{name} = {shown(given)}: {error}", name) from error


def _made_name(
    step: str | None, expectations: Sequence[Expectation], known: Mapping[str, Check]
) -> str:
    words = " ".join(
        f"{step or 'output'}: {', '.join(each.wanted for each in expectations)}".split()
    )
    name = short = words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME - 1]}…"
    number = 1
    while name in known:
        number += 1
        name = f"{short} ({number})"
    return name


def _refuse_alike(path: Path, checks: Iterable[Check]) -> None:
    """Judges are told apart by names without spaces and slashes."""
    seen: dict[str, Check] = {}
    for check in checks:
        if not any(isinstance(each, Judged) for each in check.expectations):
            continue
        other = seen.setdefault(judge_name(check.name), check)
        if other is not check:
            raise SuiteError(
                f"{path}:{check.line}: name = {shown(check.name)}: too much like that of the check"
                f" on line {other.line}; names of checks with a judge must differ in more than"
                " spaces, '/' and '#'"
            )
