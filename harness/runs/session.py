"""One session of a run: what is left to do is done, and the books are closed whatever happens."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from harness.compose import Stack, open_stack, run_context
from harness.datasets.dataset import Dataset
from harness.datasets.line_digests import write_digests
from harness.domain.ledger import Reservations, Spent
from harness.domain.outage_words import PastOutage
from harness.domain.repeated import Repeated
from harness.engine.limiter import Limiter, LimiterState
from harness.engine.rejecting import rejecting
from harness.engine.routes import Routes
from harness.engine.runner import Progress, Runner
from harness.engine.step import RunContext
from harness.engine.stopping import Stop, StopCause
from harness.errors import CacheError, ResultsError, StorageError
from harness.logs import logged_with
from harness.machine.threads import in_thread
from harness.machine.wall_clock import keeps_real_time
from harness.ports import Answers, OpenCall, Results, WallClock
from harness.records.begun import Begun, SessionLimits, begun_to_json
from harness.records.manifest import session_begun
from harness.records.outages import outage_to_json
from harness.records.results_dir import LINES_FILE, ResultsDir
from harness.records.run_standing import FailedAlike, RowTotals
from harness.runs.choosing import Chosen
from harness.runs.live_file import Live, live_to_json
from harness.runs.snapshot import Sight, glance
from harness.runs.wanted import STDIN, workflow_name
from harness.settings import Loaded
from harness.telemetry.observed import Levels, observed
from harness.timing.outlook import Track
from harness.workflows.in_use import InUse, is_simulated
from harness.workflows.loading import LoadedWorkflow

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("harness.run")

TOLD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A batch after a session. `sums` are those over all rows of all sessions, `totals` their JSON.

    `failures` are the failed topics by cause. `session` is what happened in this one; `unfinished`
    counts topics without a row. `left_open` are requests of earlier sessions whose payment is
    unknown, `spent` is the journal's word on all money, `reservations` what holding it back did in
    this session. `longest_stall_s` is how long the event loop was held up at worst; 0.0 on virtual
    time. `skipped` are the bad lines of the file, which are no topics, `bad_lines` the first of
    them, as `file:line: reason`. `outages` are those of this session. `limiter` is what was learned
    in all, `endpoints` what of each, by name, where several are asked; `simulated`: nobody but the
    mock was. `wall_s` counts from when the first call was wanted, `startup_s` is the time before
    that.
    """

    path: Path
    run_id: str
    topics: int
    unfinished: int
    sums: RowTotals
    session: Progress
    wall_s: float
    stop: StopCause | None
    spent: Spent
    left_open: tuple[OpenCall, ...]
    limiter: LimiterState
    endpoints: Mapping[str, LimiterState] = field(default_factory=dict)
    simulated: bool = False
    failures: tuple[FailedAlike, ...] = ()
    longest_stall_s: float = 0.0
    skipped: int = 0
    bad_lines: tuple[str, ...] = ()
    reservations: Reservations = Reservations()
    outages: tuple[PastOutage, ...] = ()
    startup_s: float = 0.0

    @property
    def totals(self) -> Mapping[str, Any]:
        return self.sums.as_json()

    @property
    def exit_code(self) -> int:
        """0 all topics ok or degraded, 1 some failed or missing, 3 stopped for cause, 130
        interrupted.
        """
        if self.stop is not None:
            return 130 if self.stop.kind == "interrupted" else 3
        return 1 if self.sums.failed or self.unfinished else 0


class _Took(NamedTuple):
    """The seconds before the first call was wanted, and those from then on."""

    startup_s: float
    wall_s: float

    @classmethod
    def of(cls, progress: Progress, *, seconds: float) -> _Took:
        """Part the seconds of a session; of one without calls all are its wall time."""
        startup_s = min(seconds, progress.first_wanted_s or 0.0)
        return cls(startup_s, seconds - startup_s)


