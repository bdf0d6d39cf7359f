"""A batch from its topic file to its results: begun, continued after anything, and accounted for at
the end.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from harness.datasets.byte_source import closing_on_error
from harness.datasets.dataset import Dataset, open_dataset
from harness.datasets.spec import DatasetSpec
from harness.domain.filters import parse_filter
from harness.domain.redo import ALL_LEFT, Redo
from harness.engine.runner import Workflow
from harness.engine.stopping import Stop
from harness.machine.threads import in_thread
from harness.machine.wall_clock import SystemClock
from harness.ports import Answers, WallClock
from harness.records.results_dir import Describe, ResultsDir
from harness.runs.choosing import choose
from harness.runs.session import Report, Session, Watch
from harness.runs.wanted import Wanted, can_be_read_again
from harness.settings import Loaded, Settings
from harness.telemetry.observed import check_installed
from harness.workflows.in_use import as_json, check_access, endpoints_in_use, workflow_of
from harness.workflows.loading import LoadedWorkflow

if TYPE_CHECKING:
    import httpx2

RESULTS_ROOT = Path("results")

log = logging.getLogger("harness.run")


async def run_batch(
    loaded: Loaded,
    source: str,
    *,
    workflow: LoadedWorkflow | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
    clock: WallClock | None = None,
    run_id: str | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    continued: bool = False,
    redo: Redo = ALL_LEFT,
    recording: Answers | None = None,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> Report:
    """Run a topic file through a workflow, or continue the run that its results directory holds.

    `source` is a path or `-`. Everything is checked before the first call: raises DatasetError,
    PromptsError, WorkflowError, SettingsError, CacheError or ResultsError, and RunStopped where
    `stop` was set meanwhile, with no results written. `workflow` is the one that the settings name,
    where the caller has loaded it already; it must not have run in another event loop. `continued`
    insists on a run that is there, `redo` says which of its topics are run. Answers of `recording`
    rule over those of the cache. `wrap` puts something around the workflow. Once it runs, whatever
    ends it ends in a report; a StorageError that is raised all the same is about something that
    could not be kept after that.
    """
    stop, watch, clock = stop or Stop(), watch or Watch(), clock or SystemClock()
    settings = loaded.settings
    if workflow is None:
        workflow = workflow_of(loaded, steps={} if continued else None)
    for step, said in workflow.strange_steps(settings.steps).items():
        log.warning("[steps.%s]: %s", step, said)
    workflow = replace(workflow, function=wrap(workflow.function))
    used = endpoints_in_use(loaded, workflow, continued=continued)
    check_access(loaded, used)
    if settings.otlp is not None:
        check_installed()
    dataset = await _checked_dataset(settings, source, stop)
    with closing(dataset):
        run_id = run_id or new_run_id(clock.now())
        path = settings.out or RESULTS_ROOT / run_id
        wanted = Wanted(
            path=path,
            settings=settings,
            workflow=workflow,
            dataset=dataset,
            source=source,
            run_id=run_id,
            now=clock.now(),
            continued=continued,
            endpoints=as_json(loaded, used),
        )
        async with _open_results(path, wanted.manifest) as results:
            return await Session(
                loaded=loaded.among_several() if len(used) > 1 else loaded,
                used=used,
                workflow=workflow,
                dataset=dataset,
                chosen=choose(redo, dataset, results.standing),
                results=results,
                stop=stop,
                watch=watch,
                clock=clock,
                transport=transport,
                recording=recording,
            ).run()


def dataset_spec(settings: Settings, source: str) -> DatasetSpec:
    """Return the part of a file of topics that the settings ask for. Raises SettingsError for a
    filter that is none.
    """
    kept_input = settings.out is not None and Path(source).parent == settings.out.absolute()
    return DatasetSpec(
        path=source,
        name="<stdin>" if kept_input else None,
        topic_field=settings.topic_field,
        id_field=settings.id_field,
        limit=settings.limit,
        shuffle_seed=settings.shuffle,
        filters=tuple(parse_filter(text) for text in settings.filter),
        samples=settings.samples,
    )


async def _checked_dataset(settings: Settings, source: str, stop: Stop) -> Dataset:
    """The dataset, read through once; a set `stop` ends the reading. A pipe that stays silent is
    left to itself.
    """
    spec = dataset_spec(settings, source)
    dataset = await in_thread(
        lambda: open_dataset(spec, progress=lambda _: stop.check()),
        abandon=not can_be_read_again(source),
    )
    with closing_on_error(dataset):
        dataset.check(skip_bad=settings.skip_bad)
        stop.check()
        return dataset


def new_run_id(now: datetime) -> str:
    """Sorts by time, and differs from every other: the journal of a shared cache knows runs by
    it.
    """
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@asynccontextmanager
async def _open_results(path: Path, describe: Describe) -> AsyncIterator[ResultsDir]:
    results = await in_thread(lambda: ResultsDir.create_or_continue(path, describe))
    try:
        yield results
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(results.close)
