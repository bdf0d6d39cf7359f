"""Several endpoints in one run, from the command line: two mocks on sockets of this machine, each
with its own key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of
from processes import Server, rows_of

from harness.testing import FakeDeepSeek, Fault, FaultPlan

REASON_KEY, LOCAL_KEY = "sk-of-the-reasoner", "sk-of-the-local-one"
FLOW = """\
from harness import StepOptions

PLAN = StepOptions(endpoint="local", model="tiny")

async def flow(step, topic):
    plan = await step.complete("plan", topic.text, options=PLAN)
    return (await step.complete("write", plan.content)).content
"""
SUITE = """\
dataset = "topics.jsonl"
cassette = "recorded.jsonl"

[settings]
endpoint = "mock"

[steps.decompose]
endpoint = "cheap"

[endpoints.cheap]
like = "mock"
thinking = "none"

[[check]]
name = "it was asked there"
step = "decompose"
chars = { at_least = 1 }
"""


@dataclass(frozen=True, slots=True)
class Two:
    """The run's own server and the one of a step, and the settings file that names both."""

    own: Server
    local: Server

    def settings(self, more: str = "") -> str:
        return f"""\
endpoint = "reasoner"
yes = true

[endpoints.reasoner]
base_url = "{self.own.url}"
api_key_env = "REASONER_API_KEY"
dialect = "deepseek"
model = "deepseek-flash"

[endpoints.reasoner.prices."deepseek-flash"]
input = 1.0
output = 2.0

[endpoints.local]
base_url = "{self.local.url}"
api_key_env = "LOCAL_API_KEY"
model = "tiny"
in_flight = 1
cap = "max_completion_tokens"

[endpoints.local.prices.tiny]
input = 0.0
output = 0.0

{more}
"""


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setenv("REASONER_API_KEY", REASON_KEY)
    monkeypatch.setenv("LOCAL_API_KEY", LOCAL_KEY)
    own = FakeDeepSeek(keys={REASON_KEY}, delta_tokens=50)
    local = FakeDeepSeek(keys={LOCAL_KEY}, dialect="openai", delta_tokens=50)
    with Server(own) as one, Server(local) as other:
        servers = Two(one, other)
        Path("harness.toml").write_text(servers.settings('[steps.decompose]\nendpoint = "local"\n'))
        yield servers


def manifest(run: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(run) / "run.json").read_text())
    return found


def spans(run: str = "out") -> list[dict[str, Any]]:
    return rows_of(Path(run) / "traces.jsonl")


def test_each_step_goes_to_its_endpoint_with_the_key_that_belongs_there(
    harness: Harness, two: Two
) -> None:
    ran = harness("run", "topics.jsonl", "--out", "out", "-q")

    assert ran.exit_code == 0, ran.output
    asked = {(span["step"], span.get("endpoint"), span["request"]["endpoint"]) for span in spans()}
    assert asked == {
        ("decompose", "local", two.local.url),
        ("research", None, two.own.url),
        ("synthesize", None, two.own.url),
    }
    assert {logged.status for logged in two.own.fake.log} == {200}
    assert {logged.status for logged in two.local.fake.log} == {200}
    assert two.local.seen == 2
    assert {span["request"]["model"] for span in spans() if span["step"] == "decompose"} == {"tiny"}


def test_prices_are_each_endpoints_own_and_the_budget_is_the_runs(
    harness: Harness, two: Two
) -> None:
    ran = harness("run", "topics.jsonl", "--out", "out", "-q", "--budget", "5")

    assert ran.exit_code == 0, ran.output
    costs = {span["step"]: span["cost"] for span in spans()}
    assert costs["decompose"] == 0.0
    assert costs["synthesize"] > 0
    assert manifest()["journal"]["cost"] == pytest.approx(sum(span["cost"] for span in spans()))


def test_run_json_says_who_was_asked_by_which_steps_and_holds_no_key(
    harness: Harness, two: Two
) -> None:
    harness("run", "topics.jsonl", "--out", "out", "-q")

    told = manifest()
    assert told["endpoints"] == {
        "reasoner": {"endpoint": two.own.url, "base_url": two.own.url, "steps": []},
        "local": {"endpoint": two.local.url, "base_url": two.local.url, "steps": ["decompose"]},
    }
    assert told["identity"]["endpoints"] == {"local": two.local.url}
    assert set(told["limits_learned"]["endpoints"]) == {"reasoner", "local"}
    assert told["limits_learned"]["endpoints"]["local"]["maximum"] == 1
    everything = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
    assert REASON_KEY.encode() not in everything
    assert LOCAL_KEY.encode() not in everything


def test_status_names_the_endpoints(harness: Harness, two: Two) -> None:
    harness("run", "topics.jsonl", "--out", "out", "-q")

    said = harness("status", "out").output

    assert f"model     deepseek-flash at {two.own.url}" in said
    assert f"          decompose at local ({two.local.url})" in said


