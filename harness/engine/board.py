"""The stage of each call under way, for a display: a thin layer before each of the others notes who
enters.

Nothing of it decides anything; a run without a board has none of these layers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from harness.domain.call import Call
from harness.domain.causes import cause_of
from harness.domain.completion import Completion, Request
from harness.domain.failures import CompletionError, TransientError
from harness.domain.recorded_call import step_of
from harness.engine.clock import now
from harness.ports import Completer

KEPT_FAILURES = 8
KEPT_DURATIONS = 64

Stage: TypeAlias = Literal["cache", "retry", "money", "run", "all", "sent"]
"""Where a call is: at the cache (or waiting for another who asks the same), between two attempts,
waiting for money, for a place in its own run, for a place among all, or on its way to the model.
"""


@dataclass(slots=True)
class UnderWay:
    """A call under way: at its stage since `since_s` of the loop's time, `events` of its answer
    have come.
    """

    topic_id: str
    span_id: str
    stage: Stage
    since_s: float
    events: int = 0

    @property
    def step(self) -> str:
        """The step's name, without the path to it and without its number."""
        return step_of(self.span_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """A request that failed; `transient`: it may be sent again."""

    topic_id: str
    span_id: str
    cause: str
    message: str
    at_s: float
    transient: bool


class Board:
    """All calls under way, and the last requests that failed. It grows with what is under way, with
    nothing else.
    """

    def __init__(self) -> None:
        self.failures: deque[FailedRequest] = deque(maxlen=KEPT_FAILURES)
        self.causes: Counter[str] = Counter()
        self.durations_s: deque[float] = deque(maxlen=KEPT_DURATIONS)
        self._calls: dict[tuple[str, str], UnderWay] = {}
        self._events = self._tokens = 0

    @property
    def calls(self) -> Iterable[UnderWay]:
        """Those under way, in the order in which they were wanted."""
        return self._calls.values()

    def watching(self, inner: Completer, stage: Stage) -> Completer:
        """The same completer; who is in it is known to be at this stage, unless a layer further in
        knows better.
        """
        return _Sent(inner, self) if stage == "sent" else _Entered(inner, self, stage)

    def enter(self, call: Call, stage: Stage) -> tuple[UnderWay, Stage | None]:
        """The call as it is noted, and the stage that it comes from."""
        name = (call.topic_id, call.span_id)
        found = self._calls.get(name)
        if found is None:
            found = self._calls[name] = UnderWay(call.topic_id, call.span_id, stage, now())
            return found, None
        before, found.stage, found.since_s = found.stage, stage, now()
        return found, before

    def leave(self, call: UnderWay, to: Stage | None) -> None:
        """Back to the stage that it came from; None: it has ended."""
        if to is None:
            del self._calls[call.topic_id, call.span_id]
        else:
            call.stage, call.since_s = to, now()

    def answered(self, call: UnderWay, output_tokens: int) -> None:
        """Learn from a stream that is whole how many tokens an event of it is worth."""
        if call.events and output_tokens:
            self._events += call.events
            self._tokens += output_tokens

    def tokens_of(self, call: UnderWay) -> int:
        """About how many tokens have come; an event is taken for one until a whole answer told
        better.
        """
        return round(call.events * self._tokens / self._events) if self._events else call.events

    def failed(self, call: UnderWay, error: CompletionError) -> None:
        """Take note of a request that failed."""
        cause = cause_of(type=type(error).__name__, kind=error.kind, status=error.status)
        self.causes[cause] += 1
        self.failures.append(
            FailedRequest(
                topic_id=call.topic_id,
                span_id=call.span_id,
                cause=cause,
                message=str(error),
                at_s=now(),
                transient=isinstance(error, TransientError),
            )
        )


class _Entered:
    """Notes who is in the layers within."""

    def __init__(self, inner: Completer, board: Board, stage: Stage) -> None:
        self._inner = inner
        self._board = board
        self._stage = stage

    async def complete(self, request: Request, call: Call) -> Completion:
        noted, before = self._board.enter(call, self._stage)
        try:
            return await self._inner.complete(request, call)
        finally:
            self._board.leave(noted, before)


class _Sent:
    """Notes what is in flight, counts the events that come, and keeps the failures."""

    def __init__(self, inner: Completer, board: Board) -> None:
        self._inner = inner
        self._board = board

    async def complete(self, request: Request, call: Call) -> Completion:
        noted, before = self._board.enter(call, "sent")
        noted.events = 0
        started = now()

        def count(events: int) -> None:
            noted.events += events

        try:
            completion = await self._inner.complete(request, replace(call, on_events=count))
        except CompletionError as error:
            self._board.failed(noted, error)
            raise
        else:
            self._board.answered(noted, completion.usage.output_tokens)
            return completion
        finally:
            self._board.durations_s.append(now() - started)
            self._board.leave(noted, before)
