"""The transport below the plain openai SDK: the answers, and what each fault looks like from
there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import anyio
import httpx2
import openai
import pytest

from harness.testing import FakeDeepSeek, FakeTransport, Fault, FaultPlan, Latency, run_virtual

QUESTION: Any = [{"role": "user", "content": "What is entanglement?"}]


def client_of(fake: FakeDeepSeek, timeout_s: float | None = 600) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key="sk-test",
        base_url="https://api.deepseek.com",
        max_retries=0,
        timeout=timeout_s,
        http_client=httpx2.AsyncClient(transport=FakeTransport(fake)),
    )


async def plain(fake: FakeDeepSeek) -> Any:
    async with client_of(fake) as client:
        return await client.chat.completions.create(model="deepseek-flash", messages=QUESTION)


async def streamed(fake: FakeDeepSeek) -> list[Any]:
    async with client_of(fake) as client:
        stream = await client.chat.completions.create(
            model="deepseek-flash", messages=QUESTION, stream=True
        )
        return [chunk async for chunk in stream]


def content_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def failing(fault: Fault) -> FakeDeepSeek:
    return FakeDeepSeek(faults=FaultPlan.always(fault), delta_tokens=4)


def test_a_plain_call_brings_reasoning_content_and_usage() -> None:
    completion = run_virtual(plain, FakeDeepSeek())
    message = completion.choices[0].message
    assert len(message.content.split()) > 20
    assert len(message.reasoning_content.split()) > 50
    assert completion.usage.completion_tokens_details.reasoning_tokens > 100
    assert (
        completion.usage.model_extra["prompt_cache_miss_tokens"] == completion.usage.prompt_tokens
    )


def test_a_stream_says_the_same_as_a_plain_call() -> None:
    fake = FakeDeepSeek()
    completion, chunks = run_virtual(plain, fake), run_virtual(streamed, fake)
    reasoning = "".join(chunk.choices[0].delta.reasoning_content or "" for chunk in chunks)
    assert content_of(chunks) == completion.choices[0].message.content
    assert reasoning == completion.choices[0].message.reasoning_content
    assert chunks[-1].usage.total_tokens == completion.usage.total_tokens


def test_bytes_cut_anywhere_make_no_difference() -> None:
    whole, cut = (
        run_virtual(streamed, FakeDeepSeek()),
        run_virtual(streamed, FakeDeepSeek(splinter=True)),
    )
    assert whole == cut


@pytest.mark.parametrize("fault", [Fault.KEEP_ALIVE, Fault.BLANK_LINES, Fault.EOF_AFTER_FINISH])
def test_a_stream_that_only_dawdles_is_whole(fault: Fault) -> None:
    assert content_of(run_virtual(streamed, failing(fault))) == content_of(
        run_virtual(streamed, FakeDeepSeek())
    )


@pytest.mark.parametrize("fault", [Fault.KEEP_ALIVE, Fault.BLANK_LINES])
def test_blank_lines_before_a_plain_answer_are_no_harm(fault: Fault) -> None:
    assert run_virtual(plain, failing(fault)).choices[0].message.content


STATUSES: list[tuple[Fault, int, type[openai.APIStatusError]]] = [
    (Fault.BAD_REQUEST, 400, openai.BadRequestError),
    (Fault.UNAUTHORIZED, 401, openai.AuthenticationError),
    (Fault.INSUFFICIENT_BALANCE, 402, openai.APIStatusError),
    (Fault.FORBIDDEN, 403, openai.PermissionDeniedError),
    (Fault.UNPROCESSABLE, 422, openai.UnprocessableEntityError),
    (Fault.RATE_CONCURRENCY, 429, openai.RateLimitError),
    (Fault.RATE_TPM, 429, openai.RateLimitError),
    (Fault.RATE_RPM, 429, openai.RateLimitError),
    (Fault.RATE_AFTER_SECONDS, 429, openai.RateLimitError),
    (Fault.INSUFFICIENT_QUOTA, 429, openai.RateLimitError),
    (Fault.SERVER_ERROR, 500, openai.InternalServerError),
    (Fault.SERVER_ERROR_HTML, 500, openai.InternalServerError),
    (Fault.BAD_GATEWAY, 502, openai.InternalServerError),
    (Fault.UNAVAILABLE, 503, openai.InternalServerError),
    (Fault.GATEWAY_TIMEOUT, 504, openai.InternalServerError),
    (Fault.OCTET_STREAM_ERROR, 503, openai.InternalServerError),
]


@pytest.mark.parametrize(("fault", "status", "error"), STATUSES, ids=[row[0] for row in STATUSES])
@pytest.mark.parametrize("call", [plain, streamed])
def test_an_error_status_is_the_sdks_error(
    call: Any, fault: Fault, status: int, error: Any
) -> None:
    with pytest.raises(error) as caught:
        run_virtual(call, failing(fault))
    assert caught.value.status_code == status
    assert caught.value.response.headers["x-ds-trace-id"]


def test_the_bodies_of_errors_are_those_of_the_api() -> None:
    def body(fault: Fault) -> Any:
        with pytest.raises(openai.APIStatusError) as caught:
            run_virtual(plain, failing(fault))
        return caught.value.body

    assert body(Fault.INSUFFICIENT_BALANCE)["message"] == "Insufficient Balance"
    assert body(Fault.RATE_TPM)["message"] == "Rate limit reached for TPM"
    assert (
        "your concurrency limit of 25 based on your remaining balance"
        in body(Fault.RATE_CONCURRENCY)["message"]
    )
    assert body(Fault.UNAVAILABLE)["type"] == "service_unavailable_error"
    assert body(Fault.OCTET_STREAM_ERROR)["type"] == "service_unavailable_error"
    assert body(Fault.INSUFFICIENT_QUOTA)["code"] == "insufficient_quota"
    assert "<center>openresty</center>" in body(Fault.SERVER_ERROR_HTML)


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        (Fault.RATE_AFTER_SECONDS, "retry-after", "7"),
        (Fault.RATE_AFTER_FLOAT, "retry-after", "2.5"),
        (Fault.RATE_AFTER_DATE, "retry-after", "Mon, 16 Nov 2026 12:00:20 GMT"),
        (Fault.RATE_AFTER_MS, "retry-after-ms", "1500"),
        (Fault.RATE_AFTER_NEGATIVE, "retry-after", "-5"),
        (Fault.RATE_AFTER_NAN, "retry-after", "nan"),
        (Fault.RATE_AFTER_HOURS, "retry-after", "14400"),
    ],
)
def test_retry_after_comes_in_every_form(fault: Fault, header: str, value: str) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        run_virtual(plain, failing(fault))
    assert caught.value.response.headers[header] == value


@pytest.mark.parametrize(
    ("call", "fault", "error"),
    [
        (plain, Fault.RESET_BEFORE_HEADERS, openai.APIConnectionError),
        (streamed, Fault.RESET_BEFORE_HEADERS, openai.APIConnectionError),
        (plain, Fault.RESET, openai.APIConnectionError),
        (streamed, Fault.RESET, openai.APIConnectionError),
        (plain, Fault.STALL, openai.APITimeoutError),
        (streamed, Fault.STALL, openai.APITimeoutError),
        (plain, Fault.BLANK_LINES_THEN_CLOSE, json.JSONDecodeError),
        (plain, Fault.EMPTY_200, json.JSONDecodeError),
        (plain, Fault.MALFORMED_JSON, json.JSONDecodeError),
        (streamed, Fault.MALFORMED_JSON, json.JSONDecodeError),
        (plain, Fault.CUT_IN_CHUNK, json.JSONDecodeError),
        (plain, Fault.EOF_WITHOUT_FINISH, json.JSONDecodeError),
        (plain, Fault.CUT_IN_CHARACTER, UnicodeDecodeError),
        (streamed, Fault.CUT_IN_CHARACTER, UnicodeDecodeError),
        (streamed, Fault.ERROR_EVENT, openai.APIError),
        (streamed, Fault.REDIRECT, openai.APIStatusError),
    ],
)
def test_a_broken_answer_is_the_error_that_the_sdk_makes_of_it(
    call: Any, fault: Fault, error: Any
) -> None:
    with pytest.raises(error):
        run_virtual(call, failing(fault))


@pytest.mark.parametrize("fault", [Fault.BLANK_LINES_THEN_CLOSE, Fault.EMPTY_200])
def test_an_empty_stream_ends_without_a_word(fault: Fault) -> None:
    assert run_virtual(streamed, failing(fault)) == []


@pytest.mark.parametrize(
    "fault", [Fault.EOF_WITHOUT_FINISH, Fault.CUT_IN_CHUNK, Fault.BARE_ERROR_LINE]
)
def test_a_stream_cut_short_ends_without_a_word_and_without_a_reason(fault: Fault) -> None:
    chunks = run_virtual(streamed, failing(fault))
    assert chunks
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def test_html_instead_of_a_completion_is_a_string_to_the_sdk() -> None:
    assert "openresty" in run_virtual(plain, failing(Fault.HTML_200))


@pytest.mark.parametrize("fault", [Fault.ERROR_OBJECT_200, Fault.CHOICES_NULL])
def test_an_error_object_under_200_is_a_completion_without_choices(fault: Fault) -> None:
    assert run_virtual(plain, failing(fault)).choices is None


FINISHES = [
    (Fault.INSUFFICIENT_SYSTEM_RESOURCE, "insufficient_system_resource"),
    (Fault.ABORTED, "aborted"),
    (Fault.CONTENT_FILTER, "content_filter"),
    (Fault.LENGTH, "length"),
    (Fault.EMPTY_STOP, "stop"),
    (Fault.BLANK_JSON, "stop"),
]


@pytest.mark.parametrize(("fault", "reason"), FINISHES)
def test_a_bad_finish_arrives_in_both_forms(fault: Fault, reason: str) -> None:
    assert run_virtual(plain, failing(fault)).choices[0].finish_reason == reason
    assert run_virtual(streamed, failing(fault))[-1].choices[0].finish_reason == reason


def test_an_empty_stop_says_nothing_and_blank_json_only_spaces() -> None:
    assert run_virtual(plain, failing(Fault.EMPTY_STOP)).choices[0].message.content == ""
    blank = run_virtual(plain, failing(Fault.BLANK_JSON)).choices[0].message.content
    assert set(blank) == {" "}


@pytest.mark.parametrize("fault", [Fault.ENDLESS_KEEP_ALIVE, Fault.TRICKLE])
def test_a_read_timeout_never_ends_a_server_that_keeps_sending(fault: Fault) -> None:
    """Ten seconds apart, for an hour: only a deadline of the client's own stops it."""

    async def an_hour() -> bool:
        with anyio.move_on_after(3600) as hour:
            await streamed(failing(fault))
        return hour.cancelled_caught

    assert run_virtual(an_hour)