def test_an_endpoint_that_the_workflow_names_is_found_in_its_source(
    harness: Harness, two: Two
) -> None:
    Path("harness.toml").write_text(two.settings())
    Path("own.py").write_text(FLOW)

    ran = harness("run", "topics.jsonl", "--workflow", "own.py:flow", "--out", "out", "-q")

    assert ran.exit_code == 0, ran.output
    assert manifest()["endpoints"]["local"]["steps"] == ["plan"]
    assert {(span["step"], span.get("endpoint")) for span in spans()} == {
        ("plan", "local"),
        ("write", None),
    }


def test_a_table_of_a_step_rules_over_the_endpoint_that_the_workflow_names(
    harness: Harness, two: Two
) -> None:
    Path("harness.toml").write_text(two.settings('[steps.plan]\nendpoint = "reasoner"\n'))
    Path("own.py").write_text(FLOW)

    ran = harness("run", "topics.jsonl", "--workflow", "own.py:flow", "--out", "out", "-q")

    assert ran.exit_code == 0, ran.output
    assert two.local.seen == 0
    assert set(manifest()["endpoints"]) == {"reasoner"}
    assert {span["request"]["model"] for span in spans()} == {
        "deepseek-flash"
    }  # the local one's is no model there


@pytest.mark.parametrize(
    "command",
    [
        ("run", "topics.jsonl", "--out", "out"),
        ("estimate", "topics.jsonl"),
        ("record", "topics.jsonl", "--cassette", "made.jsonl"),
        ("bench", "topics.jsonl", "--out", "out"),
        ("ask", "why?"),
        ("doctor",),
    ],
    ids=lambda command: command[0],
)
def test_an_unknown_endpoint_of_a_step_is_refused_by_its_line_with_the_nearest(
    harness: Harness, two: Two, command: tuple[str, ...]
) -> None:
    Path("harness.toml").write_text(two.settings('[steps.decompose]\nendpoint = "locla"\n'))

    refused = harness(*command)

    line = len(two.settings().splitlines()) + 1
    said = "step decompose: no such endpoint: locla; did you mean 'local'?"
    assert problem_of(refused) == f"harness.toml:{line}: {said}"
    assert two.own.seen + two.local.seen == 0


@pytest.mark.parametrize(
    "command", [("run", "topics.jsonl", "--out", "out"), ("estimate", "topics.jsonl")]
)
def test_an_unknown_endpoint_of_the_workflow_is_refused_before_anything_is_sent(
    harness: Harness, two: Two, command: tuple[str, ...]
) -> None:
    Path("harness.toml").write_text(two.settings())
    Path("own.py").write_text(FLOW.replace('"local"', '"locla"'))

    refused = harness(*command, "--workflow", "own.py:flow")

    assert problem_of(refused) == "step plan: no such endpoint: locla; did you mean 'local'?"
    assert two.own.seen + two.local.seen == 0
    assert not Path("out").exists()


