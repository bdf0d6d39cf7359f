"""Silence and total time, on a virtual clock: each duration is exact."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from _chat import WHOLE_STREAM, Piece, Server, chunk, plain, streaming

from harness.domain.failures import CompletionError, TransientError
from harness.domain.policy import Timeouts
from harness.testing.virtual_time import run_virtual

TIMEOUTS = Timeouts(idle_s=30, total_s=100)
KEEP_ALIVES: list[Piece] = [piece for _ in range(1000) for piece in (20.0, b": keep-alive\n\n")]
BLANK_LINES: list[Piece] = [piece for _ in range(1000) for piece in (20.0, b"\n")]


def failed(server: Server, *, stream: bool = True) -> tuple[CompletionError, float]:
    """The error, and the second at which it came."""

    async def timed() -> tuple[CompletionError, float]:
        return await server.failure(stream=stream, timeouts=TIMEOUTS), round(anyio.current_time(), 3)

    return run_virtual(timed)


@pytest.mark.parametrize("stream", [True, False])
def test_silence_before_the_headers_ends_the_call(stream: bool) -> None:
    server = streaming(*WHOLE_STREAM)
    server.before_headers = [3600.0]
    error, at = failed(server, stream=stream)
    assert isinstance(error, TransientError)
    assert (error.kind, error.billed, error.partial, at) == ("timeout", "unknown", None, 30)
    assert str(error) == "deepseek was silent for 30 s"


def test_silence_in_the_stream_ends_the_call_and_keeps_what_came() -> None:
    error, at = failed(streaming(10.0, *WHOLE_STREAM[:4], 3600.0))
    assert (error.kind, error.billed, at) == ("timeout", "unknown", 40)
    assert error.partial is not None
    assert (error.partial.reasoning, error.partial.content) == ("Light scatters.", "Because ")
    assert error.partial.served.ttft_answer_s == 10.0


def test_silence_in_a_plain_body_ends_the_call() -> None:
    error, at = failed(Server([b"\n", 3600.0]), stream=False)
    assert (error.kind, at) == ("timeout", 30)


def test_keep_alives_are_not_silence() -> None:
    answer = run_virtual(lambda: streaming(*KEEP_ALIVES[:8], *WHOLE_STREAM).answer(timeouts=TIMEOUTS))
    assert answer.served.ttft_reasoning_s == 80.0


def test_blank_lines_before_a_plain_body_are_not_silence() -> None:
    answer = run_virtual(lambda: Server([*BLANK_LINES[:8], plain()]).answer(stream=False, timeouts=TIMEOUTS))
    assert answer.served.latency_s == 80.0


@pytest.mark.parametrize(("pieces", "stream"), [(KEEP_ALIVES, True), (BLANK_LINES, True), (BLANK_LINES, False)])
def test_endless_keep_alives_end_at_the_total(pieces: list[Piece], stream: bool) -> None:
    server = streaming(*pieces) if stream else Server(pieces)
    error, at = failed(server, stream=stream)
    assert (error.kind, at) == ("timeout", 100)
    assert str(error) == "deepseek did not finish within 100 s"


def test_trickling_tokens_end_at_the_total() -> None:
    trickle: list[Piece] = [1.0, chunk({"content": "a"})] * 1000
    error, at = failed(streaming(*trickle))
    assert (error.kind, at) == ("timeout", 100)
    assert error.partial is not None
    assert 98 <= len(error.partial.content) <= 100


def test_bytes_that_trickle_one_by_one_end_at_the_total() -> None:
    pieces = [piece for byte in b"".join(WHOLE_STREAM) for piece in (1.0, bytes([byte]))]
    error, at = failed(streaming(*pieces))
    assert (error.kind, at) == ("timeout", 100)


def test_a_call_within_its_deadlines_leaves_no_timer_behind() -> None:
    async def main() -> float:
        await streaming(*WHOLE_STREAM).answer(timeouts=Timeouts())
        await asyncio.sleep(0)
        return anyio.current_time()

    assert run_virtual(main) == 0.0


def test_a_cancelled_call_closes_its_response_and_stays_cancelled() -> None:
    server = streaming(*WHOLE_STREAM[:3], 3600.0)

    async def main() -> bool:
        with anyio.move_on_after(5) as scope:
            await server.answer()
        return scope.cancelled_caught

    assert run_virtual(main)
    assert server.closed >= 1


def test_an_answer_that_has_arrived_is_not_lost_to_a_cancellation_at_its_end() -> None:
    """After [DONE] the end of the body is awaited for a moment; a Ctrl-C then must not cost the answer."""
    server = streaming(*WHOLE_STREAM, 3600.0)
    contents: list[str] = []

    async def main() -> float:
        with anyio.move_on_after(0.05):
            contents.append((await server.answer()).content)
        return anyio.current_time()

    assert run_virtual(main) == pytest.approx(0.1)
    assert contents == ["Because of Rayleigh – 瑞利 🌈."]
