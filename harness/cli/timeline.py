"""`harness timeline`: a run as a trace that Perfetto and chrome://tracing open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from harness.cli.place import check_place
from harness.errors import ResultsError, SettingsError
from harness.records.chrome_trace import BEGINNING, Event, Timeline, trace_file
from harness.records.jsonl_file import storage_errors, write_whole
from harness.records.outages import run_outages
from harness.records.results_dir import TRACES_FILE
from harness.records.run import Run
from harness.text.safe import terminal_safe

TIMELINE_FILE = "timeline.json"


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--topic", "topic_id", metavar="ID", help="Only this topic.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help=f"Where to write it, - for standard output.  [default: {TIMELINE_FILE} in RUN]",
)
def timeline(run: Path, topic_id: str | None, out: Path | None) -> None:
    """The run in the directory RUN as a timeline: each call with its waits, attempts and tokens.

    Open the file at https://ui.perfetto.dev or in chrome://tracing. It holds no prompts and no
    answers. A topic is in it once it is finished.
    """
    if out is not None and not out.parent.is_dir():
        raise SettingsError(f"--out {out}: there is no directory {out.parent}")
    opened = Run.open(run)
    line = Timeline(opened.manifest.run_id)
    parts = trace_of(opened, line, topic_id)
    if out == Path("-"):
        sys.stdout.buffer.writelines(parts)
        return
    target = out or run / TIMELINE_FILE
    check_place(target, begins=BEGINNING, what="timeline")
    with storage_errors(target):
        write_whole(target, parts)
    click.echo(
        terminal_safe(f"{target}: open it at https://ui.perfetto.dev or in chrome://tracing")
    )
    in_file = opened.manifest.dataset.topics
    if topic_id is None and line.topics < in_file:
        click.echo(
            f"it has {line.topics:,} of {in_file:,} topics: those that are finished and made calls",
            err=True,
        )


def trace_of(run: Run, line: Timeline, topic_id: str | None) -> Iterator[bytes]:
    """Return the run, or one of its topics, as the parts of a file.

    Raises ResultsError where there is nothing to write.
    """
    events = _events(run, line, topic_id)
    # The first event tells whether there is anything to write.
    return trace_file(chain([next(events)], events))


def _events(run: Run, line: Timeline, topic_id: str | None) -> Iterator[Event]:
    """Topic by topic, in the order of the file, then the outages and the counters.

    Raises ResultsError where there are no calls.
    """
    zero_s = min((row.started_at.timestamp() for row in run.results()), default=0.0)
    origins = dict[int, float]()
    for topic in run.topics():
        row, calls = topic.result, topic.calls
        if not calls or topic_id not in (None, row.topic_id):
            continue
        # Calls count from the beginning of their session, which is known from any topic of it.
        origin_s = row.started_at.timestamp() - min(call.start_s for call in calls)
        offset_s = max(0.0, origins.setdefault(row.session, origin_s) - zero_s)
        yield from line.topic(calls, offset_s=offset_s, elapsed_s=row.elapsed_s)
    if not origins:
        where = run.path
        if topic_id is not None:
            raise ResultsError(
                f"{where}: no finished topic {topic_id!r} with calls; `harness show {where}` lists"
                " them"
            )
        raise ResultsError(
            f"{where}: no finished topic has calls in {TRACES_FILE}, so there is nothing to show"
        )
    yield from line.outages(run_outages(run.manifest), zero_s=zero_s)
    yield from line.counters()