def test_every_fault_frees_its_slot() -> None:
    for fault in Fault:
        fake = failing(fault)

        async def once(fake: FakeDeepSeek = fake) -> None:
            with anyio.move_on_after(60), contextlib.suppress(openai.APIError, ValueError):
                await streamed(fake)

        run_virtual(once)
        assert fake.gate.in_flight == 0, fault
        assert fake.gate.most_in_flight == 1, fault


def test_silence_beyond_the_read_timeout_is_a_timeout_at_that_second() -> None:
    async def too_slow() -> float:
        fake = FakeDeepSeek(latency=Latency.parse("fixed:50"))
        async with client_of(fake, timeout_s=20) as client:
            with pytest.raises(openai.APITimeoutError):
                await client.chat.completions.create(model="deepseek-flash", messages=QUESTION)
        assert fake.gate.in_flight == 0
        return asyncio.get_running_loop().time()

    assert run_virtual(too_slow) == 20


def test_a_response_closed_early_frees_its_slot() -> None:
    async def leave_early() -> tuple[int, int]:
        fake = FakeDeepSeek(latency=Latency.parse("per-token:1:1"), concurrency_limit=1)
        async with client_of(fake) as client:
            stream = await client.chat.completions.create(
                model="deepseek-flash", messages=QUESTION, stream=True
            )
            await stream.__anext__()
            during = fake.gate.in_flight
            await stream.close()
            return during, fake.gate.in_flight

    assert run_virtual(leave_early) == (1, 0)


