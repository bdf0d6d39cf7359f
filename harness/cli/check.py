"""`harness check`: a suite against its recording, offline; what changed, what broke, and what it
would take.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from harness.cache.cassette import Recording
from harness.cli.consent import exit_unsent
from harness.cli.help import GENERAL, SectionedCommand, SectionedOption
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_fields, say_json
from harness.cli.recording import agreed_to, agreed_to_all, record_into
from harness.engine.runner import Workflow
from harness.errors import HarnessError, InputError, SettingsError, SuiteError, WorkflowError
from harness.regress.checks.golden import golden_diff, read_golden, write_golden
from harness.regress.checks.judging import judged
from harness.regress.recorded.expecting import expected
from harness.regress.recorded.recording import known_recordings
from harness.regress.recorded.replaying import Replay, replay_file
from harness.regress.reports.in_github import in_github, problem_in_github
from harness.regress.reports.in_json import in_json
from harness.regress.reports.in_junit import in_junit
from harness.regress.reports.in_markdown import in_markdown, problem_in_markdown
from harness.regress.reports.in_text import document_of
from harness.regress.suites.accepting import accept
from harness.regress.suites.report import SuiteReport
from harness.regress.suites.suite import Suite
from harness.regress.suites.suite_file import load_suite
from harness.regress.suites.verdicts import judge_all
from harness.render.document import Field
from harness.render.terminal import show
from harness.settings import Loaded, step_summary_file
from harness.text.safe import terminal_safe
from harness.workflows.in_use import workflow_of

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("text", "json", "markdown", "github")
ON_MISS = ("fail", "skip", "record")

SHOWN_LINES = 200
"""Of what is accepted."""

RECORDING = (
    *("prompts", "model", "cache", "in_flight", "runs", "rpm", "tpm", "attempts"),
    *("budget", "budget_tokens", "latency", "out", "yes", "quiet", "verbose"),
)
"""Settings that may be given: two that change what is asked, and those of a recording."""


def _option(*names: str, **given: Any) -> Callable[[F], F]:
    return click.option(*names, cls=SectionedOption, section=GENERAL, **given)


@click.command(cls=SectionedCommand)
@click.argument("suite_file", metavar="SUITE", type=click.Path(path_type=Path))
@_option(
    "--accept",
    "accepting",
    is_flag=True,
    help="Take today's outputs as golden, and show what changes.",
)
@_option(
    "--on-miss",
    type=click.Choice(ON_MISS),
    default="fail",
    show_default=True,
    help=(
        "What to do about a request that is not recorded: skip leaves its topic out, record pays"
        " for it."
    ),
)
@_option(
    "--prune",
    is_flag=True,
    help="With --on-miss record: remove what nothing asks for from the cassette.",
)
@_option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Of the report.",
)
@_option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write JUnit XML, too.",
)
@settings_options(*RECORDING, config=False)
def check(
    suite_file: Path,
    accepting: bool,
    on_miss: str,
    prune: bool,
    form: str,
    junit: Path | None,
    **values: Any,
) -> None:
    """Replay the recording of SUITE and check what comes out: without key, without network.

    A request that is not recorded is explained: which words of which prompt changed, or which
    setting.

    Exit codes: 0 all passed, 1 a check failed or a request is not recorded, 2 bad input, or a check
    that found nothing to look at, 130 interrupted.
    """
    if prune and on_miss != "record":
        raise InputError(
            "--prune removes lines from the cassette, which only --on-miss record writes; give both"
        )
    try:
        report = _checked(suite_file, values, accepting=accepting, on_miss=on_miss, prune=prune)
        _say(report, form, junit)
    except HarnessError as error:
        if form == "github":
            click.echo(problem_in_github(str(error), root=Path.cwd()), nl=False)
            _add_summary(problem_in_markdown(str(error), suite_file))
        raise
    sys.exit(report.exit_code)


def _checked(
    suite_file: Path, values: Mapping[str, Any], *, accepting: bool, on_miss: str, prune: bool
) -> SuiteReport:
    """Replay and check. What is wrong with the files is told before anything is paid for."""
    suite = load_suite(suite_file)
    if accepting and not suite.compares:
        raise SuiteError(
            f"{suite.path}:1: there is nothing to accept: no check has equals_golden = true"
        )
    golden = read_golden(suite.golden)
    loaded = _settings(suite, values)
    known = _cassette(suite, on_miss)
    found = anyio.run(_replayed, suite, loaded, known)
    if on_miss == "record" and (found.misses or (prune and found.stale)):
        found = _recorded(suite, loaded, known, found, prune=prune)
    left_out = _left_out(found) if on_miss == "skip" else {}
    if left_out:
        found = replace(
            found,
            cases=tuple(
                case for case in found.cases if (case.topic_id, case.sample) not in left_out
            ),
        )
    if accepting:
        accepted = accept(suite, found.cases, golden, misses=found.misses, left_out=left_out)
        write_golden(suite.golden, accepted)
        _show_accepted(golden_diff(golden, accepted, suite.golden.name), suite)
        golden = accepted
    return judge_all(
        suite,
        found.cases,
        golden,
        misses=found.misses,
        not_checked=left_out,
        stale=len(found.stale),
        answers=found.answers,
        misses_fail=on_miss != "skip",
    )


def _settings(suite: Suite, values: Mapping[str, Any]) -> Loaded:
    """The suite decides alone what is asked: neither variables nor harness.toml are looked at, but
    for a key.
    """
    loaded = loaded_from(values, base={**suite.settings, "samples": suite.samples})
    judge = suite.judge.options.endpoint
    if judge is None:
        return loaded
    try:
        loaded.settings.service_at(judge)
    except SettingsError as error:
        raise SuiteError(f"{suite.place('judge')}: endpoint: {error}") from None
    return replace(loaded, also=(judge,))


def _cassette(suite: Suite, on_miss: str) -> tuple[Recording, ...]:
    known = known_recordings(suite.cassette)
    if not known and on_miss != "record":
        what = "holds no answers" if suite.cassette.exists() else "is not there"
        raise SuiteError(
            f"{suite.place('cassette')}: the cassette {suite.cassette} {what}; "
            f"record it with `harness check {suite.path} --on-miss record`"
        )
    return known


async def _replayed(suite: Suite, loaded: Loaded, known: tuple[Recording, ...]) -> Replay:
    settings_from = suite.place("workflow_settings")
    try:
        return await replay_file(
            loaded,
            str(suite.dataset),
            known,
            wrap=_judged(suite),
            settings_from=settings_from,
            steps={step: f"{suite.path}:{line}" for step, line in suite.step_lines.items()},
        )
    except WorkflowError as error:
        raise SuiteError(f"{suite.place('workflow')}: {error}") from error


def _judged(suite: Suite) -> Callable[[Workflow], Workflow]:
    """Return what makes of a workflow one whose judges are asked, too."""
    return partial(judged, criteria=suite.criteria, judge=suite.judge)


def _recorded(
    suite: Suite, loaded: Loaded, known: tuple[Recording, ...], found: Replay, *, prune: bool
) -> Replay:
    """Ask for what is missing, and replay once more. Exits where nothing may be sent, or the run
    was stopped.
    """
    source, wrap = str(suite.dataset), _judged(suite)
    workflow = workflow_of(loaded)
    if known:
        begin = agreed_to(expected(found), loaded, workflow)
    else:
        begin = agreed_to_all(loaded, workflow, source, wrap=wrap)
    if not begin:
        exit_unsent()
    report = record_into(
        suite.cassette, loaded, source, known, workflow=workflow, prune=prune, wrap=wrap
    )
    if report.stop is not None:
        sys.exit(report.exit_code)
    return anyio.run(_replayed, suite, loaded, known_recordings(suite.cassette))


def _left_out(found: Replay) -> dict[tuple[str, int], str]:
    """The draws with a request that is not recorded, each with the first of them."""
    return {
        (miss.topic_id, miss.sample): f"its call {miss.span_id} is not recorded"
        for miss in reversed(found.misses)
    }


def _show_accepted(difference: str, suite: Suite) -> None:
    if difference:
        lines = difference.splitlines()
        click.echo(terminal_safe("\n".join(lines[:SHOWN_LINES])), err=True)
        if len(lines) > SHOWN_LINES:
            click.echo(
                f"… and {len(lines) - SHOWN_LINES:,} lines more; a diff of the file has them all",
                err=True,
            )
        said = f"{suite.golden}: review it, and commit it"
    else:
        said = f"{suite.golden}: nothing changed"
    say_fields(Field("accepted", said), err=True)


def _say(report: SuiteReport, form: str, junit: Path | None) -> None:
    if junit is not None:
        try:
            junit.write_text(in_junit(report), encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"--junit {junit}: cannot be written: {error.strerror or error}"
            ) from error
    match form:
        case "json":
            say_json(in_json(report))
        case "markdown":
            click.echo(in_markdown(report), nl=False)
        case "github":
            show(document_of(report), sys.stdout)
            click.echo(in_github(report, root=Path.cwd()), nl=False)
            _add_summary(in_markdown(report))
        case _:
            show(document_of(report), sys.stdout)


def _add_summary(text: str) -> None:
    """Append to the summary of the step, where GitHub Actions names a file for it."""
    path = step_summary_file()
    if path is not None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise InputError(
                f"$GITHUB_STEP_SUMMARY {path}: cannot be written: {error.strerror or error}"
            ) from error
