"""The time until the first token, between two tokens, and in all, on a virtual clock: each duration
is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from _chat import (
    DONE,
    REQUEST,
    USAGE,
    WHOLE_STREAM,
    Piece,
    Server,
    call,
    chunk,
    event,
    plain,
    streaming,
)

from harness.domain.attempt import OnSilence
from harness.domain.completion import OnDelta
from harness.domain.failures import CompletionError, TransientError
from harness.domain.policy import Timeouts
from harness.testing.virtual_time import run_virtual

TIMEOUTS = Timeouts(first_token_s=60, idle_s=30, total_s=200)
KEEP_ALIVE, BLANK_LINE, ROLE, EMPTY = (
    b": keep-alive\n\n",
    b"\n",
    WHOLE_STREAM[0],
    chunk({"content": ""}),
)
FIRST_WORD = chunk({"content": "Be"})


def every_20_s(sign: bytes, times: int = 1000) -> list[Piece]:
    return [piece for _ in range(times) for piece in (20.0, sign)]


def failed(
    server: Server,
    *,
    stream: bool = True,
    on_delta: OnDelta | None = None,
    on_silence: Callable[[float], OnSilence] | None = None,
) -> tuple[CompletionError, float]:
    """The error, and the second at which it came."""

    async def timed() -> tuple[CompletionError, float]:
        chat = server.chat(timeouts=TIMEOUTS)
        with pytest.raises(CompletionError) as caught:
            await chat.complete(
                REQUEST, call(stream=stream, on_delta=on_delta, on_silence=on_silence)
            )
        return caught.value, round(anyio.current_time(), 3)

    return run_virtual(timed)


# --- until the first token


@pytest.mark.parametrize("stream", [True, False])
def test_silence_before_the_headers_ends_the_call(stream: bool) -> None:
    server = streaming(*WHOLE_STREAM)
    server.before_headers = [3600.0]
    error, at = failed(server, stream=stream)
    assert isinstance(error, TransientError)
    assert (error.kind, error.billed, error.begun, at) == ("timeout", "unknown", False, 60)
    assert str(error) == "deepseek sent no first token within 60 s (--first-token-timeout)"


@pytest.mark.parametrize(
    "sign", [KEEP_ALIVE, BLANK_LINE, ROLE, EMPTY], ids=["comment", "blank", "role", "empty delta"]
)
def test_signs_of_life_before_the_first_token_are_no_silence(sign: bytes) -> None:
    pieces = every_20_s(sign, times=8)
    answer = run_virtual(lambda: streaming(*pieces, *WHOLE_STREAM).answer(timeouts=TIMEOUTS))
    assert answer.served.ttft_reasoning_s == 160.0


def test_silence_after_a_role_is_not_yet_one_between_tokens() -> None:
    error, at = failed(streaming(10.0, ROLE, 3600.0))
    assert (error.kind, error.begun, at) == ("timeout", False, 70)
    assert "no first token" in str(error)


def test_silence_in_a_plain_body_ends_the_call() -> None:
    error, at = failed(Server([b"\n", 10.0, b"{", 3600.0]), stream=False)
    assert (error.kind, error.begun, at) == ("timeout", False, 70)
    assert "no first token" in str(error)


def test_blank_lines_before_a_plain_body_are_no_silence() -> None:
    pieces = every_20_s(BLANK_LINE, times=8)
    answer = run_virtual(lambda: Server([*pieces, plain()]).answer(stream=False, timeouts=TIMEOUTS))
    assert answer.served.latency_s == 160.0


def test_a_call_that_is_queued_while_others_are_served_waits_on() -> None:
    asked: list[int] = []

    def others_are_served(seconds: float) -> OnSilence:
        asked.append(round(seconds))
        return "wait on" if seconds < 180.0 else "as set"

    server = streaming(*WHOLE_STREAM)
    server.before_headers = [3600.0]
    error, at = failed(server, on_silence=others_are_served)
    assert (asked, at) == (list(range(5, 181, 5)), 180)
    assert "no first token within 60 s" in str(error)


def test_a_call_that_is_taken_for_lost_is_given_up_before_its_time() -> None:
    server = streaming(*WHOLE_STREAM)
    server.before_headers = [3600.0]
    error, at = failed(
        server, on_silence=lambda seconds: "give up" if seconds >= 20.0 else "as set"
    )
    assert (error.kind, error.begun, at) == ("timeout", False, 20)
    assert (
        str(error) == "deepseek was silent for 20 s and is taken for lost: other calls are answered"
    )


def test_waiting_on_ends_at_the_total() -> None:
    server = streaming(*WHOLE_STREAM)
    server.before_headers = [3600.0]
    error, at = failed(server, on_silence=lambda seconds: "wait on")
    assert (at, str(error)) == (200, "deepseek did not finish within 200 s (--total-timeout)")


def test_an_answer_that_comes_while_waiting_on_is_taken() -> None:
    async def main() -> str:
        chat = streaming(150.0, *WHOLE_STREAM).chat(timeouts=TIMEOUTS)
        return (
            await chat.complete(REQUEST, call(stream=True, on_silence=lambda seconds: "wait on"))
        ).content

    assert run_virtual(main).startswith("Because")


def test_a_call_whose_answer_has_begun_is_not_asked_whether_it_is_queued() -> None:
    error, at = failed(streaming(FIRST_WORD, 3600.0), on_silence=lambda seconds: "wait on")
    assert (at, error.begun) == (30, True)


# --- between tokens


def test_silence_in_the_answer_ends_the_call_and_keeps_what_came() -> None:
    error, at = failed(streaming(10.0, WHOLE_STREAM[1], 12.0, *WHOLE_STREAM[2:4], 3600.0))
    assert (error.kind, error.billed, error.begun, at) == ("timeout", "unknown", True, 52)
    assert (
        str(error)
        == "deepseek stalled: no token for 30 s after 12 s of its answer (--idle-timeout)"
    )
    assert error.partial is not None
    assert (error.partial.reasoning, error.partial.content) == ("Light scatters.", "Because ")
    assert error.partial.served.ttft_answer_s == 22.0


TOKENS = {
    "reasoning": chunk({"content": None, "reasoning_content": "Hm"}),
    "reasoning under its other name": chunk({"reasoning": "Hm"}),
    "answer": FIRST_WORD,
    "tool call": chunk(
        {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}]}
    ),
    "arguments": chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}),
}
NO_TOKENS = {
    "comment": KEEP_ALIVE,
    "blank line": BLANK_LINE,
    "role": ROLE,
    "empty delta": EMPTY,
    "no delta": chunk(),
    "nulls": chunk({"content": None, "reasoning_content": None}),
    "empty reasoning": chunk({"content": None, "reasoning_content": ""}),
    "empty text, written with spaces": (
        b'data: { "choices" : [ { "delta" : { "content" : "" } } ] }\n\n'
    ),
    "empty arguments": chunk({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}),
    "usage so far": chunk(usage=USAGE),
    "no choices": event({"choices": []}),
    "a ping": b"event: ping\ndata: {}\n\n",
}


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize("sign", NO_TOKENS.values(), ids=NO_TOKENS)
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_what_holds_no_token_does_not_keep_an_answer_alive(
    token: bytes, sign: bytes, watched: bool
) -> None:
    pieces: list[Piece] = [5.0, token, *every_20_s(sign)]
    error, at = failed(streaming(*pieces), on_delta=(lambda _: None) if watched else None)
    assert (error.kind, error.begun, at) == ("timeout", True, 35)
    assert "stalled" in str(error)


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize("sign", TOKENS.values(), ids=TOKENS)
def test_tokens_keep_an_answer_alive(sign: bytes, watched: bool) -> None:
    pieces: list[Piece] = [FIRST_WORD, *every_20_s(sign, times=8)]
    _, at = failed(streaming(*pieces, 3600.0), on_delta=(lambda _: None) if watched else None)
    # Twice the same tool call is one: its name alone says nothing new the second time.
    assert at == (50 if sign is TOKENS["tool call"] else 190)


def test_the_last_token_counts_from_its_own_arrival_and_not_from_when_it_was_parsed() -> None:
    """Between two looks a token and then keep-alives have come; all of them are parsed at the
    look.
    """
    pieces: list[Piece] = [FIRST_WORD, 1.0, FIRST_WORD, 1.0, EMPTY, 1.0, EMPTY, 1.0, KEEP_ALIVE]
    _, at = failed(streaming(*pieces, 3600.0))
    assert at == 31


def test_a_pause_that_is_longer_than_the_first_wait_and_shorter_than_the_second_ends_nothing() -> (
    None
):
    pieces: list[Piece] = [
        55.0,
        FIRST_WORD,
        29.0,
        FIRST_WORD,
        29.0,
        chunk({}, finish_reason="stop"),
        DONE,
    ]
    answer = run_virtual(lambda: streaming(*pieces).answer(timeouts=TIMEOUTS))
    assert answer.content == "BeBe"


# --- in all


@pytest.mark.parametrize(
    ("sign", "stream"), [(KEEP_ALIVE, True), (BLANK_LINE, True), (BLANK_LINE, False)]
)
def test_endless_keep_alives_end_at_the_total(sign: bytes, stream: bool) -> None:
    pieces = every_20_s(sign)
    server = streaming(*pieces) if stream else Server(pieces)
    error, at = failed(server, stream=stream)
    assert (error.kind, at) == ("timeout", 200)
    assert str(error) == "deepseek did not finish within 200 s (--total-timeout)"


def test_trickling_tokens_end_at_the_total() -> None:
    trickle: list[Piece] = [1.0, chunk({"content": "a"})] * 1000
    error, at = failed(streaming(*trickle))
    assert (error.kind, at) == ("timeout", 200)
    assert error.partial is not None
    assert 198 <= len(error.partial.content) <= 200


def test_bytes_that_trickle_one_by_one_end_at_the_total() -> None:
    pieces = [piece for byte in b"".join(WHOLE_STREAM) for piece in (1.0, bytes([byte]))]
    error, at = failed(streaming(*pieces))
    assert (error.kind, at) == ("timeout", 200)


# --- signs of life, told


def lives(server: Server, *, stream: bool = True) -> tuple[int, list[float]]:
    """How often a sign of life was told, and when."""
    told: list[float] = []

    async def main() -> None:
        chat = server.chat(timeouts=TIMEOUTS)
        try:
            await chat.complete(
                REQUEST, call(stream=stream, on_life=lambda: told.append(anyio.current_time()))
            )
        except CompletionError:
            return

    run_virtual(main)
    return len(told), told


@pytest.mark.parametrize(
    ("pieces", "at"),
    [
        ([5.0, *WHOLE_STREAM], 5.0),
        ([5.0, KEEP_ALIVE, 5.0, *WHOLE_STREAM], 5.0),
        ([5.0, b": keep", 5.0, b"-alive\n\n", *WHOLE_STREAM], 10.0),
        ([5.0, BLANK_LINE, 5.0, *WHOLE_STREAM], 10.0),
        ([5.0, KEEP_ALIVE, event({"error": {"message": "no"}})], 5.0),
        ([5.0, ROLE, 3600.0], 5.0),
    ],
)
def test_the_first_event_or_comment_of_a_stream_is_a_sign_of_life_told_once(
    pieces: list[Piece], at: float
) -> None:
    assert lives(streaming(*pieces)) == (1, [at])


def test_a_whole_answer_is_a_sign_of_life() -> None:
    assert lives(Server([BLANK_LINE, 5.0, plain()]), stream=False) == (1, [5.0])


def dead(**fields: Any) -> Server:
    return Server(**{"pieces": [], **fields})


@pytest.mark.parametrize(
    ("server", "stream"),
    [
        (streaming(3600.0), True),  # a mere head
        (streaming(b"\n\n", 3600.0), True),
        (streaming(event({"error": {"message": "no"}})), True),
        (streaming(b'event: error\ndata: {"message": "no"}\n\n'), True),
        (streaming(b'{"error": {"message": "no"}}\n'), True),
        (streaming(b"<html>\n"), True),
        (streaming(b"data: {oops\n\n"), True),
        (dead(pieces=[b"<html></html>"], headers={"content-type": "text/html"}), True),
        (dead(pieces=[b'{"error": {"message": "no"}}']), False),
        (dead(pieces=[b"{oops"]), False),
        (dead(pieces=[b"\n", 3600.0]), False),
        (dead(pieces=[plain()], status=503), True),
        (dead(before_headers=[3600.0]), True),
    ],
)
def test_what_is_no_part_of_an_answer_is_no_sign_of_life(server: Server, stream: bool) -> None:
    assert lives(server, stream=stream) == (0, [])


# --- the end


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
    """After [DONE] the end of the body is awaited for a moment; a Ctrl-C then must not cost the
    answer.
    """
    server = streaming(*WHOLE_STREAM, 3600.0)
    contents: list[str] = []

    async def main() -> float:
        with anyio.move_on_after(0.05):
            contents.append((await server.answer()).content)
        return anyio.current_time()

    assert run_virtual(main) == pytest.approx(0.1)
    assert contents == ["Because of Rayleigh – 瑞利 🌈."]
