"""A dataset through a workflow once more, from what was recorded: no key, no network, no file but
the cassette.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from harness.cache.cassette import Recording, call_of_recording
from harness.cache.memory import MemoryCache
from harness.compose import replaying, run_context
from harness.datasets.dataset import Dataset, open_dataset
from harness.domain.pricing import Pricing
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Span, TopicResult, topic_of_drawn
from harness.domain.who_answered import AnswererCounts, answered
from harness.engine.runner import Runner, Workflow
from harness.engine.stopping import Stop
from harness.machine.wall_clock import SystemClock
from harness.records.stored import stored_result, stored_span
from harness.regress.case import Case
from harness.regress.recorded.standing_in import Miss, StandIns
from harness.runs.batch import dataset_spec
from harness.runs.wanted import workflow_name
from harness.settings import Loaded
from harness.workflows.in_use import endpoints_in_use, workflow_of
from harness.workflows.loading import LoadedWorkflow

RUN_ID = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The outcome of a replay. `cases` are in the order of the dataset.

    `stale` are recordings that nothing asked for, `answers` is who gave the others.

    A case with a miss is no result: calls of it were not recorded, and some were answered by
    stand-ins.
    """

    cases: tuple[Case, ...]
    misses: tuple[Miss, ...]
    stale: tuple[Recording, ...]
    answers: AnswererCounts


async def replay(
    loaded: Loaded,
    workflow: LoadedWorkflow,
    dataset: Dataset,
    cassette: Sequence[Recording],
    *,
    stop: Stop,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> Replay:
    """Run all topics against the cassette. A topic that fails is a case like any other.

    Opens no socket and needs no key. Raises DatasetError if the file changed while it was read.
    """
    samples, clock = loaded.settings.samples, SystemClock()
    recording = MemoryCache.holding(recorded_calls(cassette, loaded.settings.pricing()))
    stand_ins = StandIns(replaying(recording, stop=stop, clock=clock), samples=samples)
    kept = _Kept(samples)
    context = run_context(
        loaded, workflow, run_id=RUN_ID, name=workflow_name(loaded.settings.workflow)
    )
    runner = Runner(
        workflow=wrap(workflow.function),
        context=context,
        completer=stand_ins,
        results=kept,
        stop=stop,
        clock=clock,
        runs=loaded.settings.limits().open_runs,
    )
    await runner.run(dataset.read())
    used = {call.key for case in kept.cases.values() for call in case.calls if call.error is None}
    used -= {miss.explanation.key for miss in stand_ins.misses}
    return Replay(
        cases=tuple(case for _, case in sorted(kept.cases.items())),
        misses=tuple(
            sorted(stand_ins.misses, key=lambda miss: (miss.topic_id, miss.sample, miss.span_id))
        ),
        stale=tuple(one for one in cassette if one.key not in used),
        answers=_recorded_by((one for one in cassette if one.key in used), loaded.settings.aliases),
    )


async def replay_file(
    loaded: Loaded,
    source: str,
    cassette: Sequence[Recording],
    *,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
    settings_from: str = "settings",
    steps: Mapping[str, str] | None = None,
) -> Replay:
    """`replay` of a topic file, with the workflow that the settings name. Raises DatasetError for a
    bad line, and what the loading of a workflow raises; `settings_from` is where its settings
    stand, and `steps` where the options of each step do, for messages.
    """
    settings = loaded.settings
    workflow = workflow_of(loaded, steps=steps, settings_from=settings_from)
    endpoints_in_use(loaded, workflow)
    with closing(open_dataset(dataset_spec(settings, source))) as dataset:
        dataset.check(skip_bad=settings.skip_bad)
        return await replay(loaded, workflow, dataset, cassette, stop=Stop(), wrap=wrap)


def recorded_calls(cassette: Iterable[Recording], pricing: Pricing) -> Iterable[RecordedCall]:
    """The recordings as calls, each with what it costs by its tokens at the off-peak price of its
    day.
    """
    for recording in cassette:
        call = call_of_recording(recording)
        # A day begins off-peak: 00:00 UTC.
        prices = pricing.of(call.request)
        billed = prices.billed(call.request.model, call.completion.model)
        cost = prices.cost(billed, call.completion.usage, call.created_at)
        yield replace(call, completion=replace(call.completion, cost=cost))


def _recorded_by(recordings: Iterable[Recording], aliases: Mapping[str, str]) -> AnswererCounts:
    found: AnswererCounts = Counter()
    for call in map(call_of_recording, recordings):
        told, request = call.completion.answerers, call.request
        found.update(answered(request.endpoint, request.model, told, aliases))
    return found


class _Kept:
    """Results that stay in memory, as the rows that a results directory would hold."""

    def __init__(self, samples: int) -> None:
        self.cases: dict[int, Case] = {}
        self._samples = samples

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """See `harness.ports.Results`."""
        sample = result.index % self._samples
        self.cases[result.index] = Case(
            topic_id=topic_of_drawn(result.topic_id, sample),
            sample=sample,
            row=stored_result(result, session=1),
            calls=tuple(stored_span(span, index=result.index, session=1) for span in spans),
        )
