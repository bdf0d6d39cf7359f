"""A server that answers chat completions from memory, in a process of its own so that its CPU is
not ours.

It speaks just enough HTTP/1.1 to feed a client: keep-alive, a plain JSON answer, or a stream of
server-sent events in the shape DeepSeek uses, one event per HTTP chunk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = "Superposition means that a state is a weighted sum of others. " * 30


def _envelope(kind: str, choice: dict[str, object], usage: object) -> dict[str, object]:
    return {
        "id": "cc4b6528-7b22-4622-880a-3cf0ea79275c",
        "object": kind,
        "created": 1790099775,
        "model": "deepseek-flash",
        "system_fingerprint": "aeb56401ca74e127821c4f9126dcb669",
        "choices": [choice],
        "usage": usage,
    }


def _usage(output_tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": 82,
        "completion_tokens": output_tokens,
        "total_tokens": 82 + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": output_tokens // 2},
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": 82,
    }


def plain_body() -> bytes:
    """The whole answer as one JSON object."""
    message = {"role": "assistant", "content": ANSWER, "reasoning_content": ANSWER}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return json.dumps(_envelope("chat.completion", choice, _usage(476))).encode()


def stream_events(chunks: int) -> list[bytes]:
    """`chunks` events with a token each (half reasoning, half answer), the last with the usage;
    then `[DONE]`.
    """

    def event(delta: dict[str, object], finish_reason: str | None, usage: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        payload = json.dumps(
            _envelope("chat.completion.chunk", choice, usage), separators=(",", ":")
        )
        return f"data: {payload}\n\n".encode()

    first = event({"role": "assistant", "content": None, "reasoning_content": ""}, None, None)
    middle = [
        (
            event({"content": None, "reasoning_content": f" think{n}"}, None, None)
            if n < chunks // 2
            else event({"content": f" word{n}", "reasoning_content": None}, None, None)
        )
        for n in range(1, chunks - 1)
    ]
    last = event({"content": "", "reasoning_content": None}, "stop", _usage(chunks))
    return [first, *middle, last, b"data: [DONE]\n\n"]


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Answers:
    """The bytes of every response, made once."""

    def __init__(self, *, chunks: int, delay_s: float, pace_s: float) -> None:
        body = plain_body()
        self.delay_s = delay_s
        self.pace_s = pace_s
        self.plain = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        self.stream_head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding:"
            b" chunked\r\n\r\n"
        )
        self.events = [_http_chunk(event) for event in stream_events(chunks)]
        self.events[-1] += b"0\r\n\r\n"


class _Connection(asyncio.Protocol):
    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            (
                int(line[15:])
                for line in head.split(b"\r\n")
                if line[:15].lower() == b"content-length:"
            ),
            0,
        )
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        streamed = b'"stream":true' in rest.replace(b" ", b"")
        asyncio.get_running_loop().call_later(self._answers.delay_s, self._answer, streamed)

    def _answer(self, streamed: bool) -> None:
        if self._transport is None:
            return
        if not streamed:
            self._transport.write(self._answers.plain)
        elif self._answers.pace_s:
            self._transport.write(self._answers.stream_head)
            self._pace(0)
        else:
            self._transport.writelines([self._answers.stream_head, *self._answers.events])

    def _pace(self, n: int) -> None:
        if self._transport is None or n == len(self._answers.events):
            return
        self._transport.write(self._answers.events[n])
        asyncio.get_running_loop().call_later(self._answers.pace_s, self._pace, n + 1)


async def _serve(answers: _Answers) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


@contextmanager
def local_server(*, chunks: int = 200, delay_s: float = 0.0, pace_s: float = 0.0) -> Iterator[str]:
    """Run the server in a child process; the value is its base URL. Every answer begins after
    `delay_s`.

    `pace_s` is the time between two events of a stream; 0 sends a whole stream at once.
    """
    command = [sys.executable, __file__, str(chunks), str(delay_s), str(pace_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(child.stdout.readline())}"
        finally:
            child.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chunks", type=int)
    parser.add_argument("delay_s", type=float)
    parser.add_argument("pace_s", type=float)
    options = parser.parse_args()
    answers = _Answers(chunks=options.chunks, delay_s=options.delay_s, pace_s=options.pace_s)
    asyncio.run(_serve(answers))


if __name__ == "__main__":
    main()
