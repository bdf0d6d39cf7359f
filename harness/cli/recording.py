"""The parts that `harness record` and `harness check --on-miss record` share: say what it will
take, ask, run, write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cache.cassette import Recording
from harness.cache.cassette_file import prepare_place
from harness.cache.memory import MemoryCache
from harness.cli.consent import confirmed
from harness.cli.output import say_fields
from harness.cli.run import reported
from harness.engine.runner import Workflow
from harness.machine.wall_clock import SystemClock
from harness.regress.recorded.expecting import Expected
from harness.regress.recorded.merging import Merged
from harness.regress.recorded.recording import recorded_from
from harness.regress.recorded.replaying import recorded_calls
from harness.render.document import Field
from harness.runs.estimating import estimate_batch
from harness.runs.session import Report
from harness.settings import Loaded
from harness.text.amounts import money
from harness.workflows.loading import LoadedWorkflow

_QUESTION = "Begin?"


def agreed_to(missing: Expected, loaded: Loaded, workflow: LoadedWorkflow) -> bool:
    """Say what is not recorded yet, and ask where `harness run` would ask."""
    say_fields(expected_field(missing), err=True)
    return missing.is_nothing or confirmed(loaded, workflow, lambda: _QUESTION)


def agreed_to_all(
    loaded: Loaded,
    workflow: LoadedWorkflow,
    source: str,
    *,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> bool:
    """Do the same where nothing is recorded: a sample is rehearsed, as `harness estimate` does
    it.
    """
    found = estimate_batch(loaded, source, SystemClock(), wrap=wrap)
    steps = ", ".join(f"{step.step} {step.calls:,.0f}" for step in found.steps)
    likely = ", at a price that is not known"
    if found.cost is not None:
        likely = f", likely some {money(found.cost)}"
    calls = f"about {found.calls:,.0f} calls of {found.topics:,} topics ({steps})"
    say_fields(Field("missing", f"all: {calls}{likely}"), err=True)
    return confirmed(loaded, workflow, lambda: _QUESTION)


def record_into(
    cassette: Path,
    loaded: Loaded,
    source: str,
    known: Sequence[Recording],
    *,
    workflow: LoadedWorkflow,
    prune: bool,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> Report:
    """Run the topics with what is `known` ruling over the cache, and write what came of it into the
    cassette.

    A run that was stopped leaves the cassette as it was: its answers are in the cache, and the same
    command goes on. Raises CacheError, with nothing sent, where no cassette can be written.
    """
    prepare_place(cassette)
    recording = MemoryCache.holding(recorded_calls(known, loaded.settings.pricing()))
    report = reported(loaded, source, workflow=workflow, recording=recording, wrap=wrap)
    if report.stop is not None:
        kept = f"{cassette}: not written; the same command goes on from the cache"
        say_fields(Field("cassette", kept), err=True)
        return report
    today = SystemClock().now().date()
    merged = recorded_from(report.path, cassette, known, day=today, prune=prune)
    said = f"{cassette}: {merged_words(merged, prune=prune)}"
    say_fields(Field("cassette", said), err=True)
    return report


def expected_field(missing: Expected) -> Field:
    """`missing   12 calls, some $0.0123; …`, in one or two lines."""
    if missing.is_nothing:
        return Field("missing", "nothing: all calls are recorded")
    lines = []
    if missing.calls:
        lines.append(f"{missing.calls:,} calls{_about(missing.cost)}")
        if missing.calls_at_most > missing.calls:
            lines[0] += (
                f"; up to {missing.calls_at_most:,} calls{_about(missing.cost_at_most)}, "
                "if their answers change what is asked after them"
            )
    if missing.unknown:
        likely = _about(missing.unknown_cost)
        likely = f"{likely} if they are like the others" if likely else ""
        lines.append(
            f"{missing.unknown:,} of {missing.topics:,} topics ask what was never asked{likely}"
        )
    return Field("missing", lines[0], tuple(lines[1:]))


def _about(cost: float | None) -> str:
    return ", at a price that is not known" if cost is None else f", some {money(cost)}"


def merged_words(merged: Merged, *, prune: bool) -> str:
    """Say what became of a cassette, in one line."""
    text = (
        f"{len(merged.recordings):,} answers; {merged.added:,} added, {merged.replaced:,} replaced,"
        f" {merged.unchanged:,} unchanged"
    )
    if merged.stale:
        removed = "removed" if prune else "(--prune removes them)"
        text += f", {len(merged.stale):,} stale {removed}"
    return text
