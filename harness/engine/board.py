"""The calls under way, for a display: each layer tells the call's tracker where the call is.

Nothing of it decides anything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from harness.domain.causes import cause_of
from harness.domain.failures import CompletionError, TransientError
from harness.domain.recorded_call import step_of
from harness.domain.tracker import Stage, Tracker
from harness.engine.clock import now

KEPT_FAILURES = 8
KEPT_DURATIONS = 64


class UnderWay(Tracker):
    """A call under way: at its stage since `since_s` of the loop's time, `received` events of its
    answer have come.
    """

    __slots__ = ("_board", "received", "since_s", "span_id", "stage", "topic_id")

    def __init__(self, board: Board, topic_id: str, span_id: str) -> None:
        self._board = board
        self.topic_id = topic_id
        self.span_id = span_id
        self.stage: Stage = "cache"
        self.since_s = now()
        self.received = 0

    @property
    def step(self) -> str:
        """The step's name, without the path to it and without its number."""
        return step_of(self.span_id)

    def at(self, stage: Stage) -> None:
        """Note the stage; the request that was on its way until now has come to its end."""
        at_s = now()
        if self.stage == "sent":
            self._board.durations_s.append(at_s - self.since_s)
        if stage == "sent":
            self.received = 0
        self.stage, self.since_s = stage, at_s

    def events(self, number: int) -> None:
        """Count what has come of the answer."""
        self.received += number

    def answered(self, output_tokens: int) -> None:
        """Learn how many tokens an event was worth."""
        self._board.learn(self, output_tokens)

    def failed(self, error: CompletionError) -> None:
        """Keep the failure, as one of the last."""
        self._board.keep(self, error)

    def ended(self) -> None:
        """Take the call off the board."""
        if self.stage == "sent":
            self._board.durations_s.append(now() - self.since_s)
        self._board.forget(self)


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

    def begin(self, topic_id: str, span_id: str) -> UnderWay:
        """A call is wanted: at the cache first."""
        call = self._calls[topic_id, span_id] = UnderWay(self, topic_id, span_id)
        return call

    def forget(self, call: UnderWay) -> None:
        """A call is under way no more."""
        del self._calls[call.topic_id, call.span_id]

    def learn(self, call: UnderWay, output_tokens: int) -> None:
        """Learn from a stream that is whole how many tokens an event of it is worth."""
        if call.received and output_tokens:
            self._events += call.received
            self._tokens += output_tokens

    def tokens_of(self, call: UnderWay) -> int:
        """About how many tokens have come; an event is taken for one until a whole answer told
        better.
        """
        if not self._events:
            return call.received
        return round(call.received * self._tokens / self._events)

    def keep(self, call: UnderWay, error: CompletionError) -> None:
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
