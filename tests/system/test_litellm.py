"""LiteLLM's proxy, in an environment of its own, in front of our DeepSeek: what it passes on, and
what it hides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command
from environments import environment_with, need_time
from foreign_servers import LITELLM, MASTER_KEY, litellm_proxy
from processes import Server, done, rows_of, write_topics

from harness.domain.failures import CompletionError
from harness.testing import FakeDeepSeek
from harness.testing.deepseek.fault_plan import Fault, FaultPlan, Rule

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

NOBODY = "http://127.0.0.1:9/v1"
ONE_CALL = """
async def ask(step, topic):
    return (await step.complete("ask", topic.text)).content
"""
BROKEN_ONCE = "the once broken"
BOTH = pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
STREAMED, WHOLE = (), ("--no-stream",)


@dataclass(frozen=True)
class Gateway:
    """The proxy's base URL, and the DeepSeek behind it."""

    url: str
    behind: FakeDeepSeek

    def calls(self) -> int:
        """How many calls have come to the DeepSeek."""
        return sum(logged.path.endswith("/chat/completions") for logged in list(self.behind.log))

    def at(self, model: str) -> tuple[str, ...]:
        return ("--base-url", self.url, "--api-key-env", "GATEWAY_KEY", "--model", model)


def name_for(fault: Fault, how: Sequence[str]) -> str:
    """The name by which the gateway is asked where a fault is to be met."""
    return f"{fault}{''.join(how)}"


def provoking(fault: Fault) -> str:
    """A prompt that meets this fault, each time that it is asked."""
    return f"Tell of <{fault}>."


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    need_time("LiteLLM's proxy")
    binaries = environment_with("litellm-proxy", LITELLM, tmp_path_factory.getbasetemp())
    once = Rule(text=BROKEN_ONCE, faults=(Fault.EOF_WITHOUT_FINISH,))
    plan = FaultPlan(rules=(once, *(Rule(text=f"<{fault}>", then=fault) for fault in Fault)))
    with Server(FakeDeepSeek(faults=plan, delta_tokens=20)) as behind:
        params: dict[str, Any] = {
            "model": "deepseek/deepseek-flash",
            "api_base": behind.url,
            "api_key": "sk-of-deepseek",
        }
        # Names of their own for each fault, as what has failed may not be asked for the next
        # seconds.
        faults = (name_for(fault, how) for fault in Fault for how in (STREAMED, WHOLE))
        served = dict.fromkeys(("flash", *faults), params)
        served["gone"] = {**params, "api_base": NOBODY, "num_retries": 0, "max_retries": 0}
        served["other"] = {**params, "model": "deepseek/deepseek-v4-pro"}
        config = {
            "model_list": [
                {"model_name": name, "litellm_params": params} for name, params in served.items()
            ],
            "router_settings": {"fallbacks": [{"gone": ["other"]}]},
        }
        with litellm_proxy(binaries, tmp_path_factory.mktemp("litellm"), config) as url:
            yield Gateway(url, behind.fake)


@pytest.fixture(autouse=True)
def _a_key_and_an_empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_KEY", MASTER_KEY)


def asked(gateway: Gateway, prompt: str, model: str, *more: str) -> dict[str, Any]:
    """The answer, and whatever is told of it."""
    result = run_command("ask", prompt, *gateway.at(model), "--json", *more)
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def failure(gateway: Gateway, prompt: str, model: str, *more: str) -> CompletionError:
    """What one request comes to."""
    result = run_command(
        "ask", prompt, *gateway.at(model), "--attempts", "1", "--patience", "0", *more
    )
    assert isinstance(result.exception, CompletionError), result.output
    return result.exception


@BOTH
def test_research_comes_through_with_reasoning_usage_cost_and_trace(
    gateway: Gateway, tmp_path: Path, how: Sequence[str]
) -> None:
    write_topics(tmp_path, 3)
    before = gateway.calls()
    code, said = done(
        tmp_path, "run", "topics.jsonl", *gateway.at("flash"), "--out", "out", "-y", *how
    )
    assert code == 0, said
    calls = rows_of(tmp_path / "out" / "traces.jsonl")
    assert [row["status"] for row in rows_of(tmp_path / "out" / "results.jsonl")] == ["ok"] * 3
    assert gateway.calls() - before == len(calls)
    for call in calls:
        assert call["reasoning"]
        assert 0 < call["usage"]["reasoning_tokens"] < call["usage"]["output_tokens"]
        assert 0 < call["cost"] < 0.01, "not by litellm's table of prices"
        assert re.fullmatch("[0-9a-f]{32}", call["trace_id"]), "not the trace id of the DeepSeek"
        assert call["fingerprint"]
        assert call["model"] == "flash"


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.BAD_REQUEST, "bad_request"),
        (Fault.UNAUTHORIZED, "auth"),
        (Fault.INSUFFICIENT_BALANCE, "balance"),
        (Fault.UNPROCESSABLE, "bad_request"),
        (Fault.EMPTY_STOP, "blank"),
        (Fault.LENGTH, "length"),
        (Fault.CONTENT_FILTER, "content_filter"),
    ],
)
def test_what_the_server_behind_it_says_is_understood(
    gateway: Gateway, fault: Fault, kind: str, how: Sequence[str]
) -> None:
    before = gateway.calls()
    assert failure(gateway, provoking(fault), name_for(fault, how), *how).kind == kind
    assert gateway.calls() - before == 1


