"""Every client that a project may use is answered by the fixture, and nothing reaches the
network.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import openai
import pytest
from inner_runs import Run

import harness
from harness.domain.failures import PermanentError
from harness.testing import FakeDeepSeek, Latency, MockDeepSeek, VirtualTime, serve

URL = "https://api.deepseek.com"
BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}],
}
OWN_KEY = {"authorization": "Bearer sk-own"}


def client() -> openai.OpenAI:
    return openai.OpenAI(api_key=os.environ["DEEPSEEK_API_KEY"], base_url=URL, max_retries=0)


def async_client() -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=os.environ["DEEPSEEK_API_KEY"], base_url=URL, max_retries=0)


def test_the_openai_client(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.reply("Rayleigh.", reasoning="Light …", times=2)
    with client() as api:
        plain = api.chat.completions.create(**BODY)
        chunks = list(api.chat.completions.create(**BODY, stream=True))
    assert plain.choices[0].message.content == "Rayleigh."
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Rayleigh."
    assert [call.stream for call in mock_deepseek.calls] == [False, True]


async def test_the_async_openai_client(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.fail(429, retry_after=7).reply("Rayleigh.", times=2)
    async with async_client() as api:
        with pytest.raises(openai.RateLimitError) as refused:
            await api.chat.completions.create(**BODY)
        plain = await api.chat.completions.create(**BODY)
        chunks = [chunk async for chunk in await api.chat.completions.create(**BODY, stream=True)]
    assert refused.value.response.headers["retry-after"] == "7"
    assert plain.choices[0].message.content == "Rayleigh."
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Rayleigh."


async def test_async_clients_of_httpx_and_httpx2(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.reply("Rayleigh.", times=2)
    async with httpx.AsyncClient() as old, httpx2.AsyncClient() as new:
        first = await old.post(f"{URL}/chat/completions", json=BODY, headers=OWN_KEY)
        second = await new.post(f"{URL}/chat/completions", json=BODY, headers=OWN_KEY)
    assert "Rayleigh." in first.text
    assert "Rayleigh." in second.text


def test_sync_clients_of_httpx_and_httpx2(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.reply("Rayleigh.", times=2)
    with httpx.Client() as old, httpx2.Client() as new:
        assert (
            "Rayleigh." in old.post(f"{URL}/v1/chat/completions", json=BODY, headers=OWN_KEY).text
        )
        assert (
            "Rayleigh." in new.post(f"{URL}/v1/chat/completions", json=BODY, headers=OWN_KEY).text
        )


async def test_this_packages_own_calls(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.fail("reset-before-headers").reply("Rayleigh.", reasoning="Light …")
    completion = await harness.ask("Why is the sky blue?", endpoint="deepseek")
    assert (completion.content, completion.reasoning, completion.served.attempts) == (
        "Rayleigh.",
        "Light …",
        2,
    )
    assert [call.prompt for call in mock_deepseek.calls] == ["Why is the sky blue?"] * 2


def test_this_packages_own_calls_without_a_loop(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.reply("Rayleigh.")
    assert harness.ask_sync("Why is the sky blue?", stream=False).content == "Rayleigh."
    assert not mock_deepseek.calls[0].stream


async def test_a_whole_batch_on_virtual_time(
    mock_deepseek: MockDeepSeek, virtual_time: VirtualTime, tmp_path: Path
) -> None:
    (tmp_path / "topics.txt").write_text("Tides\nBees\n")
    mock_deepseek.fake.latency = Latency.parse("fixed:60")
    mock_deepseek.when("Tides").fail(503).reply_json(
        ["Why two a day?", "Why are they late?", "How high?"]
    )
    report = await harness.run(tmp_path / "topics.txt", out=tmp_path / "run", per_run=8)
    assert (report.exit_code, report.totals["ok"]) == (0, 2)
    asked = [call.prompt for call in mock_deepseek.calls if "Why two a day?" in call.text]
    assert len(asked) == 2  # by a researcher, and by the one who brings it all together
    assert 180 <= virtual_time.now_s < 240


async def test_what_the_mock_says_is_never_kept_as_an_answer_of_deepseek(
    mock_deepseek: MockDeepSeek, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mock_deepseek.reply("invented")
    await harness.ask("Why?")
    await harness.ask("Why?")
    assert len(mock_deepseek.calls) == 1  # within the test, the cache works as ever
    assert os.listdir(tmp_path) == []


def test_nothing_of_it_is_left_for_the_next_test(run: Run) -> None:
    done = run("""
        import os, socket, httpx, pytest

        NAMES = ("DEEPSEEK_API_KEY", "HARNESS_API_KEY", "HARNESS_TRANSPORT", "HARNESS_CACHE")
        resolve = socket.getaddrinfo

        def test_with_it(mock_deepseek):
            mock_deepseek.reply("left over", times=None)
            httpx.get("https://api.deepseek.com/models")
            mock_deepseek.allow_unused()
            assert all(name in os.environ for name in NAMES)

        def test_with_a_new_one(mock_deepseek):
            assert mock_deepseek.calls == []

        def test_without_it():
            assert not any(name in os.environ for name in NAMES)
            assert socket.getaddrinfo is resolve
        """)
    done.assert_outcomes(passed=3)


async def test_another_host_is_refused_at_once(mock_deepseek: MockDeepSeek) -> None:
    with pytest.raises(
        PermanentError, match=r"POST http://elsewhere\.invalid/v1/chat/completions: not mocked"
    ):
        await harness.ask("Why?", base_url="http://elsewhere.invalid/v1", model="m")
    async with httpx.AsyncClient() as http:
        with pytest.raises(AssertionError, match=r"only api\.deepseek\.com is; nothing was sent"):
            await http.get("https://elsewhere.invalid/?key=secret")
    assert mock_deepseek.calls == []


async def test_another_host_can_be_answered_for(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.answer_for("Elsewhere.invalid")
    mock_deepseek.reply("Rayleigh.")
    completion = await harness.ask(
        "Why?", base_url="http://elsewhere.invalid/v1", model="deepseek-flash"
    )
    assert completion.content == "Rayleigh."


async def test_a_server_of_the_tests_own_can_be_let_through(mock_deepseek: MockDeepSeek) -> None:
    mock_deepseek.let_through("127.0.0.1")
    own = FakeDeepSeek()
    async with serve(own) as url, httpx.AsyncClient() as http, httpx2.AsyncClient() as http2:
        assert (await http.get(f"{url}/models", headers=OWN_KEY)).status_code == 200
        assert (await http2.get(f"{url}/models", headers=OWN_KEY)).status_code == 200
    assert own.statuses == {200: 2}


async def test_a_client_that_cannot_be_intercepted_does_not_leave(
    mock_deepseek: MockDeepSeek,
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(
            AssertionError, match=r"cannot intercept was about to connect to api\.deepseek\.com"
        ):
            await session.get(f"{URL}/models")
        with pytest.raises(AssertionError, match="cannot intercept"):
            await asyncio.get_running_loop().getaddrinfo(b"API.DeepSeek.com", 443)


def test_a_router_of_the_tests_own_stands_beside_it(
    mock_deepseek: MockDeepSeek, respx_mock: Any
) -> None:
    respx_mock.get("https://elsewhere.invalid/").respond(204)
    assert httpx.get("https://elsewhere.invalid/").status_code == 204
    assert httpx.get(f"{URL}/models", headers=OWN_KEY).status_code == 200


def test_a_failed_test_shows_the_calls(run: Run) -> None:
    done = run("""
        import httpx

        def ask(text):
            body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": text}]}
            headers = {"authorization": "Bearer k"}
            return httpx.post("https://api.deepseek.com/chat/completions", json=body, headers=headers)

        def test_it(mock_deepseek):
            mock_deepseek.reply("Rayleigh.")
            assert ask("Why?").status_code == 500

        def test_without_calls(mock_deepseek):
            assert mock_deepseek.calls
        """)
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        [
            "*calls to mock_deepseek*",
            "1 call came:",
            '  1. +0.000 s: "Why?" to deepseek-flash, plain: 200, reply "Rayleigh."',
            "*calls to mock_deepseek*",
            "no calls came",
        ]
    )


def test_what_was_scripted_and_never_asked_for_fails_the_test(run: Run) -> None:
    done = run("""
        import pytest

        def test_it(mock_deepseek):
            mock_deepseek.when("verdict").reply("guilty").fail(429, times=2)

        def test_allowed(mock_deepseek):
            mock_deepseek.reply("guilty")
            mock_deepseek.allow_unused()

        def test_that_fails_by_itself(mock_deepseek):
            mock_deepseek.reply("guilty")
            assert 1 == 2

        def test_that_is_skipped(mock_deepseek):
            mock_deepseek.reply("guilty")
            pytest.skip("later")

        async def test_async(mock_deepseek):
            mock_deepseek.reply_json({})
        """)
    done.assert_outcomes(failed=3, passed=1, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "mock_deepseek: scripted, and never asked for:",
            '  reply "guilty" for calls with "verdict"',
            '  fail 429 for calls with "verdict" (2 times)',
            "if that is meant: mock_deepseek.allow_unused()",
        ]
    )
    # Whole lines only: with CI in the environment pytest says each failure again, whole, in its
    # short summary.
    assert done.outlines.count("mock_deepseek: scripted, and never asked for:") == 2


def test_a_missing_respx_names_the_extra_to_install(run: Run) -> None:
    done = run(
        """
        def test_it(mock_deepseek):
            pass
        """,
        "-p",
        "no:respx",
        conftest="""
        import sys

        sys.modules["respx"] = None
        sys.modules.pop("harness.testing.routing", None)
        """,
    )
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["mock_deepseek needs respx: pip install 'reasoning-harness[[]pytest]'"]
    )


async def test_the_body_of_a_call_is_what_was_sent(mock_deepseek: MockDeepSeek) -> None:
    async with async_client() as api:
        await api.chat.completions.create(
            **BODY, temperature=0.5, extra_body={"thinking": {"type": "disabled"}}
        )
    [call] = mock_deepseek.calls
    assert json.loads(json.dumps(call.body)) == {
        **BODY,
        "temperature": 0.5,
        "thinking": {"type": "disabled"},
    }
