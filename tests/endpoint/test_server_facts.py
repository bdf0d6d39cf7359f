from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.doctor import Finding, examine
from harness.domain.endpoint import profile_endpoint
from harness.domain.failures import TransientError
from harness.domain.policy import Timeouts
from harness.domain.profiles import PROFILES
from harness.domain.secret import Secret
from harness.endpoint.server_facts import Answer, ask_account, balance_text, model_names
from harness.errors import HarnessError
from harness.settings import load_settings

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
KEY = "sk-canary-of-this-test"
DEEPSEEK = profile_endpoint(PROFILES["deepseek"], api_key=Secret(KEY))
MODELS = {"data": [{"id": "deepseek-flash"}, {"id": "deepseek-v4-pro"}]}
BALANCE = {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "9.50"}]}


class Noon:
    def now(self) -> datetime:
        return NOON


class Provider(httpx2.AsyncBaseTransport):
    """Answers by path, and keeps what it was asked."""

    def __init__(
        self, answers: dict[str, Any], date: str = "Mon, 16 Nov 2026 12:00:01 GMT"
    ) -> None:
        self.answers = answers
        self.asked: list[httpx2.Request] = []
        self.date = date

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers[request.url.path]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.Response(status, content=content, headers={"date": self.date})


async def test_the_key_goes_along_and_the_servers_clock_comes_back() -> None:
    provider = Provider({"/models": MODELS})
    answer = await ask_account(DEEPSEEK, "/models", timeouts=Timeouts(), transport=provider)
    assert provider.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert model_names(answer) == ("deepseek-flash", "deepseek-v4-pro")
    assert answer.at == datetime(2026, 11, 16, 12, 0, 1, tzinfo=UTC)


async def test_a_server_out_of_reach_is_a_transient_error_without_the_key() -> None:
    provider = Provider({"/models": httpx2.ConnectError(f"refused {KEY}")})
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        await ask_account(DEEPSEEK, "/models", timeouts=Timeouts(), transport=provider)
    assert KEY not in str(caught.value)


def test_a_balance_is_told_in_words() -> None:
    assert balance_text(Answer(status=200, body=BALANCE, at=None)) == (True, "9.50 USD")


@pytest.mark.parametrize("body", [None, [], {}, {"data": 5}, {"balance_infos": [{}]}, "text"])
def test_a_body_of_another_shape_is_said_to_be_one(body: Any) -> None:
    with pytest.raises(HarnessError, match="unknown shape"):
        model_names(Answer(status=200, body=body, at=None))
    with pytest.raises(HarnessError, match="unknown shape"):
        balance_text(Answer(status=200, body=body, at=None))


# What the doctor makes of it


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notes() -> Path:
    """A file that is no cache."""
    Path("notes.db").write_text("not a database, but long enough to be read as one" * 9)
    return Path("notes.db")


async def findings(
    provider: Provider, env: dict[str, str] | None = None, **settings: Any
) -> dict[str, Finding]:
    loaded = load_settings(settings, environ={"DEEPSEEK_API_KEY": KEY} if env is None else env)
    found: AsyncIterator[Finding] = examine(loaded, Noon(), transport=provider)
    return {finding.name: finding async for finding in found if finding.verdict != "ok"}


async def test_the_doctor_has_nothing_to_say_where_all_is_well() -> None:
    assert await findings(Provider({"/models": MODELS, "/user/balance": BALANCE})) == {}


@pytest.mark.parametrize(
    ("answers", "name", "verdict", "said"),
    [
        ({"/models": (401, {})}, "endpoint", "problem", "deepseek refuses the key (401)"),
        (
            {"/models": (503, b"<html>")},
            "endpoint",
            "problem",
            "deepseek answered 503 to a request for its models",
        ),
        (
            {"/models": (200, b"<html>")},
            "endpoint",
            "warning",
            "the list of models has an unknown shape",
        ),
        ({"/models": httpx2.ConnectError("refused")}, "endpoint", "problem", "cannot be reached"),
        (
            {"/models": {"data": [{"id": "other"}]}},
            "endpoint",
            "problem",
            "serves other, but not deepseek-flash",
        ),
        ({"/models": MODELS, "/user/balance": (500, {})}, "balance", "warning", "answered 500"),
        (
            {"/models": MODELS, "/user/balance": httpx2.ReadTimeout("slow")},
            "balance",
            "warning",
            "cannot be reached",
        ),
        (
            {"/models": MODELS, "/user/balance": {**BALANCE, "is_available": False}},
            "balance",
            "problem",
            "9.50 USD: calls would be refused",
        ),
    ],
)
async def test_the_doctor_names_what_is_wrong_with_the_account(
    answers: dict[str, Any], name: str, verdict: str, said: str
) -> None:
    found = await findings(Provider({"/user/balance": BALANCE, **answers}))
    assert found[name].verdict == verdict
    assert said in found[name].said
    assert found[name].advice
    assert all(KEY not in finding.said for finding in found.values())


async def test_the_doctor_sees_a_clock_that_is_off() -> None:
    provider = Provider(
        {"/models": MODELS, "/user/balance": BALANCE}, date="Mon, 16 Nov 2026 12:05:00 GMT"
    )
    assert (await findings(provider))["clock"].said == "300 s from the provider's"


async def test_the_doctor_sends_nothing_where_a_key_is_needed_and_missing() -> None:
    provider = Provider({})
    assert "no key for deepseek" in (await findings(provider, env={}))["key"].said
    assert provider.asked == []


async def test_the_doctor_sees_a_cache_that_is_none_and_too_few_files(notes: Path) -> None:
    found = await findings(
        Provider({"/models": MODELS, "/user/balance": BALANCE}), cache=notes, in_flight=1_000_000
    )
    assert found["cache"].verdict == "problem"
    assert "1,000,000 calls in flight need about" in found["files"].said
    assert found["files"].advice.startswith("ulimit -n ")