def test_a_call_takes_as_long_as_its_latency_says() -> None:
    async def timed() -> float:
        await plain(FakeDeepSeek(latency=Latency.parse("fixed:7200")))
        return asyncio.get_running_loop().time()

    with pytest.raises(openai.APITimeoutError):
        run_virtual(timed)

    async def patient() -> float:
        async with client_of(
            FakeDeepSeek(latency=Latency.parse("fixed:7200")), timeout_s=None
        ) as client:
            await client.chat.completions.create(model="deepseek-flash", messages=QUESTION)
        return asyncio.get_running_loop().time()

    assert run_virtual(patient) == pytest.approx(7200)


def test_a_night_with_faults_is_the_same_night_each_time() -> None:
    """Sixty calls, eight at a time, a third of them failing somehow, then tried again: every byte,
    every instant.
    """

    async def night() -> list[Any]:
        fake = FakeDeepSeek(
            latency=Latency.parse("lognormal:20:0.5"), faults=FaultPlan.storm(0.3), delta_tokens=16
        )
        slots, loop, seen = asyncio.Semaphore(8), asyncio.get_running_loop(), list[Any]()

        async def one(client: openai.AsyncOpenAI, number: int) -> None:
            question: Any = [{"role": "user", "content": f"Why do tides of kind {number} differ?"}]
            for attempt in (1, 2, 3):
                async with slots:
                    try:
                        completion = await client.chat.completions.create(
                            model="deepseek-flash", messages=question
                        )
                    except (openai.APIError, ValueError) as error:
                        seen.append((loop.time(), number, attempt, repr(error)))
                    else:
                        seen.append((loop.time(), number, attempt, completion))
                        return

        async with client_of(fake) as client:
            # With its first request a client of the SDK asks for its platform in a thread: eight
            # would race there.
            await client.models.list()
            await asyncio.gather(*(one(client, number) for number in range(60)))
        return [seen, list(fake.log)[1:]]

    first, second = run_virtual(night), run_virtual(night)
    assert first == second
    assert len({entry.digest for entry in first[1]}) == 60
    assert len(first[1]) > 65
