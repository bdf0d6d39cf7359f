"""LiteLLM's proxy, in an environment of its own, in front of our DeepSeek: what it passes on, and what it hides."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command
from environments import environment_with
from foreign_servers import LITELLM, MASTER_KEY, litellm_proxy
from processes import Server, done, rows_of

from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.testing import FakeDeepSeek
from harness.testing.deepseek.faults import Fault, FaultPlan, Rule

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

NOBODY = "http://127.0.0.1:9/v1"


@dataclass(frozen=True)
class Gateway:
    """The proxy's base URL, and the DeepSeek behind it."""

    url: str
    behind: FakeDeepSeek

    def asked(self, since: int) -> int:
        """How many calls came to the DeepSeek since it had so many."""
        return len(self.calls()) - since

    def calls(self) -> list[Fault | None]:
        return [logged.fault for logged in list(self.behind.log) if logged.path.endswith("/chat/completions")]


def provoking(fault: Fault) -> str:
    """A prompt that meets this fault, each time that it is asked."""
    return f"Tell of <{fault}>."


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    binaries = environment_with("litellm-proxy", LITELLM, tmp_path_factory.getbasetemp())
    plan = FaultPlan(rules=tuple(Rule(text=f"<{fault}>", then=fault) for fault in Fault))
    with Server(FakeDeepSeek(faults=plan, delta_tokens=20)) as behind:
        served = {"model": "deepseek/deepseek-flash", "api_base": behind.url, "api_key": "sk-of-deepseek"}
        # A server of its own for each fault: the proxy asks none for some seconds after it has failed once.
        names = ["flash", *(str(fault) for fault in Fault)]
        models = [{"model_name": name, "litellm_params": served} for name in names]
        models += [
            {"model_name": "gone", "litellm_params": {**served, "api_base": NOBODY}},
            {"model_name": "other", "litellm_params": {**served, "model": "deepseek/deepseek-v4-pro"}},
        ]
        config = {"model_list": models, "router_settings": {"fallbacks": [{"gone": ["other"]}]}}
        with litellm_proxy(binaries, tmp_path_factory.mktemp("litellm"), config) as url:
            yield Gateway(url, behind.fake)


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_API_KEY", MASTER_KEY)


def ask(gateway: Gateway, prompt: str, model: str = "flash", *more: str) -> dict[str, Any]:
    result = run_command("ask", prompt, "--base-url", gateway.url, "--model", model, "--json", *more)
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def failure(gateway: Gateway, prompt: str, model: str, *more: str) -> CompletionError:
    """What one request comes to."""
    once = ("--attempts", "1", "--patience", "0")
    result = run_command("ask", prompt, "--base-url", gateway.url, "--model", model, *once, *more)
    assert isinstance(result.exception, CompletionError), result.output
    return result.exception


BOTH = pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])


@BOTH
def test_an_answer_passes_with_its_reasoning_usage_cost_and_trace(gateway: Gateway, how: Sequence[str]) -> None:
    told = ask(gateway, "Why?", "flash", *how)
    print(told)
    assert told["reasoning"]
    assert told["content"]


@pytest.mark.parametrize("fault", [Fault.BAD_REQUEST, Fault.UNAUTHORIZED, Fault.INSUFFICIENT_BALANCE, Fault.UNPROCESSABLE, Fault.FORBIDDEN, Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.RATE_RPM, Fault.RATE_AFTER_SECONDS, Fault.EMPTY_STOP, Fault.LENGTH, Fault.CONTENT_FILTER, Fault.ABORTED, Fault.INSUFFICIENT_SYSTEM_RESOURCE, Fault.RESET, Fault.EOF_WITHOUT_FINISH, Fault.ERROR_EVENT, Fault.INSUFFICIENT_QUOTA, Fault.HTML_200, Fault.EMPTY_200, Fault.CHOICES_NULL, Fault.ERROR_OBJECT_200])
@BOTH
def test_explore(gateway: Gateway, fault: Fault, how: Sequence[str]) -> None:
    n = len(gateway.calls())
    import time
    t = time.monotonic()
    result = run_command("ask", provoking(fault), "--base-url", gateway.url, "--model", str(fault), "--attempts", "1", "--patience", "0", *how)
    e = result.exception
    with open("/tmp/d-real/explore.txt", "a") as f:
        print(fault, how, "->", type(e).__name__, getattr(e, "kind", None), getattr(e, "status", None), getattr(e, "retry_after_s", None), getattr(e, "reach", None), f"{time.monotonic()-t:.1f}s asked {gateway.asked(n)}", str(e)[:250].replace("\n", " "), result.stderr.strip()[-120:], file=f)