@pytest.mark.parametrize(
    ("fault", "streamed", "whole"),
    [
        # As a whole answer it is asked three times, which takes seconds.
        (Fault.RESET, "server", None),
        (Fault.ERROR_EVENT, "server", "server"),
        (Fault.HTML_200, "blank", "server"),  # a page becomes a stream that says nothing
        (Fault.EOF_WITHOUT_FINISH, "blank", "server"),
        (Fault.INSUFFICIENT_SYSTEM_RESOURCE, None, "interrupted"),  # in streams it leaves no trace
        (Fault.ABORTED, None, "interrupted"),
    ],
)
def test_what_breaks_behind_it_is_told_where_it_leaves_a_trace(
    gateway: Gateway, fault: Fault, streamed: str | None, whole: str | None
) -> None:
    if whole:
        assert failure(gateway, provoking(fault), name_for(fault, WHOLE), *WHOLE).kind == whole
    where = gateway.at(name_for(fault, STREAMED))
    result = run_command("ask", provoking(fault), *where, "--attempts", "1", "--patience", "0")
    if streamed is None:
        assert result.exception is None, (
            "there is a trace now: docs/servers.md says that there is none"
        )
    else:
        assert isinstance(result.exception, CompletionError)
        assert result.exception.kind == streamed


def test_a_stream_that_broke_off_behind_it_and_was_ended_as_a_whole_one_is_asked_for_again(
    gateway: Gateway, tmp_path: Path
) -> None:
    topics = ["Why is the sky blue?", f"Why was {BROKEN_ONCE} sword mended?"]
    (tmp_path / "topics.jsonl").write_text(
        "".join(json.dumps({"topic": topic}) + "\n" for topic in topics)
    )
    (tmp_path / "flow.py").write_text(ONE_CALL)
    quick = ("--set", "endpoint.thinking=thinking", "--thinking", "off", "--in-flight", "1")
    where = ("--workflow", "flow.py:ask", "--out", "out", "-y")
    code, said = done(tmp_path, "run", "topics.jsonl", *gateway.at("flash"), *where, *quick)
    assert code == 0, said
    _, broken = rows_of(tmp_path / "out" / "traces.jsonl")
    assert broken["served"]["attempts"] == 2
    (attempt,) = broken["served"]["failures"]
    assert attempt["kind"] == "incomplete"
    assert "broke off behind its gateway" in attempt["message"]
    assert broken["content"].startswith(attempt["content"])
    assert len(broken["content"]) > len(attempt["content"]) > 0


def test_it_asks_three_times_itself_and_the_wait_that_the_server_told_is_kept(
    gateway: Gateway,
) -> None:
    before = gateway.calls()
    error = failure(
        gateway, provoking(Fault.RATE_AFTER_FLOAT), name_for(Fault.RATE_AFTER_FLOAT, STREAMED)
    )
    assert (error.kind, error.retry_after_s) == ("rate_limited", 2.5)
    assert gateway.calls() - before == 3


def test_the_seconds_in_which_it_does_not_ask_a_server_that_has_failed_are_waited_out(
    gateway: Gateway,
) -> None:
    model = name_for(Fault.CUT_IN_CHUNK, WHOLE)
    assert failure(gateway, provoking(Fault.CUT_IN_CHUNK), model, *WHOLE).kind == "server"
    before = gateway.calls()
    error = failure(gateway, "Why?", model)
    # It is no limit on calls, though it comes under 429.
    assert (error.kind, error.status, error.retry_after_s) == ("server", 429, 5.0)
    assert gateway.calls() == before
    assert asked(gateway, "Why?", model)["content"]


def test_the_name_of_the_model_tells_a_fallback_in_two_ways(gateway: Gateway) -> None:
    assert asked(gateway, "Why?", "gone", *STREAMED)["model"] == "other"
    assert asked(gateway, "Why not?", "gone", *WHOLE)["model"] == "deepseek-v4-pro"


def test_a_prompt_that_does_not_fit_behind_it_is_too_long(gateway: Gateway, tmp_path: Path) -> None:
    write_topics(tmp_path, 1)
    (tmp_path / "flow.py").write_text(ONE_CALL.replace("topic.text", "'why ' * 1_400_000"))
    where = ("--workflow", "flow.py:ask", "--out", "out", "-y")
    code, said = done(tmp_path, "run", "topics.jsonl", *gateway.at("flash"), *where)
    assert code == 1, said
    (row,) = rows_of(tmp_path / "out" / "results.jsonl")
    assert row["error"]["kind"] == "too_long"
    assert "maximum context length is 1048576 tokens" in row["error"]["message"]


def test_a_wrong_name_and_a_wrong_key_are_told_apart(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failure(gateway, "Why?", "no-such-model").kind == "unknown_model"
    monkeypatch.setenv("GATEWAY_KEY", "sk-of-somebody-else")
    assert failure(gateway, "Why?", "flash").kind == "auth"


def test_doctor_lists_its_models_and_sees_a_wrong_name(gateway: Gateway) -> None:
    right = run_command("doctor", "--ask", *gateway.at("flash"))
    assert right.exit_code == 0, right.output
    assert "told with the stream" in right.output
    wrong = run_command("doctor", *gateway.at("flesh"))
    assert wrong.exit_code == 1
    assert "but not flesh" in wrong.output
    assert "nearest: flash" in wrong.output
