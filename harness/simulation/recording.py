"""Reading a recorded run as material for a simulation, and refusing what would give a number that only looks right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.adapters.recorded_times import RecordedTimes
from harness.adapters.results_dir import TRACES_FILE, is_running, read_manifest, read_results, read_spans
from harness.errors import ResultsError
from harness.simulation.fit import fit_steps
from harness.simulation.recorded import RecordedTopic, topic_of

SAMPLE = 1000
"""How many recorded topics are kept: drawn evenly, so that a simulation takes no more memory for a longer run."""

ENOUGH_TOPICS = 10
"""With fewer recorded topics an interval would be narrow for the wrong reason, so none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The material: `topics` are those kept of the run's `finished` ones. `notes` say what a reader must know.

    `topics_in_file` is the length of the run's topic file, `refusal_s` how long a refusal (429) took, in seconds.
    """

    path: Path
    manifest: Mapping[str, Any]
    topics: tuple[RecordedTopic, ...]
    finished: int
    topics_in_file: int
    refusal_s: float
    notes: tuple[str, ...]


def read_recording(path: Path, *, seed: int) -> Recording:
    """The recorded run in a directory.

    Raises ResultsError for a directory that is no run, and for a run that cannot tell how long its calls take.
    """
    manifest = read_manifest(path)
    elapsed = {row["index"]: float(row["elapsed_s"]) for row in read_results(path) if row["calls"]}
    if not elapsed:
        raise ResultsError(
            f"{path}: no topic with a call is finished, so there is nothing to simulate from; "
            "give a run in which some topics ended"
        )
    topics = _sampled(_topics(path, elapsed), random.Random(seed))  # noqa: S311 - a sample, no secret
    if not topics:
        raise ResultsError(f"{path / TRACES_FILE}: holds no calls of the finished topics; the timings are in that file")
    topics, from_cache = _with_cached_times(path, manifest, topics)
    _refuse_untimed(path, manifest, topics)
    refusals = sorted(took for topic in topics for call in topic.calls for took in call.refusals)
    return Recording(
        path=path,
        manifest=manifest,
        topics=tuple(topics),
        finished=len(elapsed),
        topics_in_file=manifest["dataset"]["topics"],
        refusal_s=refusals[len(refusals) // 2] if refusals else 0.0,
        notes=tuple(_notes(path, manifest, len(elapsed), len(topics), from_cache, len(refusals))),
    )


def _topics(path: Path, elapsed: Mapping[int, float]) -> Iterator[RecordedTopic]:
    """The calls of a topic stand together, so one topic is in memory at a time."""
    for (index, _), rows in groupby(read_spans(path), key=lambda row: (row["index"], row["session"])):
        if index in elapsed:
            try:
                yield topic_of(list(rows), elapsed_s=elapsed[index])
            except ValueError as error:
                raise ResultsError(
                    f"{path / TRACES_FILE}: the calls of the topic with index {index}: {error}"
                ) from None


def _sampled(topics: Iterator[RecordedTopic], rng: random.Random) -> list[RecordedTopic]:
    """An even sample without knowing how many there are (Vitter's algorithm R)."""
    kept: list[RecordedTopic] = []
    for seen, topic in enumerate(topics):
        if seen < SAMPLE:
            kept.append(topic)
        elif (place := rng.randrange(seen + 1)) < SAMPLE:
            kept[place] = topic
    return kept


def _with_cached_times(
    path: Path, manifest: Mapping[str, Any], topics: Sequence[RecordedTopic]
) -> tuple[list[RecordedTopic], int]:
    """Answers from the cache took no time in this run; the cache knows how long they took when they were paid for."""
    unknown = {call.key for topic in topics for call in topic.calls if call.error is None and call.duration_s is None}
    cache = Path(str(manifest["settings"].get("cache") or ""))
    if not unknown or not cache.is_file():
        return list(topics), 0
    with closing(RecordedTimes.open(cache)) as times:
        found = {key: seconds for key in unknown if (seconds := times.latency_s(key)) is not None}
    return [
        replace(
            topic,
            calls=tuple(
                replace(call, duration_s=found[call.key])
                if call.error is None and call.duration_s is None and call.key in found
                else call
                for call in topic.calls
            ),
        )
        for topic in topics
    ], len(found)


def _refuse_untimed(path: Path, manifest: Mapping[str, Any], topics: Sequence[RecordedTopic]) -> None:
    fits = fit_steps(sample for topic in topics for sample in topic.samples())
    untimed = Counter(
        call.step for topic in topics for call in topic.calls if call.error is None and call.step not in fits
    )
    if untimed:
        steps = ", ".join(f"{step} ({calls:,} calls)" for step, calls in untimed.items())
        raise ResultsError(
            f"{path}: all answers to {steps} came from the cache, and {manifest['settings'].get('cache')} does not "
            "tell how long they took; give the run that asked for them, or put its cache file back"
        )
    on_the_mock = manifest["settings"].get("endpoint") == "mock" and manifest["settings"].get("latency") == "none"
    if on_the_mock or not any(fit.mean_s > 0 for fit in fits.values()):
        raise ResultsError(
            f"{path}: its calls took no time (the mock without --latency), so it cannot tell how long a night takes; "
            "give a run against a real endpoint, or one on the mock with --latency"
        )


def _notes(
    path: Path, manifest: Mapping[str, Any], finished: int, kept: int, from_cache: int, refusals: int
) -> Iterator[str]:
    in_file = manifest["dataset"]["topics"]
    if is_running(path):
        yield f"the run is still under way: {finished:,} of its {in_file:,} topics are finished and used"
    elif finished < in_file:
        yield f"the run is not complete: {finished:,} of its {in_file:,} topics ended with calls and are used"
    if kept < finished:
        yield f"{kept:,} of {finished:,} recorded topics are used, drawn at random"
    if from_cache:
        yield f"{from_cache:,} answers came from the cache: their times are those of when they were paid for"
    if refusals:
        yield (
            f"the recorded run met {refusals:,} refusals (429), which are not played again: "
            "name the provider's limit with --provider-limit"
        )
    if manifest["settings"].get("endpoint") == "mock":
        yield "recorded on the mock: times are its --latency, money is simulated at DeepSeek's prices"
    if kept < ENOUGH_TOPICS:
        yield (
            f"only {kept:,} recorded topics: no interval is given, and a night may be quite another; "
            f"record {ENOUGH_TOPICS} or more"
        )
