"""A completion put together from the chunks of a stream, or from the one object of a whole answer.

Where nobody watches, payloads are kept as bytes and parsed many at a time, which costs a third less than one by one.
Only the first token is looked for at once, for its time. Each payload keeps the time of its arrival, so that whoever
asks when a token came gets the truth, and every payload is parsed once all the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from harness.adapters.endpoint import payload, thinking, usages, wire
from harness.adapters.endpoint.calls import Calls
from harness.adapters.endpoint.fields import choices_of, object_of
from harness.adapters.endpoint.filtered import blocked_in, filtered_in
from harness.adapters.endpoint.pieces import PLAIN_FIELDS, said_in
from harness.adapters.endpoint.report import reports_an_error
from harness.adapters.endpoint.sse import Event
from harness.adapters.endpoint.who import Who
from harness.domain.completion import Completion, OnDelta, Usage
from harness.domain.finish import finish_of, plain_reason, truer_reason

_BATCH_BYTES = 64 * 1024  # about a millisecond of parsing: the longest the event loop is held
_PLAIN_CHOICE = 4
"""Fields of a choice that holds nothing but `index`, `delta`, `logprobs` and `finish_reason`."""


class StreamFault(Exception):  # noqa: N818 - it carries a server's report, which becomes one of our errors later
    """The stream says that it failed: `report` is the JSON object that says so."""

    def __init__(self, report: wire.JsonObject) -> None:
        super().__init__("an error event")
        self.report = report


class Assembly:
    """Feed it events in order; then `completion` is what has arrived, whole or not.

    `clock` gives the time of the tokens; `on_delta` is shown each piece. `done`: `[DONE]` was seen. `cost` is what the
    server says that the answer cost, in USD.
    """

    def __init__(self, *, clock: Callable[[], float], on_delta: OnDelta | None = None) -> None:
        self.done = False
        self.usage: Usage | None = None
        self._counted_pieces = -1  # so many pieces had come when the last usage did; -1: none has
        self._usages_with_text = 0
        self.cost: float | None = None
        self._clock = clock
        self._on_delta = on_delta
        self._view = None if on_delta is None else thinking.LiveView(on_delta)
        self._begun = False  # a chunk that names the model has come
        self._batches = False  # whether payloads may wait to be parsed
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._arrived: list[float] = []  # when each of the pending did
        self._fault: wire.MalformedError | StreamFault | None = None
        self._index: object = None  # of the choice that is read, None before the first
        self._who = Who()
        self._said_fingerprint: object = None  # by the last chunk: one with the same says nothing new
        self._reason = ""
        self._native_reason = ""
        self._refusal: list[str] | None = None
        self._filtered: list[str] = []
        self._timings: object = None
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._calls = Calls()
        # When each piece came.
        self._reasoning_at: list[float] = []
        self._answer_at: list[float] = []
        self._calls_at: list[float] = []

    def feed(self, events: Iterable[Event]) -> None:
        """Raises MalformedError for garbage and StreamFault for a reported failure; what came before is kept."""
        if self._fault is not None:
            raise self._fault
        at = self._clock()
        for data, name in events:
            if name == b"" and len(data) >= payload.SHORTEST_CHUNK:
                # Quotes inside a JSON text are escaped, so this is syntax and never somebody's words.
                if self._batches and b'"error"' not in data:
                    self._put_off(data, at)
                    continue
                self.flush()
                self._take_payload(data, at)
                self._batches = self._view is None and bool(self._pieces)
            elif name is None:
                self._bare(data, at)
            elif name == b"error":
                self._error_event(data)
            elif name not in payload.HEARTBEAT_NAMES:
                self._short(data, at)
            if self.done:
                return

    def whole(self, objects: Iterable[wire.JsonObject | None]) -> None:
        """Take in an answer that is not streamed: one object, or chunks one after the other; None stands for `[DONE]`.

        Raises MalformedError where it is none, and StreamFault where it is an error.
        """
        at = self._clock()
        choices = 0
        for fields in objects:
            if fields is None:
                self.done = True
            else:
                self._take(fields, at)
                choices += len(choices_of(fields))
        if not choices and not self._filtered:
            raise wire.MalformedError("a response without choices")

    def flush(self) -> None:
        """Take in the payloads that were put off. Raises as `feed`."""
        if not self._pending:
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        arrived, self._arrived = self._arrived, []
        for data, chunk, at in zip(pending, _parsed(pending), arrived, strict=True):
            if "choices" in chunk:
                self._take(chunk, at)
            else:
                self._take_payload(data, at)

    def end(self) -> None:
        """Nothing more comes: show what was held back of what is shown."""
        if self._view is not None:
            self._view.end()

    @property
    def reason(self) -> str:
        """Why the answer ended, in OpenAI's words where it has one; "" where nobody said it."""
        reason = plain_reason(truer_reason(self._reason, self._native_reason))
        if self._filtered and not self._says_something and finish_of(reason) in ("whole", "untold"):
            return "content_filter"
        return "" if finish_of(reason) == "untold" else reason

    @property
    def says_something(self) -> bool:
        """Whether there is an answer, if not a whole one: a text, a call, or words of refusal."""
        return self._says_something or self._refusal is not None

    @property
    def counted(self) -> bool:
        """Whether a usage came at the end, behind the last token or once with it: whoever is cut sends none."""
        return self._counted_pieces == self._pieces and self._usages_with_text <= 1

    @property
    def calls_tools(self) -> bool:
        return bool(self._calls)

    @property
    def first_token_at(self) -> float | None:
        """When the first piece came that holds reasoning, answer or a part of a tool call; None: none has."""
        return min((times[0] for times in self._times), default=None)

    def first_times(self) -> tuple[float | None, float | None]:
        """When the first token of the reasoning and of the answer came; None: none did."""
        reasoning_at = self._reasoning_at[0] if self._reasoning_at else None
        if not self._answer_at:
            return reasoning_at, None
        reasoning, answer = self._told_apart()
        if reasoning_at is not None or not reasoning:
            return reasoning_at, self._answer_at[0]
        return self._answer_at[0], self._arrival_of(len("".join(self._answer)) - len(answer)) if answer else None

    def last_token_at(self) -> float | None:
        """When the last such piece came. What is wrong with a payload that was put off is raised by the next `feed`."""
        try:
            self.flush()
        except (wire.MalformedError, StreamFault) as fault:
            self._fault = fault
        return max((times[-1] for times in self._times), default=None)

    def completion(self, *, trace_id: str | None, reason: str | None = None) -> Completion:
        """Everything taken in so far. `reason` is why it ended, where the caller knows better."""
        reasoning, answer = self._told_apart()
        usage = self.usage
        if usage is None or not usage.total_tokens:
            usage = usages.timings_of(self._timings) or usage
        return Completion(
            model=self._who.model,
            content=answer,
            reasoning=reasoning,
            finish_reason=self.reason if reason is None else reason,
            tool_calls=self._calls.whole(),
            usage=usage or Usage(),
            fingerprint=self._who.fingerprint or None,
            earlier=self._who.earlier,
            trace_id=trace_id,
            cost=self.cost,
            refusal=self._declined(),
        )

    def partial(self, *, trace_id: str | None) -> Completion | None:
        """What had arrived when the stream failed, or None. A second fault behind the first is not told."""
        with contextlib.suppress(wire.MalformedError, StreamFault):
            self.flush()
        arrived = self._answer or self._reasoning or self._calls or self.usage or self._refusal is not None
        return self.completion(trace_id=trace_id) if arrived else None

    @property
    def _times(self) -> list[list[float]]:
        """When pieces came, of each kind of which any did."""
        return [times for times in (self._reasoning_at, self._answer_at, self._calls_at) if times]

    @property
    def _pieces(self) -> int:
        return len(self._reasoning_at) + len(self._answer_at) + len(self._calls_at)

    @property
    def _says_something(self) -> bool:
        return bool(self._calls) or any(text.strip() for text in self._answer)

    def _told_apart(self) -> thinking.Split:
        """The reasoning and the answer: where the server does not tell them apart, by the tags at the text's head."""
        text, reasoning = "".join(self._answer), "".join(self._reasoning)
        if reasoning.strip():
            return thinking.Split(reasoning, thinking.without_blank_lines(text))
        found = thinking.split(text)
        return found if found.answer != text else thinking.Split(reasoning, text)

    def _arrival_of(self, place: int) -> float:
        """When the character at this place of the text came."""
        ends = accumulate(map(len, self._answer))
        return next(at for end, at in zip(ends, self._answer_at, strict=True) if end > place)

    def _declined(self) -> str:
        """The words of a refusal, or what a filter found."""
        if self._refusal is not None:
            return "".join(self._refusal).strip() or "it gave no words"
        return ", ".join(dict.fromkeys(self._filtered)) if self.reason == "content_filter" else ""

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
            report = wire.json_object(data)
        except wire.MalformedError:
            report = {"error": data.decode(errors="replace")}
        raise StreamFault(report if report.get("error") else {"error": report})

    def _bare(self, line: bytes, at: float) -> None:
        """A line of JSON outside of any event: mostly an error that a proxy writes into a stream."""
        self.flush()
        chunk = payload.unwrapped(wire.json_object(line))
        if not chunk.get("choices") and not reports_an_error(chunk):
            raise wire.MalformedError(f"a line that is no event: {wire.excerpt(line)}")
        self._take(chunk, at)

    def _take_payload(self, data: bytes, at: float) -> None:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            chunk = None
        if type(chunk) is dict and "choices" in chunk:
            self._take(chunk, at)
            return
        for chunk in payload.chunks_in(data):
            if chunk is None:
                self.done = True
                return
            self._take(chunk, at)

    def _take(self, chunk: wire.JsonObject, at: float) -> None:
        """Most chunks hold one plain delta and nothing else that is new: those come first."""
        choices = chunk.get("choices")
        if self._begun and type(choices) is list and len(choices) == 1 and not chunk.get("usage"):
            choice = choices[0]
            if type(choice) is dict and len(choice) <= _PLAIN_CHOICE and choice.get("index") == self._index:
                delta = choice.get("delta")
                if delta and type(delta) is dict and not choice.get("finish_reason") and not chunk.get("error"):
                    # Another model stays to the end, and the last chunks are none of these.
                    if chunk.get("system_fingerprint") != self._said_fingerprint:
                        self._name(chunk)
                    self._take_delta(delta, at)
                    return
        self._take_any(chunk, at)

    def _take_any(self, chunk: wire.JsonObject, at: float) -> None:
        if chunk.get("error") and reports_an_error(chunk):
            raise StreamFault(chunk)
        self._name(chunk)
        pieces = self._pieces
        choices = choices_of(chunk)
        for choice in choices:
            self._take_choice(choice, chunk, at)
        if not choices:
            self._take_rest(chunk)
        if chunk.get("usage"):
            self._take_usage(chunk["usage"])
            self._usages_with_text += self._pieces > pieces
        self._begun = bool(self._who.model)

    def _name(self, chunk: wire.JsonObject) -> None:
        self._said_fingerprint = chunk.get("system_fingerprint")
        self._who.take(chunk)

    def _take_rest(self, chunk: wire.JsonObject) -> None:
        """A chunk without a choice: an error, an account of the work, or nothing."""
        blocked = blocked_in(chunk)
        if blocked:
            self._filtered.append(blocked)
        elif reports_an_error(chunk) and not payload.says_nothing(chunk):
            raise StreamFault(chunk)
        self._take_account(chunk)

    def _take_account(self, chunk: wire.JsonObject) -> None:
        """What stands beside the choices of the last chunks only."""
        self._timings = chunk.get("timings") or self._timings
        elsewhere = object_of(object_of(chunk, "x_groq"), "usage")
        if elsewhere:
            self._take_usage(elsewhere)

    def _take_usage(self, fields: object) -> None:
        usage = usages.usage_of(fields)
        if usage is None:
            return
        self.usage = usages.merged(self.usage, usage)
        if usage.total_tokens:
            self._counted_pieces = self._pieces
        cost = usages.cost_of(fields)
        self.cost = self.cost if cost is None else cost

    def _take_choice(self, choice: dict[str, Any], chunk: wire.JsonObject, at: float) -> None:
        index = choice.get("index")
        if index != self._index and index is not None:
            if self._index is not None:
                return  # another answer to the same request, which was not asked for
            self._index = index
        delta = choice.get("delta")
        if delta:
            if type(delta) is not dict:
                raise wire.MalformedError("a delta that is no object")
            self._take_delta(delta, at)
        if choice.get("finish_reason") or len(choice) > _PLAIN_CHOICE or not delta:
            self._take_end(choice, chunk, at)

    def _take_end(self, choice: dict[str, Any], chunk: wire.JsonObject, at: float) -> None:
        """What a choice holds besides a delta, mostly at the end."""
        if choice.get("error"):
            raise StreamFault({"error": choice["error"]})
        if not choice.get("delta"):
            self._take_message(choice, at)
        reason = choice.get("finish_reason")
        if reason:
            self._take_reason(reason)
        native = choice.get("native_finish_reason") or _behind(choice).get("native_finish_reason")
        if isinstance(native, str):
            self._native_reason = native
        if choice.get("usage"):
            self._take_usage(choice["usage"])
        self._filtered.extend(filtered_in(choice))
        if reason:
            blocked = blocked_in(chunk)
            self._filtered.extend([blocked] if blocked else [])
            self._take_account(chunk)

    def _take_reason(self, reason: object) -> None:
        if isinstance(reason, dict):  # SGLang's own API: {"type": "stop", "matched": …}
            reason = reason.get("type") or reason.get("reason")
        if not isinstance(reason, str):
            raise wire.MalformedError(f"'finish_reason' is no text but {type(reason).__name__}")
        if finish_of(reason) != "untold":
            self._reason = reason

    def _take_message(self, choice: dict[str, Any], at: float) -> None:
        """A whole message, or a bare text as completions have it. In a stream it may repeat all that came before."""
        message = choice.get("message")
        if isinstance(message, dict):
            came = "".join(self._answer)
            content = message.get("content")
            if came and isinstance(content, str) and content.startswith(came):
                message = {**message, "content": content[len(came) :], "reasoning_content": None, "reasoning": None}
            self._take_delta(message, at)
        elif message is not None:
            raise wire.MalformedError("a message that is no object")
        elif isinstance(choice.get("text"), str):
            self._take_delta({"content": choice["text"]}, at)

    def _take_delta(self, delta: dict[str, Any], at: float) -> None:
        answer, reasoning, calls = delta.get("content"), delta.get("reasoning_content"), None
        plain = (answer is None or type(answer) is str) and (reasoning is None or type(reasoning) is str)
        if answer is None or len(delta) > 1:
            for name, value in delta.items():
                if value and name not in PLAIN_FIELDS:
                    if name == "tool_calls":
                        calls = value
                    elif name == "reasoning" and type(value) is str:
                        reasoning = reasoning or value
                    else:
                        plain = False
        if not plain:
            answer, reasoning = self._take_other_fields(delta)
        if calls or (not plain and "function_call" in delta):
            self._take_calls(calls or [{"index": 0, "function": delta["function_call"]}], at)
        if reasoning:
            self._reasoning.append(reasoning)
            self._reasoning_at.append(at)
            if self._view is not None:
                self._view.reasoning(reasoning)
        if answer:
            self._answer.append(answer)
            self._answer_at.append(at)
            if self._view is not None:
                self._view.answer(answer)

    def _take_calls(self, pieces: object, at: float) -> None:
        if self._calls.take(pieces):
            self._calls_at.append(at)

    def _take_other_fields(self, delta: dict[str, Any]) -> tuple[str, str]:
        """The texts wherever they stand, the answer and the reasoning; and what else it is that they stand beside."""
        said = said_in(delta)
        if said.refusal is not None:
            self._refusal = [*(self._refusal or ()), said.refusal]
        native = _behind(delta).get("native_finish_reason")
        if isinstance(native, str):
            self._native_reason = native
        return said.answer, said.reasoning


def _behind(fields: dict[str, Any]) -> dict[str, Any]:
    """What litellm passes on of the provider behind it."""
    return object_of(fields, "provider_specific_fields")


def _parsed(payloads: list[bytes]) -> list[wire.JsonObject]:
    """Each payload as JSON; empty objects where they could not be parsed together."""
    try:
        chunks: list[wire.JsonObject] = json.loads(b"[" + b",".join(payloads) + b"]")
    except (ValueError, RecursionError):
        chunks = []
    # Joined, two broken payloads could mend each other: the count must be right as well.
    if len(chunks) == len(payloads) and set(map(type, chunks)) == {dict}:
        return chunks
    return [{}] * len(payloads)
