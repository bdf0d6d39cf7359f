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
from harness.domain.outlook import Ended
from harness.domain.policy import Budget
from harness.domain.purse import Purse
from harness.domain.run import BadLine, Failure, Output, Span, Status, Topic, TopicResult
from harness.domain.spans import failure_of
from harness.domain.tally import Totals, size_of_output, topic_result, unrecordable
from harness.engine.clock import now
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.engine.trace import Trace
from harness.errors import HarnessError, InputError, StorageError
from harness.logs import logged_with
from harness.ports import Completer, Results, WallClock
from harness.threads import off_loop

log = logging.getLogger("harness.run")

Workflow: TypeAlias = "Callable[[Step, Topic], Awaitable[Json | Output]]"


@dataclass(slots=True)
class Progress:
    """What has happened so far in this session, for whoever shows it."""

    topics: dict[Status, int] = field(default_factory=lambda: {"ok": 0, "degraded": 0, "failed": 0})
    open_topics: int = 0
    unfinished: int = 0
    totals: Totals = field(default_factory=Totals)
    ended: Ended = field(default_factory=Ended)

    @property
    def done(self) -> int:
        return sum(self.topics.values())

    def add_span(self, span: Span) -> None:
        self.totals.add(span)

    def add_result(self, result: TopicResult) -> None:
        self.topics[result.status] += 1
        self.ended.add(result, now())


class Runner:
    """Runs a workflow over topics, at most `runs` of them open at once, pulled lazily in their order.

    Once no other topic follows, `ending` hears how many are open, and again whenever one of them has ended.
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
        self._all_open = False

    async def run(self, topics: Iterable[Topic | BadLine]) -> Progress:
        """Work through all topics, or until the run is stopped; what was interrupted has no row and can be resumed.

        A bad line becomes a failed row. An error of the workflow fails its topic and no other. An error of `topics`
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
                    item = next(items)
                except StopIteration:
                    self._all_open = True
                    self._ending(self.progress.open_topics)
                    break
                except Exception as error:  # noqa: BLE001 - raised below, without the task group's wrapping
                    unreadable = error
                else:
                    self.progress.open_topics += 1
                    group.start_soon(self._run_one, item, slots)
        if unreadable is not None:
            raise unreadable
        return self.progress

    async def _run_one(self, item: Topic | BadLine, slots: anyio.Semaphore) -> None:
        finished = False
        try:
            with logged_with(topic_id=item.id):
                if isinstance(item, BadLine):
                    await self._finish(self._bad_row(item), ())
                    finished = True
                else:
                    finished = await self._run_topic(item)
        except (StorageError, InputError) as error:
            self._stop.set("storage", str(error))
        finally:
            self.progress.unfinished += not finished
            self.progress.open_topics -= 1
            if self._all_open:
                self._ending(self.progress.open_topics)
            slots.release()

    async def _run_topic(self, topic: Topic) -> bool:
        """Whether the topic has its row: one that the end of the run interrupted has none."""
        budget = self._context.topic_budget
        purse = None if budget == Budget() else Purse(budget=budget)
        trace = Trace(on_span=self.progress.add_span, stop=self._stop, purse=purse)
        log.debug("begun")
        step = Step(topic=topic, context=self._context, completer=self._completer, trace=trace)
        started, started_at = now(), self._clock.now()
        ended = await self._ended(step, topic)
        if trace.stopped:
            return False
        result = topic_result(
            run_id=self._context.run_id,
            workflow=self._context.workflow,
            topic=topic,
            spans=trace.spans,
            output=ended if isinstance(ended, Output) else None,
            error=ended if isinstance(ended, Failure) else None,
            started_at=started_at,
            elapsed_s=now() - started,
        )
        await self._finish(result, trace.spans)
        return True

    async def _ended(self, step: Step, topic: Topic) -> Output | Failure:
        """What the workflow returned, or why it did not."""
        try:
            returned = await self._workflow(step, topic)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this topic: the workflow awaited something of its own that was.
            return failure_of(error)
        except Exception as error:
            if not isinstance(error, HarnessError):
                ids = {"topic_id": topic.id}
                log.warning("the workflow raised on topic %s: %r", topic.id, error, extra=ids)
                log.info("where it raised", exc_info=error, extra=ids)
            return failure_of(error)
        output = returned if isinstance(returned, Output) else Output(value=returned)
        reason = await off_loop(partial(unrecordable, output), size_of_output(output))
        return output if reason is None else Failure(type="WorkflowError", message=reason)

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

    def _bad_row(self, line: BadLine) -> TopicResult:
        return topic_result(
            run_id=self._context.run_id,
            workflow=self._context.workflow,
            topic=Topic(id=line.id, text="", index=line.index, sample=line.sample),
            spans=(),
            output=None,
            error=Failure(type="DatasetError", message=str(line)),
            started_at=self._clock.now(),
            elapsed_s=0.0,
        )
