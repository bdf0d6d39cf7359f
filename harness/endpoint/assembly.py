"""The events of a stream, or the objects of a body, as the chunks that make up one answer.

Where nobody watches, payloads are kept as bytes and parsed many at a time, which costs a third less
than one by one. Only the first token is looked for at once, for its time. Each payload keeps the
time of its arrival, so that whoever asks when a token came gets the truth, and every payload is
parsed once all the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable

from harness.domain.completion import Completion, OnDelta
from harness.endpoint import foreign_json, payload
from harness.endpoint.chat_answer import Answer, StreamFault
from harness.endpoint.error_report import reports_an_error
from harness.endpoint.fields import choices_of
from harness.endpoint.live_view import LiveView
from harness.endpoint.sse import Event

_BATCH_BYTES = 64 * 1024  # about a millisecond of parsing: the longest the event loop is held


class Assembly:
    """Feed it events in order; then `answer` is what has arrived, whole or not.

    `clock` gives the time of the tokens; `on_delta` is shown each piece; `logprobs`: likelihoods
    were asked for. `done`: `[DONE]` was seen.
    """

    def __init__(
        self, *, clock: Callable[[], float], on_delta: OnDelta | None = None, logprobs: bool = False
    ) -> None:
        self.done = False
        self._clock = clock
        self._view = None if on_delta is None else LiveView(on_delta)
        self.answer = Answer(view=self._view, logprobs=logprobs)
        self._batches = False  # whether payloads may wait to be parsed
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._arrived: list[float] = []  # when each of the pending did
        self._fault: foreign_json.MalformedError | StreamFault | None = None

    def feed(self, events: Iterable[Event]) -> None:
        """Raises MalformedError for garbage and StreamFault for a reported failure.

        What came before is kept.
        """
        if self._fault is not None:
            raise self._fault
        at = self._clock()
        for data, name in events:
            if name == b"" and len(data) >= payload.SHORTEST_CHUNK:
                # Quotes inside a JSON text are escaped, so this is syntax and never somebody's
                # words.
                if self._batches and b'"error"' not in data:
                    self._put_off(data, at)
                    continue
                self.flush()
                self._take_payload(data, at)
                self._batches = self._view is None and bool(self.answer.arrived.count)
            elif name is None:
                self._bare(data, at)
            elif name == b"error":
                self._error_event(data)
            elif name in payload.DONE_NAMES:
                self._end_event(data, at)
            elif name not in payload.HEARTBEAT_NAMES:
                self._short(data, at)
            if self.done:
                return

    def whole(self, objects: Iterable[foreign_json.JsonObject | None]) -> None:
        """Take in an answer that is not streamed: one object, or chunks one after the other.

        None stands for `[DONE]`. Raises MalformedError where it is none, and StreamFault where it
        is an error.
        """
        at = self._clock()
        choices = 0
        for fields in objects:
            if fields is None:
                self.done = True
            else:
                self.answer.take(fields, at)
                choices += len(choices_of(fields))
        if not choices and not self.answer.is_withheld:
            raise foreign_json.MalformedError("a response without choices")

    def flush(self) -> None:
        """Take in the payloads that were put off. Raises as `feed`."""
        if not self._pending:
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        arrived, self._arrived = self._arrived, []
        take = self.answer.take
        for number, chunk in enumerate(_parsed(pending)):
            if chunk is None:
                self._take_payload(pending[number], arrived[number])
            else:
                take(chunk, arrived[number])

    def end(self) -> None:
        """Nothing more comes: show what was held back of what is shown."""
        if self._view is not None:
            self._view.end()

    def last_token_at(self) -> float | None:
        """Return the time of the last piece.

        What is wrong with a payload that was put off is raised by the next `feed`.
        """
        try:
            self.flush()
        except (foreign_json.MalformedError, StreamFault) as fault:
            self._fault = fault
        return self.answer.arrived.last_at

    def partial(self, *, trace_id: str | None) -> Completion | None:
        """Return what had arrived when the stream failed, or None.

        A second fault behind the first is not told.
        """
        with contextlib.suppress(foreign_json.MalformedError, StreamFault):
            self.flush()
        if self.answer.has_begun:
            return self.answer.completion(trace_id=trace_id)
        return None

    def _put_off(self, data: bytes, at: float) -> None:
        self._pending.append(data)
        self._arrived.append(at)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _BATCH_BYTES:
            self.flush()

    def _short(self, data: bytes, at: float) -> None:
        """A payload of few bytes, or of an event with a name of its own."""
        if payload.is_heartbeat(data):
            return
        self.flush()
        if payload.is_done(data):
            self.done = True
        else:
            self._take_payload(data, at)

    def _error_event(self, data: bytes) -> None:
        self.flush()
        try:
            report = foreign_json.json_object(data)
        except foreign_json.MalformedError:
            report = {"error": data.decode(errors="replace")}
        raise StreamFault(report if report.get("error") else {"error": report})

    def _end_event(self, data: bytes, at: float) -> None:
        """An event whose name ends the stream: a last chunk may be in it, or a word."""
        self.flush()
        if data.lstrip().startswith(b"{"):
            self._take_payload(data, at)
        self.done = True

    def _bare(self, line: bytes, at: float) -> None:
        """A line of JSON outside of any event: mostly an error that a proxy writes into a
        stream.
        """
        self.flush()
        chunk = payload.unwrapped(foreign_json.json_object(line))
        if not chunk.get("choices") and not reports_an_error(chunk):
            raise foreign_json.MalformedError(
                f"a line that is no event: {foreign_json.excerpt(line)}"
            )
        self.answer.take(chunk, at)

    def _take_payload(self, data: bytes, at: float) -> None:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            chunk = None
        if type(chunk) is dict and "choices" in chunk:
            self.answer.take(chunk, at)
            return
        for chunk in payload.chunks_in(data):
            if chunk is None:
                self.done = True
                return
            self.answer.take(chunk, at)


def _parsed(payloads: list[bytes]) -> Iterable[foreign_json.JsonObject | None]:
    """Each payload as JSON.

    None for those that are no plain object, where they could not be parsed together.
    """
    try:
        chunks = json.loads(b"[" + b",".join(payloads) + b"]")
    except (ValueError, RecursionError):
        chunks = []
    # Joined, two broken payloads could make a whole one: the count must be right as well.
    if len(chunks) != len(payloads) or not all(type(chunk) is dict for chunk in chunks):
        return [None] * len(payloads)
    parsed: list[foreign_json.JsonObject | None] = []
    for chunk in chunks:
        parsed.append(chunk if "choices" in chunk else None)
    return parsed
