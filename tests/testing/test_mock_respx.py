"""The respx face: clients of a user, untouched."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import httpx
import httpx2
import openai
import pytest
from respx.models import AllMockedAssertionError

from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency, mock_deepseek, run_virtual

URL = "https://api.deepseek.com"
QUESTION: Any = [{"role": "user", "content": "What is entanglement?"}]


async def ask_async(**client: Any) -> Any:
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=URL, max_retries=0, **client) as api:
        return await api.chat.completions.create(model="deepseek-flash", messages=QUESTION)


def ask_sync() -> Any:
    with openai.OpenAI(api_key="sk-test", base_url=URL, max_retries=0) as api:
        return api.chat.completions.create(model="deepseek-flash", messages=QUESTION)


async def test_an_async_client_is_answered_and_counted() -> None:
    with mock_deepseek() as fake:
        completion = await ask_async()
    assert completion.choices[0].message.reasoning_content
    assert fake.statuses == {200: 1}


def test_a_sync_client_is_answered_the_same() -> None:
    with mock_deepseek():
        completion = ask_sync()
        assert (
            completion.choices[0].message.content
            == asyncio.run(ask_async()).choices[0].message.content
        )


async def test_an_injected_client_of_httpx_is_answered_too() -> None:
    with mock_deepseek() as fake:
        async with httpx.AsyncClient() as client:
            models = await client.get(f"{URL}/models", headers={"authorization": "Bearer k"})
    assert models.json()["data"][0]["id"] == "deepseek-flash"
    assert fake.statuses == {200: 1}


async def test_a_stream_is_streamed() -> None:
    with mock_deepseek():
        async with openai.AsyncOpenAI(api_key="sk-test", base_url=URL) as api:
            stream = await api.chat.completions.create(
                model="deepseek-flash", messages=QUESTION, stream=True
            )
            chunks = [chunk async for chunk in stream]
    assert len(chunks) > 100
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_sync_stream_is_streamed() -> None:
    with mock_deepseek(), openai.OpenAI(api_key="sk-test", base_url=URL) as api:
        chunks = list(
            api.chat.completions.create(model="deepseek-flash", messages=QUESTION, stream=True)
        )
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_the_sdks_own_retries_meet_the_script() -> None:
    plan = FaultPlan.first(Fault.RESET_BEFORE_HEADERS, Fault.RATE_AFTER_MS)
    with mock_deepseek(FakeDeepSeek(faults=plan)) as fake:
        async with openai.AsyncOpenAI(api_key="sk-test", base_url=URL, max_retries=0) as api:
            for error in (openai.APIConnectionError, openai.RateLimitError):
                with pytest.raises(error):
                    await api.chat.completions.create(model="deepseek-flash", messages=QUESTION)
            await api.chat.completions.create(model="deepseek-flash", messages=QUESTION)
    assert fake.statuses == {None: 1, 429: 1, 200: 1}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_BEFORE_HEADERS])
async def test_errors_belong_to_the_library_that_asked(fault: Fault) -> None:
    body = {"model": "deepseek-flash", "messages": QUESTION}
    headers = {"authorization": "Bearer k"}
    with mock_deepseek(FakeDeepSeek(faults=FaultPlan.always(fault))):
        async with httpx.AsyncClient() as old, httpx2.AsyncClient() as new:
            with pytest.raises(httpx.ReadError):
                await old.post(f"{URL}/chat/completions", json=body, headers=headers)
            with pytest.raises(httpx2.ReadError):
                await new.post(f"{URL}/chat/completions", json=body, headers=headers)


def test_a_read_timeout_is_honoured_on_virtual_time() -> None:
    async def late() -> float:
        with mock_deepseek(FakeDeepSeek(latency=Latency.parse("fixed:100"))) as fake:
            with pytest.raises(openai.APITimeoutError):
                await ask_async(timeout=30)
            assert fake.gate.in_flight == 0
        return asyncio.get_running_loop().time()

    assert run_virtual(late) == 30


def test_a_sync_client_without_patience_is_told_at_once() -> None:
    plan = FaultPlan.always(Fault.STALL)
    with (
        mock_deepseek(FakeDeepSeek(faults=plan)),
        httpx.Client(timeout=None) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.post(
            f"{URL}/chat/completions",
            json={"model": "deepseek-flash", "messages": QUESTION},
            headers={"authorization": "Bearer k"},
        )


async def test_another_host_is_not_reached() -> None:
    with mock_deepseek():
        async with httpx2.AsyncClient() as client:
            with pytest.raises(AllMockedAssertionError):
                await client.get("https://api.example.com/v1/models")


async def test_another_host_can_be_the_mocked_one() -> None:
    with mock_deepseek(host="API.example.com") as fake:
        async with httpx2.AsyncClient() as client:
            await client.get(
                "https://api.example.com/v1/models", headers={"authorization": "Bearer k"}
            )
    assert fake.statuses == {200: 1}


def test_importing_the_package_loads_no_optional_library() -> None:
    program = (
        "import sys, harness.testing\nassert not {'openai', 'respx', 'aiohttp', 'httpx', 'httpx2'}"
        " & set(sys.modules)\nfrom harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency,"
        " VirtualLoop, run_virtual, FakeTransport\nassert not {'openai', 'respx', 'aiohttp',"
        " 'httpx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import harness.testing

    with pytest.raises(AttributeError, match="nonsense"):
        harness.testing.nonsense  # noqa: B018 - the access is what is tested


def test_a_missing_respx_names_the_extra_to_install() -> None:
    program = (
        "import sys\nsys.modules['respx'] = None\n"
        "from harness.testing import mock_deepseek\n"
        "try:\n    with mock_deepseek():\n        pass\n"
        "except ImportError as error:\n    assert 'reasoning-harness[pytest]' in str(error)\n"
        "else:\n    raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
