"""The material of a simulation, wherever it was read, and what would make a number that only looks
right.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import ResultsError
from harness.simulation.fit import StepFit, fit_steps
from harness.simulation.recorded import RecordedTopic

T = TypeVar("T")

SAMPLE = 1000
"""The most recorded topics that are kept. They are drawn evenly, so that a longer run takes no more
memory.
"""

ENOUGH_TOPICS = 10
"""With fewer recorded topics an interval would be narrow for the wrong reason, so none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The material: `topics` are those kept of the run's `finished` ones. `notes` say what a reader
    must know.

    `settings` are those that the run had; `endpoint` is the identity of who answered.
    `topics_in_all` is how many topics the run had, as far as that is known. `refusal_s` is how long
    a refusal (429) took, in seconds, and `provider_limit` how many requests at once the provider is
    known to carry.
    """

    path: Path
    run_id: str
    settings: Mapping[str, Any]
    endpoint: str
    topics: tuple[RecordedTopic, ...]
    finished: int
    topics_in_all: int
    refusal_s: float
    provider_limit: int | None
    notes: tuple[str, ...]

    @property
    def allows_interval(self) -> bool:
        """Return whether there is enough of it to say how much a night may vary."""
        return len(self.topics) >= ENOUGH_TOPICS

    def models(self) -> tuple[str, ...]:
        """Say what was asked, by name."""
        return tuple(sorted({call.request.model for topic in self.topics for call in topic.calls}))

    def fits(self) -> Mapping[str, StepFit]:
        """The fit of each step to all of the material."""
        return fits_of(self.topics)


def fits_of(topics: Iterable[RecordedTopic]) -> Mapping[str, StepFit]:
    """The fit of each step to these topics' calls."""
    return fit_steps(sample for topic in topics for sample in topic.samples())


def sampled(items: Iterable[T], rng: random.Random) -> list[T]:
    """An even sample without knowing how many there are (J. S. Vitter's algorithm R, 1985)."""
    kept: list[T] = []
    for seen, item in enumerate(items):
        if seen < SAMPLE:
            kept.append(item)
        elif (place := rng.randrange(seen + 1)) < SAMPLE:
            kept[place] = item
    return kept


def refusal_s_of(topics: Iterable[RecordedTopic]) -> float:
    """Return how long a refusal took: the median of the recorded ones, or no time."""
    refusals = sorted(refusal.elapsed_s for topic in topics for refusal in topic.refusals())
    return refusals[len(refusals) // 2] if refusals else 0.0


def refuse_untimed(
    path: Path, cache: object, topics: Sequence[RecordedTopic], *, timeless: bool
) -> None:
    """Raise ResultsError where it is not known how long the calls of a step take. `timeless`: they
    are known to take no time; `cache` is where the times of answers from a cache were looked for.
    """
    fits = fits_of(topics)
    untimed = Counter(
        call.step
        for topic in topics
        for call in topic.calls
        if call.error is None and call.step not in fits
    )
    if untimed:
        steps = ", ".join(f"{step} ({calls:,} calls)" for step, calls in untimed.items())
        raise ResultsError(
            f"{path}: all answers to {steps} came from the cache, and {cache} does not tell how"
            " long they took; give the run that asked for them, or put its cache file back"
        )
    if not fits:
        raise ResultsError(
            f"{path}: none of its calls was answered, so nothing tells how long an answer takes"
        )
    if timeless or not any(fit.mean_s > 0 for fit in fits.values()):
        raise ResultsError(
            f"{path}: its calls took no time, or next to none (the mock without --latency), so it"
            " cannot tell how long a night takes; give a run against a real endpoint, or one on"
            " the mock with a --latency of seconds"
        )


def notes_on_material(kept: int, finished: int, *, mock: bool) -> Iterator[str]:
    """Say what must be said of any material."""
    if kept < finished:
        yield f"{kept:,} of {finished:,} recorded topics are used, drawn at random"
    if mock:
        yield (
            "recorded on the mock: times are its --latency, money is simulated at DeepSeek's prices"
        )
    if kept < ENOUGH_TOPICS:
        yield (
            f"recorded topics: {kept:,}, so no interval is given, and a night may be quite another;"
            f" record {ENOUGH_TOPICS} or more"
        )
