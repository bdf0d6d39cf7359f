"""Reading a run's directory as material for a simulation."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from harness.cache.latencies import latencies_in
from harness.errors import ResultsError
from harness.records.manifest import Manifest
from harness.records.results_dir import TRACES_FILE, is_running
from harness.records.run import Run
from harness.simulation.recorded import RecordedTopic, topic_of
from harness.simulation.recording import (
    Recording,
    notes_on_material,
    refusal_s_of,
    refuse_untimed,
    sampled,
)
from harness.simulation.refusals import Flights, explained, shown_limit


def read_run(path: Path, *, seed: int) -> Recording:
    """The recorded run in a directory.

    Raises ResultsError for a directory that is no run, and for a run that cannot tell how long its
    calls take.
    """
    run = Run.open(path)
    manifest = run.manifest
    settings = manifest.settings
    elapsed = {row.index: float(row.elapsed_s) for row in run.results() if row.calls}
    if not elapsed:
        raise ResultsError(
            f"{path}: no topic with a call is finished, so there is nothing to simulate from; "
            "give a run in which some topics ended"
        )
    flights, untold = Flights(), set(elapsed)
    found = _topics(run, elapsed, untold, flights)
    topics = sampled(found, random.Random(seed))  # noqa: S311 - a sample, no secret
    if not topics:
        raise ResultsError(
            f"{path / TRACES_FILE}: holds no calls of the finished topics; the timings are in that"
            " file"
        )
    topics, from_cache = _with_cached_times(manifest, topics)
    on_the_mock = settings.get("endpoint") == "mock"
    refuse_untimed(
        path,
        settings.get("cache"),
        topics,
        timeless=on_the_mock and settings.get("latency") == "none",
    )
    why = explained(
        [refusal for topic in topics for refusal in topic.refusals()],
        in_flight=settings.get("in_flight"),
        shown=shown_limit(manifest.limits_learned, flights),
    )
    return Recording(
        path=path,
        run_id=manifest.run_id,
        settings=settings,
        endpoint=str(manifest.identity.get("endpoint")),
        topics=tuple(topics),
        finished=len(elapsed),
        topics_in_all=manifest.dataset.topics,
        refusal_s=refusal_s_of(topics),
        provider_limit=why.limit,
        notes=(
            *_notes(path, manifest, len(elapsed), len(untold), from_cache),
            *why.notes(),
            *notes_on_material(len(topics), len(elapsed) - len(untold), mock=on_the_mock),
        ),
    )


def _topics(
    run: Run, elapsed: Mapping[int, float], untold: set[int], flights: Flights
) -> Iterator[RecordedTopic]:
    """The calls of a topic stand together, so one topic is in memory at a time. Those that are
    found are taken from `untold`, and `flights` is told of the answers of the last session.
    """
    last_session = run.manifest.sessions
    for (index, session), group in groupby(
        run.spans(), key=lambda span: (span.index, span.session)
    ):
        if index in elapsed:
            spans = list(group)
            untold.discard(index)
            for span in spans:
                if session == last_session:
                    flights.add(span)
            yield topic_of(spans, elapsed_s=elapsed[index])


def _with_cached_times(
    manifest: Manifest, topics: Sequence[RecordedTopic]
) -> tuple[list[RecordedTopic], int]:
    """Answers from the cache took no time in this run; the cache knows how long they took when they
    were paid for.
    """
    unknown = {
        call.key
        for topic in topics
        for call in topic.calls
        if call.error is None and call.duration_s is None
    }
    cache = Path(str(manifest.settings.get("cache") or ""))
    if not unknown or not cache.is_file():
        return list(topics), 0
    found = latencies_in(cache, unknown)
    timed = []
    for topic in topics:
        calls = []
        for call in topic.calls:
            if call.error is None and call.duration_s is None:
                call = replace(call, duration_s=found.get(call.key))  # noqa: PLW2901 - the same call, and its time
            calls.append(call)
        timed.append(replace(topic, calls=tuple(calls)))
    return timed, len(found)


def _notes(
    path: Path, manifest: Manifest, finished: int, untold: int, from_cache: int
) -> Iterator[str]:
    in_file = manifest.dataset.topics
    if is_running(path):
        yield (
            f"the run is still under way: {finished:,} of its {in_file:,} topics are finished and"
            " used"
        )
    elif finished < in_file:
        yield (
            f"the run is not complete: {finished:,} of its {in_file:,} topics ended with calls and"
            " are used; the first to end may be the short ones"
        )
    if untold:
        yield (
            f"{untold:,} of {finished:,} finished topics are left out: {TRACES_FILE} has no calls"
            " of theirs any more"
        )
    if from_cache:
        yield (
            f"{from_cache:,} answers came from the cache: their times are those of when they were"
            " paid for"
        )
