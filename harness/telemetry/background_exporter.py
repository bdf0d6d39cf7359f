"""The exporter to a collector, on a thread of its own: the run never waits for the collector.

What does not fit into the queue, or is not taken by the collector, is dropped and counted, never
kept for later: a night beside a collector that is down takes no more memory than one without.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.telemetry.values import Measurement, TopicStory

MOST_SIZE = 32_000_000
BATCH_SPANS = 512
BATCH_SIZE = 2_000_000
BATCH_WAIT_S = 1.0
METRICS_EVERY_S = 10.0
PATIENCE_S = 5.0
IMPATIENCE_S = 1.0
"""The longest wait at the end of a run for data still to be sent: the latter if nothing ever got
through.
"""

_LAST_WORD_S = 0.2


class Sink(Protocol):
    """The receiver of stories. Only the exporter's thread calls it, but for `give_up`."""

    def send(self, stories: Sequence[TopicStory]) -> str | None:
        """Send spans and count measurements; returns why the spans were not taken, or None if they
        were.
        """
        ...

    def send_metrics(self, levels: Sequence[Measurement]) -> str | None:
        """Send all metrics as they stand, with these levels; returns why they were not taken, or
        None if they were.
        """
        ...

    @property
    def troubled(self) -> bool:
        """True if the request under way has failed before and is tried again. May be asked from
        another thread.
        """
        ...

    def give_up(self) -> None:
        """End what is under way soon: nobody waits for it any more. May be called from another
        thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome for all spans. `why` is the first reason for which any were dropped, or metrics
    were not taken.
    """

    sent: int
    dropped: int
    metrics_taken: bool
    why: str | None


class BackgroundExporter:
    """`offer` never waits and never raises; `close` waits for a while, and says what became of
    everything.
    """

    def __init__(
        self, sink: Sink, *, most_size: int = MOST_SIZE, batch_wait_s: float = BATCH_WAIT_S
    ) -> None:
        self._sink = sink
        self._most_size = most_size
        self._batch_wait_s = batch_wait_s
        self._queue: deque[TopicStory] = deque()
        self._size = self._spans = 0
        self._offered = self._sent = 0
        self._metrics_taken = True
        self._why: str | None = None
        self._closing = False
        self._levels: Sequence[Measurement] = ()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._thread.start()

    def offer(self, story: TopicStory, levels: Sequence[Measurement] = ()) -> None:
        """Take a story along, or drop it where the queue is full. `levels` are the gauges as they
        stand.
        """
        with self._changed:
            self._levels = levels
            self._offered += len(story.spans)
            if self._size + story.size > self._most_size:
                self._why = self._why or "it is too slow"
                return
            self._queue.append(story)
            self._size += story.size
            self._spans += len(story.spans)
            self._changed.notify()

    def note(self, levels: Sequence[Measurement]) -> None:
        """Take the gauges as they stand now: they change also while no topic ends."""
        with self._changed:
            self._levels = levels

    def lose(self, spans: int, why: str) -> None:
        """Count spans that could not even be made."""
        with self._changed:
            self._offered += spans
            self._why = self._why or why

    def close(self, patience_s: float = PATIENCE_S) -> Delivery:
        """Send what is left, as long as patience lasts, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(min(IMPATIENCE_S, patience_s))
        if not (self._sink.troubled and not self._sent):
            self._thread.join(max(0.0, patience_s - IMPATIENCE_S))
        if self._thread.is_alive():
            self._sink.give_up()
            self._thread.join(_LAST_WORD_S)
        with self._changed:
            late = self._thread.is_alive()
            if late:
                self._why = self._why or "it did not answer in time"
            return Delivery(
                sent=self._sent,
                dropped=self._offered - self._sent,
                metrics_taken=self._metrics_taken and not late,
                why=self._why,
            )

    def _work(self) -> None:
        metrics_at = time.monotonic() + METRICS_EVERY_S
        while True:
            batch, last = self._next_batch(metrics_at)
            if batch:
                self._deliver(batch)
            if last or time.monotonic() >= metrics_at:
                self._deliver_metrics()
                metrics_at = time.monotonic() + METRICS_EVERY_S
            if last:
                return

    def _next_batch(self, until: float) -> tuple[list[TopicStory], bool]:
        """Return some stories, when there are enough, or the oldest waited enough, and True if they
        are the last.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._queue or self._closing, max(0.0, until - time.monotonic())
            )
            if self._queue and not self._closing:
                self._changed.wait_for(lambda: self._full() or self._closing, self._batch_wait_s)
            batch: list[TopicStory] = []
            spans = size = 0
            while self._queue and (not batch or (spans < BATCH_SPANS and size < BATCH_SIZE)):
                story = self._queue.popleft()
                batch.append(story)
                spans += len(story.spans)
                size += story.size
            self._spans -= spans
            # Their size counts until they are delivered: till then the memory is theirs.
            return batch, self._closing and not self._queue

    def _full(self) -> bool:
        return self._size >= BATCH_SIZE or self._spans >= BATCH_SPANS

    def _deliver(self, batch: Sequence[TopicStory]) -> None:
        why = _reason(lambda: self._sink.send(batch))
        spans = sum(len(story.spans) for story in batch)
        with self._changed:
            self._size -= sum(story.size for story in batch)
            if why is None:
                self._sent += spans
            else:
                self._why = self._why or why

    def _deliver_metrics(self) -> None:
        with self._changed:
            levels = self._levels
        why = _reason(lambda: self._sink.send_metrics(levels))
        with self._changed:
            self._metrics_taken = why is None
            self._why = self._why or why


def _reason(send: Callable[[], str | None]) -> str | None:
    """Return why it was not taken, or None if it was; an error is a reason like any other, and the
    thread goes on.
    """
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - told at the end
        return repr(error)
