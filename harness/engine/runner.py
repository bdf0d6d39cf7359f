"""Topics in, bounded workflow runs, results out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import anyio

from harness.domain.completion import Json
from harness.domain.ledger import Ledger
from harness.domain.policy import Budget
from harness.domain.repeated import Repeated, stopped_words
from harness.domain.run import Output, Span, Status, Topic, TopicResult
from harness.domain.tally import Totals, size_of_output, topic_result, unrecordable
from harness.engine.clock import now
from harness.engine.raised import Raised, raised_by, returned_by
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.engine.trace import Trace
from harness.errors import HarnessError, InputError, StorageError
from harness.logs import logged_with
from harness.machine.threads import off_loop
from harness.ports import Completer, Results, WallClock
from harness.timing.outlook import Ended

log = logging.getLogger("harness.run")

Workflow: TypeAlias = "Callable[[Step, Topic], Awaitable[Json | Output]]"


_NO_BUDGET = Budget()


@dataclass(slots=True)
class Progress:
    """The progress of this session so far, for a display.

    `first_wanted_s` is when the first of the calls that have ended was wanted, in seconds from the
    start of the session; None: none has ended.
    """

    topics: dict[Status, int] = field(default_factory=lambda: {"ok": 0, "degraded": 0, "failed": 0})
    open_topics: int = 0
    unfinished: int = 0
    totals: Totals = field(default_factory=Totals)
    ended: Ended = field(default_factory=Ended)
    first_wanted_s: float | None = None

    @property
    def done(self) -> int:
        return sum(self.topics.values())

    def add_span(self, span: Span) -> None:
        self.totals.add(span)
        if self.first_wanted_s is None or span.start_s < self.first_wanted_s:
            self.first_wanted_s = span.start_s

    def add_result(self, result: TopicResult) -> None:
        self.topics[result.status] += 1
        self.ended.add(result, now())


class Runner:
    """Runs a workflow over topics, at most `runs` of them open at once, pulled lazily in their
    order.

    Once no other topic follows, `ending` hears how many are open, and again whenever one of them
    has ended. `repeated` stops the run where the workflow fails in one way for the first topics;
    `resume` is the command that goes on then.
    """

    def __init__(
        self,
        *,
        workflow: Workflow,
        context: RunContext,
        completer: Completer,
        results: Results,
        stop: Stop,
        clock: WallClock,
        runs: int,
        progress: Progress | None = None,
        ending: Callable[[int], None] = lambda left: None,
        repeated: Repeated | None = None,
        resume: str = "harness resume",
    ) -> None:
        self.progress = progress or Progress()
        self._workflow = workflow
        self._context = context
        self._completer = completer
        self._results = results
        self._stop = stop
        self._clock = clock
        self._runs = runs
        self._ending = ending
        self._repeated = repeated or Repeated(at_most=None)
        self._resume = resume
        self._all_open = False

    async def run(self, topics: Iterable[Topic]) -> Progress:
        """Work through all topics, or until the run is stopped; what was interrupted has no row and
        can be resumed.

        An error of the workflow fails its topic and no other. An error of `topics`
        itself is raised once the topics before it have ended.
        """
        slots = anyio.Semaphore(self._runs)
        items = iter(topics)
        unreadable: Exception | None = None
        async with anyio.create_task_group() as group:
            while unreadable is None:
                await slots.acquire()
                if self._stop.is_set:
                    break
                try:
                    topic = next(items)
                except StopIteration:
                    self._all_open = True
                    self._ending(self.progress.open_topics)
                    break
                except Exception as error:  # noqa: BLE001 - raised below, without the task group's wrapping
                    unreadable = error
                else:
                    self.progress.open_topics += 1
                    group.start_soon(self._run_one, topic, slots)
        if unreadable is not None:
            raise unreadable
        return self.progress

    async def _run_one(self, topic: Topic, slots: anyio.Semaphore) -> None:
        finished = False
        try:
            with logged_with(topic_id=topic.id):
                finished = await self._run_topic(topic)
        except (StorageError, InputError) as error:
            self._stop.set("storage", str(error))
        finally:
            self.progress.unfinished += not finished
            self.progress.open_topics -= 1
            if self._all_open:
                self._ending(self.progress.open_topics)
            slots.release()

    async def _run_topic(self, topic: Topic) -> bool:
        """Return whether the topic has its row: one that the end of the run interrupted has
        none.
        """
        budget = self._context.topic_budget
        ledger = None if budget == _NO_BUDGET else Ledger(budget=budget)
        trace = Trace(on_span=self.progress.add_span, stop=self._stop, ledger=ledger)
        log.debug("begun")
        step = Step(topic=topic, context=self._context, completer=self._completer, trace=trace)
        started, started_at = now(), self._clock.now()
        ended = await self._ended(step, topic)
        if ended is None or trace.stopped or self._is_left(ended):
            return False
        if isinstance(ended, Raised):
            _log_raised(topic, ended)
        result = topic_result(
            run_id=self._context.run_id,
            workflow=self._context.workflow,
            topic=topic,
            spans=trace.spans,
            output=ended if isinstance(ended, Output) else None,
            error=ended.failure if isinstance(ended, Raised) else None,
            started_at=started_at,
            elapsed_s=now() - started,
            aliases=self._context.aliases,
        )
        await self._finish(result, trace.spans)
        return True

    def _is_left(self, ended: Output | Raised) -> bool:
        """Return whether the topic stays unfinished, as the workflow fails for each alike; may stop
        the run.
        """
        if isinstance(ended, Output):
            self._repeated.success()
            return False
        if not ended.alike:
            return False
        verdict = self._repeated.raised(ended.alike)
        if verdict == "stop":
            self._stop.set(
                "workflow", stopped_words(ended.failure, self._repeated.at_most or 0, self._resume)
            )
        return verdict == "leave"

    async def _ended(self, step: Step, topic: Topic) -> Output | Raised | None:
        """Return what the workflow returned, or why it did not; None: the workflow interrupted the
        run.
        """
        own, redact = self._context.own_files, self._context.redact
        try:
            returned = await self._workflow(step, topic)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this topic: the workflow awaited something of its own that was.
            return raised_by(error, own, redact)
        except KeyboardInterrupt as error:
            where = raised_by(error, own, redact).failure.where
            self._stop.set(
                "interrupted",
                f"interrupted by the workflow, which raised KeyboardInterrupt at {where}",
            )
            return None
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it becomes the topic's row
            return raised_by(error, own, redact)
        if isinstance(returned, Output):
            output = returned
        else:
            output = Output(value=returned)
        reason = await off_loop(partial(unrecordable, output), size_of_output(output))
        if reason is None:
            return output
        return returned_by(self._workflow, reason, own, redact)

    async def _finish(self, result: TopicResult, spans: Iterable[Span]) -> None:
        ordered = sorted(spans, key=lambda span: (span.start_s, span.id))
        with anyio.CancelScope(shield=True):
            await self._results.write(result, ordered)
        self.progress.add_result(result)
        why = "" if result.error is None else f": {result.error.message}"
        log.info(
            "%s after %.2f s, %d calls, %d of them answered by the cache%s",
            *(result.status, result.elapsed_s, result.calls, result.hits, why),
        )


def _log_raised(topic: Topic, raised: Raised) -> None:
    """A foreign exception is a bug, worth a traceback for those who look for it (`-v`); one of ours
    is not.
    """
    error, ids = raised.error, {"topic_id": topic.id}
    if error is None or isinstance(error, HarnessError | asyncio.CancelledError):
        return
    where = f" at {raised.failure.where}" if raised.failure.where is not None else ""
    log.warning("the workflow raised on topic %s: %r%s", topic.id, error, where, extra=ids)
    log.info("where it raised", exc_info=error, extra=ids)