def test_a_missing_key_is_named_with_the_step_before_the_first_call(
    harness: Harness, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_API_KEY")

    refused = harness("run", "topics.jsonl", "--out", "out")

    said = (
        "no key for local, which step decompose asks: set LOCAL_API_KEY in the environment or in a"
        " file .env here"
    )
    assert problem_of(refused) == said
    assert two.own.seen + two.local.seen == 0


def test_the_key_of_an_endpoint_that_no_step_asks_is_not_wanted(
    harness: Harness, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REASONER_API_KEY")
    steps = "\n".join(
        f'[steps.{step}]\nendpoint = "local"' for step in ("decompose", "research", "synthesize")
    )
    Path("harness.toml").write_text(two.settings(steps))

    ran = harness("run", "topics.jsonl", "--out", "out", "-q")

    assert ran.exit_code == 0, ran.output
    assert two.own.seen == 0
    assert manifest()["endpoints"]["reasoner"]["asked"] is False


def test_resume_takes_the_endpoints_up_again_whatever_the_file_says_now(
    harness: Harness, two: Two
) -> None:
    harness("run", "topics.jsonl", "--out", "out", "-q", "--run-calls", "1")
    assert manifest()["status"] == "budget"
    Path("harness.toml").unlink()

    resumed = harness("resume", "out", "-q", "--run-calls", "100")

    assert resumed.exit_code == 0, resumed.output
    assert {span.get("endpoint") for span in spans() if span["step"] == "decompose"} == {"local"}
    assert manifest()["limits_learned"]["endpoints"]["local"]["maximum"] == 1


def test_resume_names_an_endpoint_that_the_run_does_not_know_and_what_to_do(
    harness: Harness, two: Two
) -> None:
    Path("harness.toml").write_text(two.settings())
    Path("own.py").write_text(FLOW)
    harness(
        "run", "topics.jsonl", "--workflow", "own.py:flow", "--out", "out", "-q", "--run-calls", "1"
    )
    Path("own.py").write_text(FLOW.replace('"local"', '"newer"'))

    refused = harness("resume", "out")

    said = problem_of(refused)
    assert said.startswith("step plan: no such endpoint: newer; known: ")
    assert said.endswith("or begin another run with a new --out DIR")


def test_a_run_goes_on_only_where_the_same_endpoints_answer(harness: Harness, two: Two) -> None:
    harness("run", "topics.jsonl", "--out", "out", "-q", "--run-calls", "1")
    settings = two.settings('[steps.decompose]\nendpoint = "local"\n')
    Path("harness.toml").write_text(settings.replace(two.local.url, f"{two.local.url}/other"))

    refused = harness("run", "topics.jsonl", "--out", "out", "-q")

    assert "which differs in endpoints" in problem_of(refused)


def test_a_wrong_key_stops_the_run_and_names_the_endpoint(
    harness: Harness, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_API_KEY", "sk-wrong")

    stopped = harness("run", "topics.jsonl", "--out", "out", "-q")

    assert stopped.exit_code == 3
    assert "stopped   local: " in stopped.output
    assert "check the key in LOCAL_API_KEY" in stopped.output
    assert "sk-wrong" not in stopped.output


def test_a_quota_of_one_endpoint_lets_the_others_calls_go_on_and_ends_with_3(
    harness: Harness, two: Two
) -> None:
    two.own.fake.faults = FaultPlan.always(Fault.INSUFFICIENT_QUOTA)

    stopped = harness("run", "topics.jsonl", "--out", "out", "-q")

    assert stopped.exit_code == 3, stopped.output
    assert "stopped   reasoner: " in stopped.output
    assert two.local.seen == 2  # both topics were decomposed all the same
    assert manifest()["status"] == "balance"


def test_a_recording_of_two_endpoints_is_replayed_without_key_or_network(
    harness: Harness, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = harness("record", "topics.jsonl", "--cassette", "made.jsonl", "--out", "out", "-q")
    assert recorded.exit_code == 0, recorded.output
    asked = two.own.seen + two.local.seen
    monkeypatch.delenv("LOCAL_API_KEY")
    monkeypatch.delenv("REASONER_API_KEY")

    replayed = harness("run", "topics.jsonl", "--cache-mode", "replay", "--out", "again", "-q")

    assert replayed.exit_code == 0, replayed.output
    assert two.own.seen + two.local.seen == asked
    assert {span["served"]["source"] for span in spans("again")} == {"replay"}


def test_a_suite_may_have_endpoints_of_its_own(harness: Harness) -> None:
    Path("suite.toml").write_text(SUITE)

    recorded = harness("check", "suite.toml", "--on-miss", "record", "--yes", "-q")
    checked = harness("check", "suite.toml")

    assert recorded.exit_code == 0, recorded.output
    assert checked.exit_code == 0, checked.output


def test_doctor_looks_at_each_endpoint_that_steps_ask(harness: Harness, two: Two) -> None:
    looked = harness("doctor")

    assert "there is one for " in looked.output
    assert f"local: there is one for {two.local.url}" in looked.output
    assert "local: tiny; the price is known" in looked.output
    assert {logged.path for logged in two.local.fake.log} == {"/v1/models"}


def test_consent_is_asked_for_the_endpoint_of_a_step_too(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-test")
    Path("harness.toml").write_text(
        'endpoint = "mock"\n[steps.synthesize]\nendpoint = "deepseek"\n'
    )

    refused = harness("run", "topics.jsonl", "--out", "out")

    assert "this would spend money at deepseek, and there is no terminal" in problem_of(refused)


def test_virtual_time_is_refused_where_a_step_asks_a_real_server(
    harness: Harness, two: Two
) -> None:
    Path("harness.toml").write_text(two.settings('[steps.decompose]\nendpoint = "local"\n'))

    refused = harness(
        "bench",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--virtual",
        "--latency",
        "fixed:1",
        "--out",
        "b",
    )

    assert (
        problem_of(refused) == "--virtual: only the mock lives on virtual time; add --endpoint mock"
    )


def test_a_budget_in_money_wants_the_prices_of_every_endpoint(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    Path("harness.toml").write_text(
        'endpoint = "mock"\nbudget = 1.0\n[steps.synthesize]\nendpoint = "openai"\nmodel ='
        ' "some-model"\n'
    )

    refused = harness("run", "topics.jsonl", "--out", "out")

    assert problem_of(refused).startswith(
        "--budget 1: no price is known for the model 'some-model' at openai; give"
    )


def test_estimate_prices_each_step_at_its_own_endpoint(harness: Harness, two: Two) -> None:
    found = json.loads(harness("estimate", "topics.jsonl", "--json").output)

    costs = {step["step"]: step["cost"] for step in found["steps"]}
    assert costs["decompose"] == 0.0
    assert costs["research"] > 0
    assert two.own.seen + two.local.seen == 0
