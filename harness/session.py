"""One session of a run: what is left to do is done, and the books are closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from harness.adapters.datasets.dataset import Dataset
from harness.adapters.runs.results_dir import ResultsDir
from harness.adapters.runs.run_standing import FailedAlike, Standing
from harness.compose import Stack, open_stack, run_context
from harness.domain.purse import Reservations, Spent
from harness.domain.run import BadLine, Topic
from harness.engine.board import Board
from harness.engine.limiter import LimiterState
from harness.engine.runner import Progress, Runner
from harness.engine.step import RunContext
from harness.engine.stopping import Stop, StopCause
from harness.errors import CacheError, ResultsError, StorageError
from harness.logs import logged_with
from harness.manifest import STDIN, workflow_name
from harness.ports import Cache, OpenCall, Results, WallClock
from harness.settings import Loaded
from harness.telemetry.observed import Levels, observed
from harness.threads import in_thread
from harness.workflows.loading import LoadedWorkflow

if TYPE_CHECKING:
    import httpx2


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
    on all money, `reservations` what holding it back did in this session. `longest_stall_s` is how long the event loop
    was held up at worst; 0.0 on virtual time.
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
    reservations: Reservations = Reservations()

    @property
    def exit_code(self) -> int:
        """0 all topics ok or degraded, 1 some failed or missing, 3 stopped for cause, 130 interrupted."""
        if self.stop is not None:
            return 130 if self.stop.kind == "interrupted" else 3
        return 1 if self.totals["failed"] or self.unfinished else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of a run: what is left to do is done, and the books are closed whatever happens."""

    loaded: Loaded
    workflow: LoadedWorkflow
    dataset: Dataset
    results: ResultsDir
    stop: Stop
    watch: Watch
    clock: WallClock
    transport: httpx2.AsyncBaseTransport | None = None
    recording: Cache | None = None

    async def run(self) -> Report:
        """Do what is left to do. A disk that fails once there is a report is a part of it."""
        watch = self.watch
        try:
            with logged_with(run_id=self.results.manifest["run_id"]):
                await self._run()
        except StorageError as error:
            if watch.report is None:
                raise
            self.stop.set("storage", str(error))
        if watch.report is None:
            raise AssertionError("a session that was begun has a report")
        watch.report = replace(watch.report, stop=self.stop.cause)
        return watch.report

    async def _run(self) -> None:
        results, watch = self.results, self.watch
        started_at, started_s = self.clock.now(), anyio.current_time()
        run_id = results.manifest["run_id"]
        watch.path, watch.topics, watch.started_s = results.path, self.dataset.count, started_s
        watch.standing = results.standing
        watch.progress = progress = Progress()
        async with open_stack(
            self.loaded,
            run_id=run_id,
            stop=self.stop,
            clock=self.clock,
            transport=self.transport,
            recording=self.recording,
            board=watch.board,
        ) as stack:
            await in_thread(self._begin)
            watch.stack = stack
            # Closed after the books are: the collector's patience is none of the run's time.
            async with self._observed(stack, run_id, started_at) as observed_results:
                runner = Runner(
                    workflow=self.workflow.function,
                    context=self._context(run_id, started_s),
                    completer=stack.completer,
                    results=observed_results,
                    stop=self.stop,
                    clock=self.clock,
                    runs=self.loaded.settings.limits().open_runs,
                    progress=progress,
                    ending=stack.limiter.ending,
                )
                try:
                    await runner.run(_unfinished(self.dataset, results.standing))
                except StorageError as error:
                    self.stop.set("storage", str(error))
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._close(stack, progress, started_at, started_s)

    def _observed(self, stack: Stack, run_id: str, started_at: datetime) -> AbstractAsyncContextManager[Results]:
        """The results, with a collector told of each topic where the settings name one."""
        settings = self.loaded.settings

        def levels() -> Levels:
            state = stack.limiter.state()
            return Levels(in_flight=state.in_flight, waiting=state.waiting, places=state.places)

        return observed(
            self.results,
            settings.otlp,
            run_id=run_id,
            origin_at=started_at,
            content=settings.otlp_content,
            levels=levels,
        )

    def _begin(self) -> None:
        """From here on there is a run. What can be read only once is kept with it."""
        results = self.results
        dataset = results.manifest["dataset"]
        if dataset["path"] == STDIN and dataset["kept"] is None:
            dataset["kept"] = self.dataset.save(results.path).name
        results.begin()

    async def _close(self, stack: Stack, progress: Progress, started_at: datetime, started_s: float) -> None:
        results = self.results
        wall_s = anyio.current_time() - started_s
        totals = results.standing.totals.as_json()
        unfinished = results.standing.unfinished(self.dataset.count)
        spent = await self._spent(stack)
        if unfinished == 0:
            await self._storing(results.finish)
        cause = self.stop.cause
        entry = _log_entry(stack, progress, cause, started_at=started_at, started_s=started_s, wall_s=wall_s)
        sessions = [*results.manifest.get("session_log", []), entry]
        changes = {
            "status": cause.kind if cause else "incomplete" if unfinished else "complete",
            "totals": {
                **totals,
                "unfinished": unfinished,
                "wall_s": round(sum(session["wall_s"] for session in sessions), 6),
            },
            "journal": asdict(spent),
            "limits_learned": asdict(stack.limiter.state()),
            "session_log": sessions,
        }
        await self._storing(lambda: results.update(changes))
        self.watch.report = Report(
            path=results.path,
            run_id=results.manifest["run_id"],
            topics=self.dataset.count,
            unfinished=unfinished,
            totals=totals,
            session=progress,
            wall_s=wall_s,
            stop=self.stop.cause,
            spent=spent,
            left_open=stack.left_open,
            limiter=stack.limiter.state(),
            failures=results.standing.failures(),
            longest_stall_s=stack.stalls.longest_s,
            reservations=stack.purse.reservations_so_far(),
        )

    async def _spent(self, stack: Stack) -> Spent:
        """The journal's word, or, where it cannot be read any more, its word from before this session."""
        try:
            return await stack.cache.spent(self.results.manifest["run_id"])
        except (StorageError, CacheError) as error:
            self.stop.set("storage", str(error))
            return stack.before

    async def _storing(self, work: Callable[[], None]) -> None:
        """Do something to the results; if they cannot be written, that is how the run ended."""
        try:
            await in_thread(work)
        except (StorageError, ResultsError) as error:
            self.stop.set("storage", str(error))

    def _context(self, run_id: str, started_s: float) -> RunContext:
        settings = self.loaded.settings
        name = workflow_name(settings.workflow)
        return replace(run_context(self.loaded, self.workflow, run_id=run_id, name=name), origin_s=started_s)


def _log_entry(
    stack: Stack, progress: Progress, cause: StopCause | None, *, started_at: datetime, started_s: float, wall_s: float
) -> dict[str, Any]:
    """What `run.json` says of this session, as documented in docs/formats.md."""
    return {
        "started_at": started_at.isoformat(timespec="milliseconds"),
        "wall_s": round(wall_s, 6),
        "topics": dict(progress.topics),
        "calls": progress.totals.calls,
        "hits": progress.totals.hits,
        "retries": progress.totals.retries,
        "in_flight": stack.limiter.state().maximum,
        "places": [[round(at_s, 3), places] for at_s, places in stack.limiter.history.since(started_s)],
        "longest_stall_s": round(stack.stalls.longest_s, 6),
        "reservations": {name: round(number, 9) for name, number in asdict(stack.purse.reservations_so_far()).items()},
        "stop": asdict(cause) if cause else None,
    }


def _unfinished(dataset: Dataset, standing: Standing) -> Iterator[Topic | BadLine]:
    return dataset.read(lambda index: not standing.is_finished(index))
