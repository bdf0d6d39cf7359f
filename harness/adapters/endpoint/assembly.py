"""A completion put together from the events of a stream.

Where nobody watches, payloads are kept as bytes and parsed many at a time, which costs a third less than one by one.
Only the first token of each kind is looked for at once, for its time. Each payload keeps the time of its arrival, so
that whoever asks when the last token came gets the truth, and every payload is parsed once all the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.adapters.endpoint import wire
from harness.adapters.endpoint.report import reports_an_error
from harness.adapters.endpoint.sse import Event
from harness.domain.completion import Completion, Delta, OnDelta, ToolCall, Usage

_BATCH_BYTES = 64 * 1024  # about a millisecond of parsing: the longest the event loop is held
_DONE = b"[DONE]"


class StreamFault(Exception):  # noqa: N818 - it carries a server's report, which becomes one of our errors later
    """The stream says that it failed: `report` is the JSON object that says so."""

    def __init__(self, report: wire.JsonObject) -> None:
        super().__init__("an error event")
        self.report = report


@dataclass(slots=True)
class _ToolCallParts:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembly:
    """Feed it events in order; then `completion` is what has arrived, whole or not.

    `clock` gives the time of the first tokens; `on_delta` is shown each piece. `done`: `[DONE]` was seen.
    """

    def __init__(self, *, clock: Callable[[], float], on_delta: OnDelta | None = None) -> None:
        self.done = False
        self.first_reasoning_at: float | None = None
        self.first_answer_at: float | None = None
        self.usage: Usage | None = None
        self.finish_reason = ""
        self._clock = clock
        self._on_delta = on_delta
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._arrived: list[float] = []  # when each of the pending did
        self._fault: wire.MalformedError | StreamFault | None = None
        self._first_tool_call_at: float | None = None
        self._token_at: float | None = None
        self._model = ""
        self._fingerprint = ""
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._tools: dict[int, _ToolCallParts] = {}

    def feed(self, events: Iterable[Event]) -> None:
        """Raises MalformedError for garbage and StreamFault for a reported failure; what came before is kept."""
        if self._fault is not None:
            raise self._fault
        at = self._clock()
        for data, name in events:
            if name is None:
                self._bare(data)
            elif name == b"error":
                self._error_event(data)
            elif data.strip() == _DONE:
                self.flush()
                self.done = True
                return
            elif self._can_wait(data):
                self._pending.append(data)
                self._arrived.append(at)
                self._pending_bytes += len(data)
                if self._pending_bytes >= _BATCH_BYTES:
                    self.flush()
            else:
                self.flush()
                self._take(wire.json_object(data), at)

    def flush(self) -> None:
        """Take in the payloads that were put off. Raises as `feed`."""
        if not self._pending:
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        arrived, self._arrived = self._arrived, []
        for chunk, at in zip(_parsed(pending), arrived, strict=False):
            self._take(chunk, at)

    @property
    def first_token_at(self) -> float | None:
        """When the first piece came that holds reasoning, answer or a part of a tool call; None: none has."""
        times = (self.first_reasoning_at, self.first_answer_at, self._first_tool_call_at)
        return min((at for at in times if at is not None), default=None)

    def last_token_at(self) -> float | None:
        """When the last such piece came. What is wrong with a payload that was put off is raised by the next `feed`."""
        try:
            self.flush()
        except (wire.MalformedError, StreamFault) as fault:
            self._fault = fault
        return self._token_at

    def completion(self, *, trace_id: str | None) -> Completion:
        """Everything taken in so far."""
        return Completion(
            model=self._model,
            content="".join(self._answer),
            reasoning="".join(self._reasoning),
            finish_reason=self.finish_reason,
            tool_calls=tuple(
                ToolCall(id=call.id, name=call.name, arguments="".join(call.arguments))
                for _, call in sorted(self._tools.items())
            ),
            usage=self.usage or Usage(),
            fingerprint=self._fingerprint or None,
            trace_id=trace_id,
        )

    def partial(self, *, trace_id: str | None) -> Completion | None:
        """What had arrived when the stream failed, or None. A second fault behind the first is not told."""
        with contextlib.suppress(wire.MalformedError, StreamFault):
            self.flush()
        arrived = self._answer or self._reasoning or self._tools or self.usage
        return self.completion(trace_id=trace_id) if arrived else None

    def _can_wait(self, data: bytes) -> bool:
        if self._on_delta is not None or (self.first_reasoning_at is None and self.first_answer_at is None):
            return False
        # Quotes inside a JSON text are escaped, so these patterns are syntax and never somebody's words.
        if b'"error"' in data:
            return False
        return self.first_answer_at is not None or b'"content":null' in data or b'"content"' not in data

    def _error_event(self, data: bytes) -> None:
        self.flush()
        try:
            report = wire.json_object(data)
        except wire.MalformedError:
            report = {"error": data.decode(errors="replace")}
        raise StreamFault(report if report.get("error") else {"error": report})

    def _bare(self, line: bytes) -> None:
        self.flush()
        report = wire.json_object(line)
        if not reports_an_error(report):
            raise wire.MalformedError(f"a line that is no event: {wire.excerpt(line)}")
        raise StreamFault(report)

    def _take(self, chunk: wire.JsonObject, at: float) -> None:
        if chunk.get("error"):
            raise StreamFault(chunk)
        if chunk.get("usage"):
            self.usage = wire.usage(chunk["usage"]) or self.usage  # the latest wins
        if not self._model:
            self._model = wire.text_of(chunk, "model")
        if not self._fingerprint:
            self._fingerprint = wire.text_of(chunk, "system_fingerprint")
        choice = wire.first_choice(chunk)
        if choice is None:
            if reports_an_error(chunk):
                raise StreamFault(chunk)
            return
        if choice.get("finish_reason"):
            self.finish_reason = wire.text_of(choice, "finish_reason")
        delta = choice.get("delta")
        if not delta:
            return
        if not isinstance(delta, dict):
            raise wire.MalformedError("a delta that is no object")
        self._take_delta(delta, at)

    def _take_delta(self, delta: dict[str, Any], at: float) -> None:
        if reasoning := wire.reasoning_of(delta):
            self._token_at = at
            if self.first_reasoning_at is None:
                self.first_reasoning_at = at
            self._reasoning.append(reasoning)
            if self._on_delta is not None:
                self._on_delta(Delta(kind="reasoning", text=reasoning))
        if answer := wire.text_of(delta, "content"):
            self._token_at = at
            if self.first_answer_at is None:
                self.first_answer_at = at
            self._answer.append(answer)
            if self._on_delta is not None:
                self._on_delta(Delta(kind="answer", text=answer))
        if delta.get("tool_calls"):
            self._take_tool_calls(delta["tool_calls"], at)

    def _take_tool_calls(self, pieces: object, at: float) -> None:
        if not isinstance(pieces, list):
            raise wire.MalformedError("tool calls that are no list")
        for position, piece in enumerate(pieces):
            if not isinstance(piece, dict):
                raise wire.MalformedError("a tool call that is no object")
            index = piece.get("index", position)
            if not isinstance(index, int):
                raise wire.MalformedError("a tool call whose index is no number")
            call = self._tools.setdefault(index, _ToolCallParts())
            function = piece.get("function") or {}
            if not isinstance(function, dict):
                raise wire.MalformedError("a tool call without a function")
            name, arguments = wire.text_of(function, "name"), wire.text_of(function, "arguments")
            if arguments or (name and not call.name):
                self._token_at = at
                if self._first_tool_call_at is None:
                    self._first_tool_call_at = at
            call.id = call.id or wire.text_of(piece, "id")
            call.name = call.name or name
            call.arguments.append(arguments)


def _parsed(payloads: list[bytes]) -> Iterable[wire.JsonObject]:
    try:
        chunks = json.loads(b"[" + b",".join(payloads) + b"]")
    except (ValueError, RecursionError):
        chunks = []
    # Joined, two broken payloads could mend each other: the count must be right as well.
    if len(chunks) == len(payloads) and all(type(chunk) is dict for chunk in chunks):
        yield from chunks
        return
    for payload in payloads:
        yield wire.json_object(payload)
