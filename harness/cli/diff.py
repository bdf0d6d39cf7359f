"""`harness diff`: two runs side by side, or one topic of both, word by word."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.output import say_json
from harness.errors import InputError, ResultsError
from harness.records.run_index import RunIndex
from harness.regress.comparing.comparison_json import comparison_to_json, detail_to_json
from harness.regress.comparing.comparison_text import summary_of
from harness.regress.comparing.run_comparison import (
    case_of,
    compare_runs,
    head_of,
    refuse_nothing_to_compare,
)
from harness.regress.comparing.topic_detail import detail_of
from harness.regress.comparing.topic_difference import NO_CHECKS, Checks
from harness.regress.comparing.topic_text import topic_report
from harness.render.document import Document
from harness.render.markdown import markdown
from harness.render.terminal import show

FORMATS = ("text", "markdown", "json")
DIFFERENT = 1


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.argument("topic_id", metavar="[TOPIC]", required=False)
@click.option(
    "--suite",
    "suite_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge both runs by the checks of this suite, too: what got better, what got worse.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Changed topics to list. JSON has all.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Of the report.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def diff(
    run_a: Path,
    run_b: Path,
    topic_id: str | None,
    suite_file: Path | None,
    limit: int,
    form: str,
    as_json: bool,
) -> None:
    """Show what changed from the run in the directory RUN_A to that in RUN_B: outputs, reasoning,
    tokens, cost, time.

    \b
    harness diff results/A results/B                 a summary, then the changed topics, the worst first
    harness diff results/A results/B TOPIC           one topic: every call, word by word
    harness diff results/A results/B --suite FILE    better or worse, by the checks of a suite

    Two prompts or two models are compared by a run of each over the same topics. Topics are matched
    by their ids, calls and sub-questions by what they ask.

    Exit codes: 0 everything came out the same, 1 something differs, 2 bad input, or nothing to
    compare. What a run took (tokens, cost, time) and what was asked does not count as a difference;
    what came out does, and the reasoning.
    """
    checks = _checks(suite_file)
    a, b = RunIndex.open(run_a), RunIndex.open(run_b)
    form = "json" if as_json else form
    if topic_id is None:
        found = compare_runs(a, b, checks)
        if form == "json":
            say_json(comparison_to_json(found))
        else:
            _show(summary_of(found, shown=limit), form)
        sys.exit(0 if found.same else DIFFERENT)
    refuse_nothing_to_compare(a, b)
    _refuse_unknown(topic_id, a, b)
    detail = detail_of(case_of(a, topic_id), case_of(b, topic_id), checks)
    if form == "json":
        say_json(detail_to_json(detail, head_of(a), head_of(b)))
    else:
        _show(topic_report(detail, head_of(a), head_of(b)), form)
    sys.exit(0 if detail.difference.same else DIFFERENT)


def _checks(suite_file: Path | None) -> Checks:
    if suite_file is None:
        return NO_CHECKS
    # Suites take half of the start-up.
    from harness.regress.checks.golden import read_golden  # noqa: PLC0415
    from harness.regress.comparing.run_checks import checks_of  # noqa: PLC0415 - as above
    from harness.regress.suites.suite_file import load_suite  # noqa: PLC0415 - as above

    suite = load_suite(suite_file)
    if not suite.checks:
        raise InputError(f"{suite_file}: the suite has no checks to judge the runs by")
    return checks_of(suite, read_golden(suite.golden))


def _refuse_unknown(topic_id: str, a: RunIndex, b: RunIndex) -> None:
    missing = [run for run in (a, b) if topic_id not in run]
    if missing:
        where = " and ".join(str(run.path) for run in missing)
        raise ResultsError(
            f"{where}: no finished topic {topic_id!r}; `harness show {missing[0].path}` lists them"
        )


def _show(document: Document, form: str) -> None:
    if form == "markdown":
        click.echo(markdown(document), nl=False)
    else:
        show(document, sys.stdout)
