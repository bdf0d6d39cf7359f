"""One request and its response: what was sent, what has come, and the one outcome it leads to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from harness.domain.attempt import OnSilence
from harness.domain.completion import Completion, OnDelta, Served
from harness.domain.failures import (
    TORN_STREAM_ADVICE,
    CompletionError,
    PermanentError,
    TransientError,
)
from harness.domain.policy import Timeouts
from harness.endpoint import ends, error_mapping, foreign_json, payload
from harness.endpoint.assembly import Assembly
from harness.endpoint.body import Kind, kind_of
from harness.endpoint.chat_answer import StreamFault
from harness.endpoint.deadline import Deadline
from harness.endpoint.sse import EventTooLongError, SSEParser
from harness.endpoint.usages import amount_of
from harness.errors import FailureKind
from harness.machine.threads import off_loop
from harness.ports import WallClock

if TYPE_CHECKING:
    from harness.endpoint.chat_client import ChatClient, Response

_MAX_PLAIN_BYTES = 64 * 1024 * 1024  # forty times the longest answer
_COST_HEADER = "x-litellm-response-cost"  # in USD; 0.0 where litellm knows no price
_SERVER_HEADER = "x-litellm-model-id"  # which of the servers behind litellm the answer is from
_DRAIN_S = 0.1  # after `[DONE]` only the end of the body is owed; without it the connection cannot be used again


class Exchange:
    """Run it once.

    `who` names the endpoint in messages, `habits` is what it has shown of how it ends its streams.
    `logprobs`: the request asks for likelihoods, so those that come are kept.
    """

    def __init__(
        self,
        client: ChatClient,
        *,
        who: str,
        timeouts: Timeouts,
        wall_clock: WallClock,
        stream: bool,
        logprobs: bool,
        habits: ends.StreamHabits,
        on_delta: OnDelta | None,
        on_events: Callable[[int], None] | None = None,
        on_life: Callable[[], None] | None = None,
        on_silence: Callable[[float], OnSilence] | None = None,
    ) -> None:
        self._client = client
        self._who = who
        self._timeouts = timeouts
        self._wall_clock = wall_clock
        self._stream = stream
        self._habits = habits
        self._number = 0
        self._on_events = on_events
        self._on_life = on_life
        self._on_delta = on_delta
        self._logprobs = logprobs
        self._assembly = self._new_assembly(on_delta)
        self._deadline = Deadline(
            first_token_s=timeouts.first_token_s,
            idle_s=timeouts.idle_s,
            total_s=timeouts.total_s,
            last_token_at=self._assembly.last_token_at,
            on_silence=on_silence,
        )
        self._sent = b""
        self._streaming = False
        self._response: Response | None = None
        self._headers: Mapping[str, str] = {}

    async def run(self, content: bytes) -> Completion | CompletionError:
        """Return the completion, or the error to be raised.

        The error is a value, so that it chains to no foreign exception.
        """
        self._sent = content
        self._habits.sent = self._number = self._habits.sent + 1
        try:
            with self._deadline:
                return await self._answer(content)
            return self._expired()
        finally:
            if self._response is not None:
                with anyio.CancelScope(shield=True):
                    await self._response.close()

    def _new_assembly(self, on_delta: OnDelta | None) -> Assembly:
        return Assembly(
            clock=asyncio.get_running_loop().time, on_delta=on_delta, logprobs=self._logprobs
        )

    async def _answer(self, content: bytes) -> Completion | CompletionError:
        try:
            self._response = await self._client.post(content)
            self._headers = self._response.headers
            self._deadline.heard()
            if self._response.status_code >= 300:
                return self._refused(self._response)
            body = self._response.body()
            head, kind = await self._head(body, self._headers.get("content-type", "").lower())
            return await (
                self._streamed(head, body) if kind == "events" else self._plain(head, body)
            )
        except self._client.errors as error:
            return self._broken(error)
        except StreamFault as fault:
            return error_mapping.reported_error(
                fault.report, origin=self._origin(), partial=self._partial()
            )
        except foreign_json.PageError as error:
            return self._transient("gateway", f"{self._who} sent what is no completion: {error}")
        except (foreign_json.MalformedError, EventTooLongError) as error:
            return self._transient("malformed", f"{self._who} sent what is no completion: {error}")

    async def _head(self, body: AsyncIterator[bytes], content_type: str) -> tuple[bytes, Kind]:
        """The beginning of the body, as much as tells what it is."""
        head, size = b"", 0
        async for data in body:
            self._deadline.heard()
            size += len(data)
            # A queue sends blank lines for as long as it lasts: they tell nothing, and are not
            # kept.
            head = (head + data).lstrip()
            kind = kind_of(head, content_type, asked_to_stream=self._stream)
            if kind is not None:
                return head, kind
            if size > _MAX_PLAIN_BYTES:
                break
        return (
            head,
            kind_of(head, content_type, asked_to_stream=self._stream, ended=True) or "whole",
        )

    async def _streamed(
        self, head: bytes, body: AsyncIterator[bytes]
    ) -> Completion | CompletionError:
        parser, assembly = SSEParser(), self._assembly
        self._streaming = True
        begun = self._hear(head, parser, begun=False)
        if not assembly.done:
            async for data in body:
                begun = self._hear(data, parser, begun=begun)
                if assembly.done:
                    break
            else:
                torn = self._torn_end(parser)
                if torn is not None:
                    return torn
        latency_s = self._deadline.elapsed_s
        assembly.end()
        if not assembly.done and not assembly.answer.reason:
            text = f"the stream of {self._who} ended without [DONE] and without a finish reason"
            return self._torn("incomplete", text)
        await self._drain(body)
        if self._broke_off_behind():
            text = (
                f"the stream of {self._who} broke off behind its gateway, which ended it with a"
                " count of its own"
            )
            return self._transient("incomplete", text)
        ttft_reasoning_at, ttft_answer_at = assembly.answer.arrived.first_times()
        served = Served(
            ttft_reasoning_s=self._since_start(ttft_reasoning_at),
            ttft_answer_s=self._since_start(ttft_answer_at),
            latency_s=latency_s,
        )
        return self._completion(assembly, served, streamed=True)

    def _completion(self, assembly: Assembly, served: Served, *, streamed: bool) -> Completion:
        """Return what has arrived and why it ended, as told or as judged by this server's
        habits.
        """
        answer = assembly.answer
        reason = answer.reason
        seen = ends.Seen(
            streamed=streamed,
            done=assembly.done,
            says_something=answer.says_something,
            counted=answer.counted,
            alone=self._habits.sent == self._number,
        )
        if not reason and ends.stopped_by_itself(seen, self._habits):
            reason = "tool_calls" if answer.calls_tools else "stop"
            ends.learn(seen, self._habits)
        elif reason and streamed:
            ends.learn(None, self._habits)
        return answer.completion(
            trace_id=self._trace_id(), reason=reason, served=served, cost=_cost_in(self._headers)
        )

    def _broke_off_behind(self) -> bool:
        return ends.broke_off_behind(
            self._headers.get(_SERVER_HEADER, ""),
            self._habits,
            counted_by_gateway=self._assembly.answer.counted_by_gateway,
        )

    def _hear(self, data: bytes, parser: SSEParser, *, begun: bool) -> bool:
        """Take in bytes of a stream; the value is whether its first token has come."""
        if not begun:
            self._deadline.heard()
        events = parser.feed(data)
        if self._on_events is not None:
            self._on_events(len(events))
        self._assembly.feed(events)
        return begun or self._begins(signs_of_life=bool(events) or parser.commented)

    def _begins(self, *, signs_of_life: bool) -> bool:
        """Return whether the first token has come, when the deadline is told of it."""
        if signs_of_life:
            self._lives()
        if self._assembly.answer.arrived.first_at is None:
            return False
        self._deadline.begun()
        return True

    def _lives(self) -> None:
        """Tell, once, that the server works on this request."""
        if self._on_life is not None:
            self._on_life()
            self._on_life = None

    def _torn_end(self, parser: SSEParser) -> CompletionError | None:
        """Take in what the end of a stream without `[DONE]` completes.

        The error where it ended in the middle.
        """
        assembly = self._assembly
        assembly.flush()
        try:
            assembly.feed(parser.close())
            assembly.flush()
        except foreign_json.PageError:
            raise
        except foreign_json.MalformedError as error:
            return self._torn(
                "malformed", f"the stream of {self._who} ended in the middle: {error}"
            )
        return None

    async def _drain(self, body: AsyncIterator[bytes]) -> None:
        # Shielded: an answer that has arrived is not lost to a deadline or a Ctrl-C in this tenth
        # of a second.
        with anyio.move_on_after(_DRAIN_S, shield=True), contextlib.suppress(*self._client.errors):
            async for _ in body:
                pass

    async def _plain(self, head: bytes, body: AsyncIterator[bytes]) -> Completion | CompletionError:
        pieces, size = [head], len(head)
        async for data in body:
            self._deadline.heard()
            pieces.append(data)
            size += len(data)
            if size > _MAX_PLAIN_BYTES:
                raise foreign_json.MalformedError(f"more than {_MAX_PLAIN_BYTES} bytes")
        latency_s = self._deadline.elapsed_s
        # Leading blank lines, by which a queue keeps the connection alive, are legal JSON.
        objects = await off_loop(lambda: payload.objects_in(b"".join(pieces)), size)
        # Whoever watches sees the answer also where it comes whole.
        assembly = self._new_assembly(self._on_delta)
        assembly.whole(objects)
        assembly.end()
        served = Served(latency_s=latency_s)
        completion = self._completion(assembly, served, streamed=len(objects) > 1)
        self._lives()
        return completion

    def _refused(self, response: Response) -> CompletionError:
        return error_mapping.status_error(
            status=response.status_code, body=response.content, origin=self._origin()
        )

    def _origin(self) -> error_mapping.Origin:
        return error_mapping.Origin(
            who=self._who, now=self._wall_clock.now(), headers=self._headers, sent=self._sent
        )

    def _broken(self, error: Exception) -> CompletionError:
        breakage = self._client.breakage(error)
        text = f"{self._who}: {breakage.text}"
        if breakage.hopeless:
            return PermanentError(text, kind=breakage.kind)
        if not breakage.sent:
            return TransientError(text, kind=breakage.kind)
        if breakage.kind == "connection" and self._streaming:
            return self._torn(breakage.kind, text)
        return self._transient(breakage.kind, text)

    def _expired(self) -> CompletionError:
        return self._transient("timeout", f"{self._who} {self._what_expired()}")

    def _what_expired(self) -> str:
        timeouts = self._timeouts
        match self._deadline.expired:
            case "first_token":
                return (
                    f"sent no first token within {timeouts.first_token_s:g} s"
                    " (--first-token-timeout)"
                )
            case "lost":
                return (
                    f"was silent for {self._deadline.silent_s:.0f} s and is taken for lost: other"
                    " calls are answered"
                )
            case "idle":
                lasted_s = (self._assembly.last_token_at() or 0.0) - (
                    self._assembly.answer.arrived.first_at or 0.0
                )
                return (
                    f"stalled: no token for {timeouts.idle_s:g} s after {round(lasted_s, 1):g} s of"
                    " its answer (--idle-timeout)"
                )
            case _:
                return f"did not finish within {timeouts.total_s:g} s (--total-timeout)"

    def _torn(self, kind: FailureKind, text: str) -> TransientError:
        return self._transient(kind, f"{text}; {TORN_STREAM_ADVICE}")

    def _transient(self, kind: FailureKind, text: str) -> TransientError:
        partial = self._partial()
        return TransientError(
            text, kind=kind, partial=partial, billed=error_mapping.billed_for(partial)
        )

    def _partial(self) -> Completion | None:
        partial = self._assembly.partial(trace_id=self._trace_id())
        if partial is None:
            return None
        ttft_reasoning_at, ttft_answer_at = self._assembly.answer.arrived.first_times()
        return replace(
            partial,
            served=Served(
                ttft_reasoning_s=self._since_start(ttft_reasoning_at),
                ttft_answer_s=self._since_start(ttft_answer_at),
                latency_s=self._deadline.elapsed_s,
            ),
        )

    def _trace_id(self) -> str | None:
        return error_mapping.trace_id_in(self._headers)

    def _since_start(self, instant: float | None) -> float | None:
        if instant is None:
            return None
        return instant - self._deadline.started_at


def _cost_in(headers: Mapping[str, str]) -> float | None:
    """Return the cost of the answer in USD that a gateway tells in a header."""
    told = headers.get(_COST_HEADER)
    if told is None:
        return None
    try:
        cost = amount_of(float(told))
    except ValueError:
        return None
    return cost or None
