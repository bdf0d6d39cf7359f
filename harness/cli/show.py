"""`harness show`: the topics of a run, or one topic with its report and its calls."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from harness.cli.output import say, say_fields, say_json
from harness.cli.summary import answer_fields, place_words, run_outage_fields
from harness.cli.usage_words import is_untold, reasoning_words, tokens_words
from harness.domain.causes import cause_of
from harness.domain.completion import Usage
from harness.domain.remedies import remedy_of
from harness.domain.run import Failure
from harness.errors import ResultsError
from harness.records.run import Run
from harness.records.stored import StoredResult, StoredSpan, result_row, span_row
from harness.render.document import Block, paragraph
from harness.render.plain import aligned_row
from harness.render.terminal import show as draw
from harness.text.amounts import counted, money
from harness.text.safe import one_line, terminal_safe

LONGEST_MESSAGE = 4_000
# The least widths of the columns: a run is listed while it is read, so the widest cell is not
# known.
_TOPIC_WIDTHS = (8, 24, 9, 9, 10, 0)
_CALL_WIDTHS = (28, 8, 6, 22, 9, 0)
_NUMBERS = (2, 3, 4)
"""The columns of both that stand at the right."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("topic_id", required=False)
@click.option(
    "--calls", is_flag=True, help="With TOPIC_ID: each call with its prompt, reasoning and answer."
)
@click.option(
    "--status", type=click.Choice(["ok", "degraded", "failed"]), help="Only topics that ended so."
)
@click.option("--json", "json_output", is_flag=True, help="Print JSON lines for machines.")
def show(
    run: Path, topic_id: str | None, calls: bool, status: str | None, json_output: bool
) -> None:
    """The topics of the run in the directory RUN, or the report of TOPIC_ID with the calls behind
    it.
    """
    opened = Run.open(run)
    if topic_id is None:
        _list_topics(opened, status, json_output)
        return
    row = opened.result(topic_id)
    if row is None or status not in (None, row.status):
        raise ResultsError(
            f"{run}: no finished topic {topic_id!r}; `harness show {run}` lists them"
        )
    spans = list(opened.spans(topic_id))
    if json_output:
        say_json({**result_row(row), "spans": [span_row(span) for span in spans]}, indent=None)
        return
    say("\n".join(_head_lines(row)), hanging=2)
    say_fields(*answer_fields(Counter(row.answers)))
    click.echo()
    draw([*_output(row), paragraph("calls:")], sys.stdout)
    if calls:
        click.echo(terminal_safe("\n\n".join(map(_call_text, spans))))
    else:
        others = {one.by.model for one in row.answers if one.other}
        say("\n".join(_call_line(span, others) for span in spans), hanging=4)


def _list_topics(run: Run, status: str | None, json_output: bool) -> None:
    for row in run.results():
        if status not in (None, row.status):
            continue
        if json_output:
            say_json(result_row(row), indent=None)
        else:
            say(_row_line(row))
    if not json_output:
        answered = answer_fields(run.standing.totals.answers)
        say_fields(*answered, *run_outage_fields(run.manifest))


def _row_line(row: StoredResult) -> str:
    if row.error:
        said = _failure_words(row.error)
    else:
        said = one_line(_first_words(row.output), 90)
    cells = (
        row.status,
        one_line(row.topic_id, 24),
        f"{row.calls} calls",
        money(row.cost),
        f"{row.elapsed_s:.1f} s",
        said,
    )
    return aligned_row(cells, _TOPIC_WIDTHS, right=_NUMBERS)


def _failure_words(error: Failure) -> str:
    """Return a failure in one line, whole: `IndexError at flow.py:12: list index out of range`."""
    cause = cause_of(type=error.type, kind=error.kind, status=error.status)
    where = f" at {error.where}" if error.where else ""
    return f"{cause}{where}: {one_line(error.message, LONGEST_MESSAGE)}"