@dataclass(slots=True)
class Watch(Sight):
    """The parts of a running batch that a caller may look at, and its report once there is one,
    whatever ends it.
    """

    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of a run: what is left to do is done, and the books are closed whatever happens.

    `used` are the endpoints that it asks, the run's own first.
    """

    loaded: Loaded
    workflow: LoadedWorkflow
    dataset: Dataset
    chosen: Chosen
    results: ResultsDir
    stop: Stop
    watch: Watch
    clock: WallClock
    used: Sequence[InUse]
    transport: httpx2.AsyncBaseTransport | None = None
    recording: Answers | None = None

    async def run(self) -> Report:
        """Run the chosen topics. A disk that fails once there is a report is a part of it."""
        watch = self.watch
        try:
            with logged_with(run_id=self.results.manifest.run_id):
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
        run_id = results.manifest.run_id
        watch.path, watch.started_s, watch.standing = results.path, started_s, results.standing
        watch.started_at = started_at
        watch.to_do = self.chosen.number
        watch.topics = self.chosen.number if self.chosen.narrow else self.dataset.count
        watch.progress = progress = Progress()
        async with open_stack(
            self.loaded,
            run_id=run_id,
            stop=self.stop,
            clock=self.clock,
            transport=self.transport,
            recording=self.recording,
            used=self.used,
        ) as stack:
            await in_thread(partial(self._begin, started_at))
            watch.stack = stack
            # Closed after the books are: the collector's patience is none of the run's time.
            async with self._observed(stack, run_id, started_at) as observed_results:
                runner = Runner(
                    workflow=rejecting(self.workflow.function),
                    context=replace(
                        self._context(run_id, started_s),
                        rejections=stack.rejections,
                        track=watch.board.begin,
                    ),
                    completer=stack.completer,
                    results=observed_results,
                    stop=self.stop,
                    clock=self.clock,
                    runs=self.loaded.settings.limits().open_runs,
                    progress=progress,
                    ending=stack.routes.ending,
                    repeated=Repeated(
                        at_most=self.loaded.settings.equal_failures(),
                        succeeded=self._has_succeeded(),
                    ),
                    resume=f"harness resume {shlex.quote(str(results.path))}",
                )
                try:
                    await self._work(runner)
                except StorageError as error:
                    self.stop.set("storage", str(error))
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._close(stack, progress, started_at, started_s)

    async def _work(self, runner: Runner) -> None:
        """Run the chosen topics; what happens meanwhile is on disk for whoever asks."""
        standing, failure = self.results.standing, None
        async with anyio.create_task_group() as beside:
            if keeps_real_time():
                beside.start_soon(self._keep_told)
            try:
                await runner.run(self.dataset.read(lambda index: self.chosen.has(index, standing)))
            except Exception as error:  # noqa: BLE001 - raised below, without the task group's wrapping
                failure = error
            beside.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _keep_told(self) -> None:
        """Write down every second how the run stands, for other processes. A disk that fails is
        told of once: the rows are what the run lives by.
        """
        track, is_told = Track(), False
        while True:
            cause = self.stop.cause
            seen = glance(
                self.watch,
                track,
                anyio.current_time(),
                stopping=None if cause is None else cause.message,
            )
            if seen is not None:
                moment = live_to_json(
                    Live(
                        at=self.clock.now(),
                        session=self.results.session,
                        pid=os.getpid(),
                        seen=seen,
                    )
                )
                try:
                    await in_thread(partial(self.results.tell, moment))
                except StorageError as error:
                    if not is_told:
                        log.warning("how the run stands cannot be told to others: %s", error)
                    is_told = True
            await anyio.sleep(TOLD_EVERY_S)

    def _observed(
        self, stack: Stack, run_id: str, started_at: datetime
    ) -> AbstractAsyncContextManager[Results]:
        """The results, with a collector told of each topic where the settings name one."""
        settings = self.loaded.settings

        def levels() -> Levels:
            state, is_down = stack.routes.state(), stack.routes.is_certainly_down
            return Levels(
                in_flight=state.in_flight,
                waiting=state.waiting,
                slots=state.places,
                is_down=is_down,
            )

        return observed(
            self.results,
            settings.otlp,
            run_id=run_id,
            origin_at=started_at,
            content=settings.otlp_content,
            levels=levels,
        )

    def _has_succeeded(self) -> bool:
        """Return whether the workflow, with its code as it is now, has brought a result in an
        earlier session.
        """
        code = self.workflow.code_sha256
        sessions = self.results.manifest.session_log
        same = [entry["topics"] for entry in sessions if entry.get("workflow_sha256") == code]
        return any(topics["ok"] + topics["degraded"] for topics in same)

    def _begin(self, started_at: datetime) -> None:
        """From here on there is a run. What can be read only once is kept with it."""
        results, settings = self.results, self.loaded.settings
        begun = Begun(
            session=results.session,
            started_at=started_at,
            pid=os.getpid(),
            limits=SessionLimits.of(settings.limits(), settings.spending_cap()),
        )
        write_digests(results.path / LINES_FILE, self.dataset.digests())
        kept, known = None, results.manifest.dataset
        if known.path == STDIN and known.kept is None:
            kept = self.dataset.save(results.path).name
        results.manifest = session_begun(results.manifest, begun_to_json(begun), kept=kept)
        results.begin()

    async def _close(
        self, stack: Stack, progress: Progress, started_at: datetime, started_s: float
    ) -> None:
        """Write down how the run stands now, and make the report."""
        results = self.results
        took = _Took.of(progress, seconds=anyio.current_time() - started_s)
        unfinished = results.standing.unfinished(self.dataset.count, self.dataset.end)
        spent = await self._spent(stack)
        if unfinished == 0:
            await self._storing(results.finish)
        closed = stack.routes.closed
        if unfinished and closed is not None:
            self.stop.set(closed.kind, closed.message)
        cause = self.stop.cause
        outages = outages_met(stack.routes, started_at=started_at, started_s=started_s)
        entry = {
            **_log_entry(stack, progress, cause, started_at=started_at, started_s=started_s),
            "wall_s": round(took.wall_s, 6),
            "startup_s": round(took.startup_s, 6),
            "outages": [outage_to_json(outage) for outage in outages],
            "workflow_sha256": self.workflow.code_sha256,
        }
        changes = self._books(stack, spent, entry, _status_of(cause, unfinished), unfinished)
        await self._storing(lambda: results.update(changes))
        self.watch.report = self._report(stack, progress, spent, unfinished, outages, took)

    def _books(
        self, stack: Stack, spent: Spent, entry: Mapping[str, Any], status: str, unfinished: int
    ) -> dict[str, Any]:
        """The changes of `run.json` at the end of a session. `entry` is the session's own in the
        log.
        """
        sessions = [*self.results.manifest.session_log, entry]
        return {
            "status": status,
            "totals": {
                **self.results.standing.totals.as_json(),
                "unfinished": unfinished,
                "wall_s": round(sum(session["wall_s"] for session in sessions), 6),
            },
            "journal": asdict(spent),
            "limits_learned": limits_learned(stack.routes.state(), stack.routes.states()),
            "session_log": sessions,
        }

    def _report(
        self,
        stack: Stack,
        progress: Progress,
        spent: Spent,
        unfinished: int,
        outages: tuple[PastOutage, ...],
        took: _Took,
    ) -> Report:
        results, dataset = self.results, self.dataset
        return Report(
            path=results.path,
            run_id=results.manifest.run_id,
            topics=dataset.count,
            unfinished=unfinished,
            sums=results.standing.totals.rounded(),
            session=progress,
            wall_s=took.wall_s,
            startup_s=took.startup_s,
            stop=self.stop.cause,
            spent=spent,
            left_open=stack.left_open,
            limiter=stack.routes.state(),
            endpoints=stack.routes.states() if stack.routes.several else {},
            simulated=is_simulated(self.used),
            failures=results.standing.failures(),
            longest_stall_s=stack.stalls.longest_s,
            skipped=dataset.report.bad,
            bad_lines=dataset.report.errors,
            reservations=stack.ledger.reservations_so_far(),
            outages=outages,
        )

    async def _spent(self, stack: Stack) -> Spent:
        """The journal's word, or, where it cannot be read any more, its word from before this
        session.
        """
        try:
            return await stack.cache.spent(self.results.manifest.run_id)
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
        context = run_context(self.loaded, self.workflow, run_id=run_id, name=name, used=self.used)
        return replace(context, origin_s=started_s)


def _status_of(cause: StopCause | None, unfinished: int) -> str:
    """The status of a run in `run.json`: the kind of the stop, if there was one."""
    if cause is not None:
        return cause.kind
    return "incomplete" if unfinished else "complete"


def outages_met(
    routes: Routes, *, started_at: datetime, started_s: float
) -> tuple[PastOutage, ...]:
    """The outages of a session that began then, on both clocks; the last may go on. What was only
    suspected is none.
    """
    met: list[PastOutage] = []
    for route in routes.all:
        name = route.name if routes.several else None
        met += _outages_of(route.limiter, name, started_at=started_at, started_s=started_s)
    return tuple(sorted(met, key=lambda outage: outage.since))


def _outages_of(
    limiter: Limiter, name: str | None, *, started_at: datetime, started_s: float
) -> Iterator[PastOutage]:
    def at(seconds: float) -> datetime:
        return started_at + timedelta(seconds=seconds - started_s)

    for one in limiter.provider.outages:
        yield PastOutage(
            since=at(one.since),
            until=None if one.until is None else at(one.until),
            seconds=0.0 if one.until is None else one.until - one.since,
            probes=one.probes,
            kind=one.kind,
            message=one.message,
            endpoint=name,
        )
    now_s, still = anyio.current_time(), limiter.state().outage
    if still is not None and still.certain:
        yield PastOutage(
            since=at(now_s - still.for_s),
            until=None,
            seconds=still.for_s,
            probes=still.probes,
            kind=still.kind,
            message=still.message,
            endpoint=name,
        )


def limits_learned(state: LimiterState, endpoints: Mapping[str, LimiterState]) -> dict[str, Any]:
    """Return the learned limits for `run.json`: in all, and of each endpoint where there are
    several.

    Outages stand with their sessions.
    """
    learned = _without_outage(state)
    if len(endpoints) > 1:
        learned["endpoints"] = {name: _without_outage(one) for name, one in endpoints.items()}
    return learned


def _without_outage(state: LimiterState) -> dict[str, Any]:
    return {name: value for name, value in asdict(state).items() if name != "outage"}


def _log_entry(
    stack: Stack,
    progress: Progress,
    cause: StopCause | None,
    *,
    started_at: datetime,
    started_s: float,
) -> dict[str, Any]:
    """The entry of this session in `run.json`, as documented in docs/formats.md."""
    return {
        "started_at": started_at.isoformat(timespec="milliseconds"),
        "topics": dict(progress.topics),
        "calls": progress.totals.calls,
        "hits": progress.totals.hits,
        "retries": progress.totals.retries,
        "in_flight": stack.routes.state().maximum,
        "places": [
            [round(at_s, 3), slots] for at_s, slots in stack.routes.history().since(started_s)
        ],
        "longest_stall_s": round(stack.stalls.longest_s, 6),
        "reservations": {
            name: round(number, 9)
            for name, number in asdict(stack.ledger.reservations_so_far()).items()
        },
        "stop": asdict(cause) if cause else None,
    }
