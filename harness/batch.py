"""A batch from its topic file to its results: begun, continued after anything, and accounted for at the end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from harness.adapters.datasets.dataset import Dataset, open_dataset
from harness.adapters.datasets.source import closing_on_error
from harness.adapters.datasets.spec import DatasetSpec
from harness.adapters.runs.results_dir import Describe, ResultsDir
from harness.adapters.runs.run_standing import FailedAlike, Standing
from harness.adapters.wall_clock import SystemClock
from harness.compose import Stack, open_stack, run_context
from harness.domain.filters import parse_filter
from harness.domain.purse import Spent
from harness.domain.run import BadLine, Topic
from harness.engine.board import Board
from harness.engine.limiter import LimiterState
from harness.engine.runner import Progress, Runner, Workflow
from harness.engine.step import RunContext
from harness.engine.stopping import Stop, StopCause
from harness.errors import CacheError, ResultsError, StorageError
from harness.logs import logged_with
from harness.manifest import STDIN, Wanted, can_be_read_again, workflow_name
from harness.ports import Cache, OpenCall, Results, WallClock
from harness.settings import Loaded, Settings
from harness.telemetry.observed import Levels, check_installed, observed
from harness.threads import in_thread
from harness.workflows.loading import LoadedWorkflow, load_workflow

if TYPE_CHECKING:
    import httpx2

RESULTS_ROOT = Path("results")


@dataclass(slots=True)
class Watch:
    """What a display may look at while a batch runs. It is filled as things are opened.

    A `board` that is given is told where each call is.
    """

    path: Path | None = None
    topics: int = 0
    standing: Standing | None = None
    progress: Progress | None = None
    stack: Stack | None = None
    started_s: float = 0.0
    report: Report | None = None
    board: Board | None = None

    def limiter(self) -> LimiterState | None:
        return self.stack.limiter.state() if self.stack is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a batch stands after a session. `totals` are sums over all rows of all sessions.

    `failures` are the failed topics by cause. `session` is what happened in this one; `unfinished` counts topics
    without a row. `left_open` are requests of earlier sessions whose payment is unknown, `spent` is the journal's word
    on all money. `longest_stall_s` is how long the event loop was held up at worst; 0.0 on virtual time.
    """

    path: Path
    run_id: str
    topics: int
    unfinished: int
    totals: Mapping[str, Any]
    session: Progress
    wall_s: float
    stop: StopCause | None
    spent: Spent
    left_open: tuple[OpenCall, ...]
    limiter: LimiterState
    failures: tuple[FailedAlike, ...] = ()
    longest_stall_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 all topics ok or degraded, 1 some failed or missing, 3 stopped for cause, 130 interrupted."""
        if self.stop is not None:
            return 130 if self.stop.kind == "interrupted" else 3
        return 1 if self.totals["failed"] or self.unfinished else 0


async def run_batch(
    loaded: Loaded,
    source: str,
    *,
    stop: Stop | None = None,
    watch: Watch | None = None,
    clock: WallClock | None = None,
    run_id: str | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    continued: bool = False,
    recording: Cache | None = None,
    wrap: Callable[[Workflow], Workflow] = lambda workflow: workflow,
) -> Report:
    """Run a topic file through a workflow, or continue the run that its results directory holds.

    `source` is a path or `-`. Everything is checked before the first call: raises DatasetError, PromptsError,
    WorkflowError, SettingsError, CacheError or ResultsError, and RunStopped where `stop` was set meanwhile, with
    no results written. `continued` insists on a run that is there. Answers of `recording` rule over those of the cache.
    `wrap` puts something around the workflow. Once it runs, whatever ends it ends in a report; a StorageError that is
    raised all the same is about something that could not be kept after that.
    """
    stop, watch, clock = stop or Stop(), watch or Watch(), clock or SystemClock()
    settings = loaded.settings
    workflow = load_workflow(settings.workflow, prompts_file=settings.prompts, settings=settings.workflow_settings)
    workflow = replace(workflow, function=wrap(workflow.function))
    loaded.endpoint(key_needed=settings.cache_mode != "replay")
    if settings.otlp is not None:
        check_installed()
    dataset = await _checked_dataset(settings, source, stop)
    with closing(dataset):
        wanted = Wanted(
            settings=settings,
            workflow=workflow,
            dataset=dataset,
            source=source,
            run_id=run_id or new_run_id(clock.now()),
            now=clock.now(),
            continued=continued,
        )
        path = settings.out or RESULTS_ROOT / wanted.run_id
        async with _open_results(path, wanted.manifest) as results:
            return await _Session(loaded, workflow, dataset, results, stop, watch, clock, transport, recording).run()


def dataset_spec(settings: Settings, source: str) -> DatasetSpec:
    """Which topics of a file the settings ask for. Raises SettingsError for a filter that is none."""
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
    """The dataset, read through once; a set `stop` ends the reading. A pipe that stays silent is left to itself."""
    spec = dataset_spec(settings, source)
    dataset = await in_thread(
        lambda: open_dataset(spec, progress=lambda _: stop.check()), abandon=not can_be_read_again(source)
    )
    with closing_on_error(dataset):
        if not settings.skip_bad:
            dataset.raise_if_bad()
        stop.check()
        return dataset


def new_run_id(now: datetime) -> str:
    """Sorts by time, and differs from every other: the journal of a shared cache knows runs by it."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class _Session:
    """One session of a run: what is left to do is done, and the books are closed whatever happens."""

    def __init__(
        self,
        loaded: Loaded,
        workflow: LoadedWorkflow,
        dataset: Dataset,
        results: ResultsDir,
        stop: Stop,
        watch: Watch,
        clock: WallClock,
        transport: httpx2.AsyncBaseTransport | None,
        recording: Cache | None,
    ) -> None:
        self._loaded = loaded
        self._workflow = workflow
        self._dataset = dataset
        self._results = results
        self._stop = stop
        self._watch = watch
        self._clock = clock
        self._transport = transport
        self._recording = recording

    async def run(self) -> Report:
        """Do what is left to do. A disk that fails once there is a report is a part of it."""
        watch = self._watch
        try:
            with logged_with(run_id=self._results.manifest["run_id"]):
                await self._run()
        except StorageError as error:
            if watch.report is None:
                raise
            self._stop.set("storage", str(error))
        if watch.report is None:
            raise AssertionError("a session that was begun has a report")
        watch.report = replace(watch.report, stop=self._stop.cause)
        return watch.report

    async def _run(self) -> None:
        results, watch = self._results, self._watch
        started_at, started_s = self._clock.now(), anyio.current_time()
        run_id = results.manifest["run_id"]
        watch.path, watch.topics, watch.started_s = results.path, self._dataset.count, started_s
        watch.standing = results.standing
        watch.progress = progress = Progress()
        async with open_stack(
            self._loaded,
            run_id=run_id,
            stop=self._stop,
            clock=self._clock,
            transport=self._transport,
            recording=self._recording,
            board=watch.board,
        ) as stack:
            await in_thread(self._begin)
            watch.stack = stack
            # Closed after the books are: the collector's patience is none of the run's time.
            async with self._observed(stack, run_id, started_at) as observed_results:
                runner = Runner(
                    workflow=self._workflow.function,
                    context=self._context(run_id, started_s),
                    completer=stack.completer,
                    results=observed_results,
                    stop=self._stop,
                    clock=self._clock,
                    runs=self._loaded.settings.limits().open_runs,
                    progress=progress,
                    ending=stack.limiter.ending,
                )
                try:
                    await runner.run(_unfinished(self._dataset, results.standing))
                except StorageError as error:
                    self._stop.set("storage", str(error))
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._close(stack, progress, started_at, started_s)

    def _observed(self, stack: Stack, run_id: str, started_at: datetime) -> AbstractAsyncContextManager[Results]:
        """The results, with a collector told of each topic where the settings name one."""
        settings = self._loaded.settings

        def levels() -> Levels:
            state = stack.limiter.state()
            return Levels(in_flight=state.in_flight, waiting=state.waiting, places=state.places)

        return observed(
            self._results,
            settings.otlp,
            run_id=run_id,
            origin_at=started_at,
            content=settings.otlp_content,
            levels=levels,
        )

    def _begin(self) -> None:
        """From here on there is a run. What can be read only once is kept with it."""
        results = self._results
        dataset = results.manifest["dataset"]
        if dataset["path"] == STDIN and dataset["kept"] is None:
            dataset["kept"] = self._dataset.save(results.path).name
        results.begin()

    async def _close(self, stack: Stack, progress: Progress, started_at: datetime, started_s: float) -> None:
        results = self._results
        wall_s = anyio.current_time() - started_s
        totals = results.standing.totals.as_json()
        unfinished = results.standing.unfinished(self._dataset.count)
        spent = await self._spent(stack)
        if unfinished == 0:
            await self._storing(results.finish)
        cause = self._stop.cause
        limiter = stack.limiter.state()
        session = {
            "started_at": started_at.isoformat(timespec="milliseconds"),
            "wall_s": round(wall_s, 6),
            "topics": dict(progress.topics),
            "calls": progress.totals.calls,
            "hits": progress.totals.hits,
            "retries": progress.totals.retries,
            "in_flight": limiter.maximum,
            "places": [[round(at_s, 3), places] for at_s, places in stack.limiter.history.since(started_s)],
            "longest_stall_s": round(stack.stalls.longest_s, 6),
            "stop": asdict(cause) if cause else None,
        }
        sessions = [*results.manifest.get("session_log", []), session]
        changes = {
            "status": cause.kind if cause else "incomplete" if unfinished else "complete",
            "totals": {
                **totals,
                "unfinished": unfinished,
                "wall_s": round(sum(entry["wall_s"] for entry in sessions), 6),
            },
            "journal": asdict(spent),
            "limits_learned": asdict(limiter),
            "session_log": sessions,
        }
        await self._storing(lambda: results.update(changes))
        self._watch.report = Report(
            path=results.path,
            run_id=results.manifest["run_id"],
            topics=self._dataset.count,
            unfinished=unfinished,
            totals=totals,
            session=progress,
            wall_s=wall_s,
            stop=self._stop.cause,
            spent=spent,
            left_open=stack.left_open,
            limiter=limiter,
            failures=results.standing.failures(),
            longest_stall_s=stack.stalls.longest_s,
        )

    async def _spent(self, stack: Stack) -> Spent:
        """The journal's word, or, where it cannot be read any more, its word from before this session."""
        try:
            return await stack.cache.spent(self._results.manifest["run_id"])
        except (StorageError, CacheError) as error:
            self._stop.set("storage", str(error))
            return stack.before

    async def _storing(self, work: Callable[[], None]) -> None:
        """Do something to the results; if they cannot be written, that is how the run ended."""
        try:
            await in_thread(work)
        except (StorageError, ResultsError) as error:
            self._stop.set("storage", str(error))

    def _context(self, run_id: str, started_s: float) -> RunContext:
        settings = self._loaded.settings
        name = workflow_name(settings.workflow)
        return replace(run_context(self._loaded, self._workflow, run_id=run_id, name=name), origin_s=started_s)


def _unfinished(dataset: Dataset, standing: Standing) -> Iterator[Topic | BadLine]:
    return dataset.read(lambda index: not standing.is_finished(index))


@asynccontextmanager
async def _open_results(path: Path, describe: Describe) -> AsyncIterator[ResultsDir]:
    results = await in_thread(lambda: ResultsDir.create_or_continue(path, describe))
    try:
        yield results
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(results.close)