def _head_lines(row: StoredResult) -> list[str]:
    error = row.error
    lines = [
        f"{row.topic_id}: {row.status}",
        f"topic: {row.topic}",
        (
            f"{row.calls} calls, {row.hits} from the cache,"
            f" {tokens_words(row.usage)}, {_cost(row.cost)}, {row.elapsed_s:.1f} s"
            f" ({row.sequential_s:.1f} s one after another)"
        ),
    ]
    if error is not None:
        lines.append(f"{error.type}: {error.message}")
        if error.where:
            lines.append(f"  {place_words(error.where, error.code)}")
        lines.append(f"  → {remedy_of(type=error.type, kind=error.kind)}")
    return lines


def _output(row: StoredResult) -> list[Block]:
    """The output of a topic, whole; nothing where it has none."""
    output = row.output
    if output is None:
        return []
    if not isinstance(output, str):
        output = json.dumps(output, ensure_ascii=False, indent=2)
    return [paragraph(output)]


def _call_line(span: StoredSpan, others: Collection[str] = ()) -> str:
    """`others` are the models that answered the topic's calls and were not asked for."""
    served = span.served
    if span.error is not None:
        outcome = _failure_words(span.error)
    elif span.rejected:
        outcome = f"rejected: {one_line(span.rejected, 70)}"
    else:
        outcome = _tokens_out(span.usage)
    outcome += _other_words(span, others)
    cells = (
        f"  {one_line(span.id)}",
        served.source,
        f"{served.attempts} sent",
        f"{span.start_s:.2f} s + {span.end_s - span.start_s:>7.2f} s",
        money(span.cost),
        outcome,
    )
    return aligned_row(cells, _CALL_WIDTHS, right=_NUMBERS)


def _call_text(span: StoredSpan) -> str:
    parts = [_call_line(span), f"  key {span.key}"]
    parts += [f"--- {message.role}\n{message.content}" for message in span.request.messages]
    parts += [
        f"--- attempt {failure.number} failed: {failure.kind}: {failure.message}"
        for failure in span.served.failures
    ]
    if span.reasoning:
        parts.append(f"--- reasoning\n{span.reasoning}")
    parts.append(f"--- answer ({_about_answer(span)})\n{span.content}")
    if told := _likelihoods_words(span):
        parts.append(f"--- {told}")
    if span.rejected:
        parts.append(f"--- rejected\n{span.rejected}")
    return "\n".join(parts)


def _likelihoods_words(span: StoredSpan) -> str:
    """`likelihoods of 40 tokens, 30 of them reasoning (--json shows them)`; empty where there are
    none.
    """
    answer, reasoning = len(span.logprobs), len(span.reasoning_logprobs)
    if not answer + reasoning:
        return ""
    of_them = f", {reasoning:,} of them reasoning" if reasoning else ""
    return f"likelihoods of {counted(answer + reasoning, 'token')}{of_them} (--json shows them)"


def _about_answer(span: StoredSpan) -> str:
    """`stop, gpt-4o-2024-08-06, fingerprint fp_1`: why it ended, and who gave it."""
    parts = [span.finish_reason or "not finished"]
    if span.model:
        parts.append(one_line(span.model, 120))
    if span.fingerprint:
        parts.append(f"fingerprint {one_line(span.fingerprint, 120)}")
    return ", ".join(parts)


def _other_words(span: StoredSpan, others: Collection[str]) -> str:
    return (
        f", answered by {one_line(span.model, 120)}" if span.model and span.model in others else ""
    )


def _first_words(output: Any) -> str:
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return next((line.lstrip("# ") for line in text.splitlines() if line.strip()), "")


def _tokens_out(usage: Usage) -> str:
    if is_untold(usage):
        return "tokens not told"
    return f"{usage.output_tokens:,} tokens out, {reasoning_words(usage)}"


def _cost(cost: float | None) -> str:
    """In a sentence."""
    return money(cost, unknown="cost not known")
