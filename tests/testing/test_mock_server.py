"""The real socket."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import openai
import pytest

from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency, serve, serve_forever

QUESTION: Any = [{"role": "user", "content": "What is entanglement?"}]
BODY = {"model": "deepseek-flash", "messages": QUESTION}
KEY = {"Authorization": "Bearer sk-test"}


def client_of(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0)


@pytest.mark.parametrize("suffix", ["", "/v1"])
async def test_a_plain_call_and_a_stream_are_served(suffix: str) -> None:
    async with serve(FakeDeepSeek()) as url, client_of(url + suffix) as client:
        plain = await client.chat.completions.create(model="deepseek-flash", messages=QUESTION)
        stream = await client.chat.completions.create(
            model="deepseek-flash", messages=QUESTION, stream=True
        )
        chunks = [chunk async for chunk in stream]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == plain.choices[0].message.content


async def test_the_server_names_itself_as_deepseek_does() -> None:
    async with (
        serve(FakeDeepSeek()) as url,
        aiohttp.ClientSession(headers=KEY) as session,
        session.post(f"{url}/chat/completions", json=BODY) as response,
    ):
        assert response.headers["Server"] == "openresty"
        assert response.headers["x-ds-trace-id"]
        assert response.content_type == "application/json"


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_HEADERS, Fault.RESET])
async def test_a_reset_is_a_real_one(fault: Fault) -> None:
    fake = FakeDeepSeek(faults=FaultPlan.always(fault))
    async with serve(fake) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({**BODY, "stream": True}).encode()
        head = (
            f"POST /chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer k\r\n"
        )
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
    assert fake.gate.in_flight == 0


@pytest.mark.parametrize("read", [0, 200])
async def test_a_client_that_hangs_up_is_told_of_once_and_in_one_line(
    caplog: pytest.LogCaptureFixture, read: int
) -> None:
    told, left = list[str](), asyncio.Event()

    def tell(path: str) -> None:
        told.append(path)
        left.set()

    fake = FakeDeepSeek(latency=Latency.parse("per-token:0.01:0.001"))
    async with serve(fake, left=tell) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({**BODY, "stream": True}).encode()
        head = (
            f"POST /chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer k\r\n"
        )
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await reader.read(read)
        writer.transport.abort()
        await asyncio.wait_for(left.wait(), 5)
    assert told == ["/chat/completions"]
    assert caplog.records == []
    assert fake.gate.in_flight == 0


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE_HEADERS, Fault.RESET])
async def test_a_reset_is_a_connection_error_to_the_sdk(fault: Fault) -> None:
    async def read_stream(client: openai.AsyncOpenAI) -> None:
        async for _ in await client.chat.completions.create(
            model="deepseek-flash", messages=QUESTION, stream=True
        ):
            pass

    async with serve(FakeDeepSeek(faults=FaultPlan.always(fault))) as url, client_of(url) as client:
        with pytest.raises(openai.APIConnectionError):
            await read_stream(client)


async def test_a_client_that_hangs_up_frees_its_slot() -> None:
    fake = FakeDeepSeek(faults=FaultPlan.first(Fault.STALL), concurrency_limit=1)
    async with serve(fake) as url, client_of(url) as client:
        stream = await client.chat.completions.create(
            model="deepseek-flash", messages=QUESTION, stream=True
        )
        await stream.__anext__()
        held = fake.gate.in_flight
        await stream.close()
        # The server learns of it in its own time: until then it answers 429.
        patient = client.with_options(max_retries=5)
        await patient.chat.completions.create(model="deepseek-flash", messages=QUESTION)
    assert held == 1
    assert fake.gate.most_in_flight == 1


async def test_a_foreign_name_for_this_machine_is_refused() -> None:
    fake = FakeDeepSeek()
    async with serve(fake) as url, aiohttp.ClientSession(headers=KEY) as session:
        statuses = {}
        for host in (
            "attacker.example",
            "attacker.example:80",
            "localhost.attacker.example",
            "localhost:1",
            "127.0.0.1",
        ):
            async with session.get(f"{url}/models", headers={"Host": host}) as response:
                statuses[host] = response.status
    assert list(statuses.values()) == [403, 403, 403, 200, 200]
    assert len(fake.log) == 2


async def test_only_this_machine_can_connect() -> None:
    async with serve(FakeDeepSeek()) as url:
        assert url.startswith("http://127.0.0.1:")


async def test_a_hundred_calls_at_once_are_all_served() -> None:
    fake = FakeDeepSeek(latency=Latency.parse("fixed:0.05"))

    async def one(session: aiohttp.ClientSession, number: int) -> int:
        body = {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": f"Question {number}?"}],
        }
        async with session.post(f"{url}/chat/completions", json=body) as response:
            await response.read()
            return response.status

    async with serve(fake) as url, aiohttp.ClientSession(headers=KEY) as session:
        statuses = await asyncio.gather(*(one(session, number) for number in range(100)))
    assert statuses == [200] * 100
    assert fake.gate.most_in_flight > 50


async def test_serving_for_ever_tells_its_address_and_ends_when_cancelled() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_forever(FakeDeepSeek(), 0, told.set_result))
    url = await told
    async with (
        aiohttp.ClientSession(headers=KEY) as session,
        session.get(f"{url}/models") as response,
    ):
        assert response.status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_served_fake_tells_the_time_of_day_and_one_in_this_process_does_not(
    ask: Any,
) -> None:
    plan = FaultPlan.first(Fault.RATE_AFTER_DATE)
    asked_at = datetime.now(UTC).replace(microsecond=0)
    async with (
        serve(FakeDeepSeek(faults=plan)) as url,
        aiohttp.ClientSession(headers=KEY) as session,
    ):
        async with session.post(f"{url}/chat/completions", json=BODY) as response:
            ahead = parsedate_to_datetime(response.headers["Retry-After"]) - asked_at
        async with session.post(f"{url}/chat/completions", json=BODY) as response:
            created = datetime.fromtimestamp((await response.json())["created"], UTC)
    assert timedelta(seconds=20) <= ahead < timedelta(seconds=30)
    assert timedelta(0) <= created - asked_at < timedelta(seconds=30)
    inside = FakeDeepSeek(faults=plan)
    assert ask(inside).headers["retry-after"] == "Mon, 16 Nov 2026 12:00:20 GMT"
    assert ask(inside).json()["created"] == 1_794_830_400
