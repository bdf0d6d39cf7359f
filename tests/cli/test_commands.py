"""Each command as a person gives it: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from command_line import Harness, problem_of

from harness.cli.main import COMMANDS, exit_code
from harness.domain.failures import FatalError, PermanentError
from harness.errors import BudgetExceeded, DatasetError, HarnessError, SettingsError, StorageError


def test_help_names_every_command_and_needs_none_of_them(harness: Harness) -> None:
    result = harness("--help")
    assert result.exit_code == 0
    for name, says in COMMANDS.items():
        assert f"  {name:<10}{says}" in result.output
    assert harness("-h").output == result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(harness: Harness, name: str) -> None:
    result = harness(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: harness {name}")


def test_the_help_of_run_groups_the_options_under_headings(harness: Harness) -> None:
    lines = harness("run", "--help").output.splitlines()
    headings = [line.removesuffix(":") for line in lines if line and not line.startswith((" ", "Usage"))]
    assert headings == [
        *("Workflow", "Endpoint", "Dataset", "Cache", "Limits", "Time-outs", "Budget", "Mock", "Output"),
        *("Telemetry", "General"),
    ]


@pytest.mark.parametrize(
    "flag",
    [
        *("--workflow", "--endpoint [deepseek|openai|mock]", "--base-url", "--model", "--thinking [on|off]"),
        *("--effort [none|low|high|max]", "--cache FILE", "--cache-mode [off|read_write|refresh|replay]", "--ttl"),
        *("--out DIR", "--in-flight N", "--per-run N", "--runs N", "--rpm N", "--tpm N", "--attempts N"),
        *("--idle-timeout S", "--total-timeout S", "--no-stream", "--budget USD", "--budget-tokens N"),
        *("--prompts FILE", "--limit N", "--seed N", "-y, --yes", "--json", "-q, --quiet", "-v, --verbose"),
        *("--shuffle SEED", "--filter", "--skip-bad", "--topic-field", "--id-field", "--api-key-env", "--config FILE"),
    ],
)
def test_run_offers(harness: Harness, flag: str) -> None:
    assert flag in harness("run", "--help").output


def test_an_unknown_command_suggests_the_nearest(harness: Harness) -> None:
    result = harness("rum")
    assert result.exit_code == 2
    assert "no such command 'rum'; did you mean 'run'?" in result.output


def test_an_unknown_option_suggests_the_nearest(harness: Harness) -> None:
    result = harness("run", "topics.jsonl", "--in-fligt", "3")
    assert result.exit_code == 2
    assert "--in-flight" in result.output


# run, status, show, resume


def test_a_run_prints_its_summary_and_nothing_else_on_standard_output(harness: Harness) -> None:
    result = harness("run", "topics.jsonl", "--endpoint", "mock", "--out", "done")
    assert result.exit_code == 0
    assert result.stdout.startswith("topics    2: 2 ok, 0 degraded, 0 failed\n")
    assert "look      harness show done" in result.stdout
    assert "simulated at DeepSeek's prices, nothing was paid" in result.stdout


def test_a_run_with_json_prints_only_json(harness: Harness) -> None:
    result = harness("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "--json")
    report = json.loads(result.stdout)
    assert (report["exit_code"], report["totals"]["ok"], report["unfinished"]) == (0, 2, 0)
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nofile.jsonl", "--endpoint", "mock"], "nofile.jsonl: no such file"),
        (["topics.jsonl"], "no key for deepseek"),
        (["topics.jsonl", "--endpoint", "mock", "--in-flight", "-3"], "--in-flight -3: must be at least 1"),
        (["topics.jsonl", "--endpoint", "mock", "--workflow", "reserch"], "did you mean 'research'?"),
        (["topics.jsonl", "--endpoint", "mock", "--prompts", "no.toml"], "no.toml: cannot be read"),
        (["topics.jsonl", "--endpoint", "mock", "--config", "no.toml"], "no.toml: cannot be read"),
        (
            ["topics.jsonl", "--base-url", "http://127.0.0.1:9"],
            "a base URL has no default model: give one with --model",
        ),
        (
            ["topics.jsonl", "--base-url", "http://127.0.0.1:9", "--model", "m", "--budget", "1"],
            "no price is known for the model 'm'",
        ),
        (["topics.jsonl", "--endpoint", "mock", "--filter", "x"], "--filter 'x' is not a condition"),
        (["topics.jsonl", "--endpoint", "mock", "--topic-field", "text"], "topics.jsonl:1:"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(harness: Harness, arguments: list[str], message: str) -> None:
    before = sorted(Path().rglob("*"))
    assert message in problem_of(harness("run", *arguments))
    assert sorted(Path().rglob("*")) == before


def test_a_finished_run_is_shown_topic_by_topic(harness: Harness, a_run: Path) -> None:
    lines = harness("show", str(a_run)).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", "sky"], ["ok", "tea"]]
    assert harness("show", str(a_run), "--status", "failed").stdout == ""
    rows = [json.loads(line) for line in harness("show", str(a_run), "--json").stdout.splitlines()]
    assert [row["topic_id"] for row in rows] == ["sky", "tea"]


def test_a_topic_is_shown_with_its_report_and_its_calls(harness: Harness, a_run: Path) -> None:
    shown = harness("show", str(a_run), "sky").stdout
    assert shown.startswith("sky: ok\ntopic: Why is the sky blue?\n")
    assert "  decompose " in shown
    assert "--- reasoning" in harness("show", str(a_run), "sky", "--calls").stdout
    assert len(json.loads(harness("show", str(a_run), "sky", "--json").stdout)["spans"]) >= 5


def test_an_unknown_topic_says_how_to_list_them(harness: Harness, a_run: Path) -> None:
    assert problem_of(harness("show", str(a_run), "x")) == "done: no finished topic 'x'; `harness show done` lists them"


def test_the_status_of_a_run_in_words_and_as_json(harness: Harness, a_run: Path) -> None:
    assert "topics    2: 2 ok, 0 degraded, 0 failed" in harness("status", str(a_run)).stdout
    status = json.loads(harness("status", str(a_run), "--json").stdout)
    assert (status["status"], status["running"], status["totals"]["unfinished"]) == ("complete", False, 0)


@pytest.mark.parametrize("command", ["status", "show", "resume"])
def test_a_directory_that_is_no_run_is_refused(harness: Harness, command: str) -> None:
    Path("other").mkdir()
    for name in ("other", "nowhere"):
        assert f"{name}: not a run" in problem_of(harness(command, name))


@pytest.mark.parametrize("command", ["status", "show", "resume"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"{}"], ids=["empty", "torn", "list", "binary", "{}"]
)
def test_a_damaged_run_is_refused_in_words(harness: Harness, a_run: Path, command: str, content: bytes) -> None:
    (a_run / "run.json").write_bytes(content)
    assert "run.json" in problem_of(harness(command, str(a_run)))


def test_a_run_with_failures_is_continued_by_resume(harness: Harness) -> None:
    run = ("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q")
    first = harness(*run, "--faults", "400=1")
    assert first.exit_code == 1
    assert "continue  harness resume done" in first.stdout
    second = harness("resume", "done", "-q", "--faults", "none")
    assert second.exit_code == 0, second.output
    assert second.stdout.startswith("topics    2: 2 ok")


def test_resume_offers_nothing_that_would_change_the_answers(harness: Harness) -> None:
    text = harness("resume", "--help").output
    for flag in ("--model", "--prompts", "--endpoint", "--filter", "--config", "--out"):
        assert f"  {flag} " not in text
    assert "--budget USD" in text


# ask


def test_ask_prints_the_reasoning_and_then_the_answer_labelled(harness: Harness) -> None:
    result = harness("ask", "Why?", "--endpoint", "mock")
    assert result.exit_code == 0
    assert result.stdout.startswith("reasoning:\n")
    assert "\n\nanswer:\n" in result.stdout
    assert "tokens in" in result.stderr


def test_ask_a_second_time_comes_from_the_cache(harness: Harness) -> None:
    first, second = (harness("ask", "Why?", "--endpoint", "mock") for _ in range(2))
    assert second.stdout == first.stdout
    assert "from the cache, nothing paid" in second.stderr


def test_ask_with_json_prints_one_line_of_json(harness: Harness) -> None:
    result = harness("ask", "-", "--endpoint", "mock", "--json", "--max-tokens", "5000", text="Why?")
    answer = json.loads(result.stdout)
    assert answer["content"]
    assert answer["reasoning"]
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_a_blank_prompt_is_refused(harness: Harness, prompt: str) -> None:
    assert problem_of(harness("ask", prompt, "--endpoint", "mock")).startswith("the prompt is blank")


def test_a_call_that_failed_for_good_is_an_error_of_its_own(harness: Harness) -> None:
    result = harness("ask", "Why?", "--endpoint", "mock", "--faults", "content-filter=1")
    assert isinstance(result.exception, PermanentError)


# estimate, config, doctor, cache


def test_an_estimate_counts_calls_and_sends_nothing(harness: Harness) -> None:
    result = harness("estimate", "topics.jsonl", "--budget", "0.001")
    assert result.exit_code == 0, result.output
    assert "2 topics, from a rehearsal of 2" in result.stdout
    assert "The budget of $0.00 would end after about" in result.stdout
    assert not Path(".harness").exists()
    found = json.loads(harness("estimate", "topics.jsonl", "--json").stdout)
    assert found["calls"] >= 10
    assert found["cost"] < found["cost_at_most"]


def test_an_estimate_says_where_no_price_is_known(harness: Harness) -> None:
    shown = harness("estimate", "topics.jsonl", "--base-url", "http://127.0.0.1:9", "--model", "m").stdout
    assert "not known" in shown


def test_an_estimate_says_when_the_workflow_fails(harness: Harness) -> None:
    Path("flows.py").write_text("async def flow(step, topic):\n    raise ValueError('bad \\x1b[31m luck')\n")
    shown = harness("estimate", "topics.jsonl", "--workflow", "flows.py:flow").stdout
    assert "2 of the 2 failed in the rehearsal, the first: sky: ValueError: bad \\x1b[31m luck" in shown


def test_config_shows_each_value_and_its_origin(harness: Harness) -> None:
    Path("harness.toml").write_text("runs = 5\n")
    lines = harness("config", "--in-flight", "3").stdout.splitlines()
    origins = {line.split()[0]: line.split()[1:] for line in lines}
    assert origins["in_flight"] == ["3", "--in-flight"]
    assert origins["runs"] == ["5", "harness.toml"]
    assert origins["per_run"] == ["8", "default"]
    assert json.loads(harness("config", "--json").stdout)["runs"] == {"value": 5, "from": "harness.toml"}


@pytest.mark.parametrize(
    ("flags", "endpoint", "model", "thinking", "key_variable"),
    [
        ((), "deepseek", "deepseek-flash", None, None),
        (("--endpoint", "mock", "--model", "deepseek-reasoner"), "mock", "deepseek-flash", True, None),
        (("--base-url", "http://127.0.0.1:9/v1"), None, None, None, "HARNESS_API_KEY"),
    ],
)
def test_config_shows_what_follows_from_other_settings(
    harness: Harness, flags: tuple[str, ...], endpoint: str, model: str, thinking: bool, key_variable: str
) -> None:
    shown = json.loads(harness("config", "--json", *flags).stdout)
    values = [shown[name]["value"] for name in ("endpoint", "model", "thinking", "api_key_env")]
    assert values == [endpoint, model, thinking, key_variable]


def test_config_never_shows_a_key(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-canary-of-this-test")
    output = harness("config").output
    assert "canary" not in output
    assert re.search(r"^DEEPSEEK_API_KEY +\*\*\*", output, re.MULTILINE)


def test_the_prompts_of_a_workflow_can_be_copied_and_used(harness: Harness) -> None:
    shown = harness("config", "--show-prompts")
    assert shown.exit_code == 0, shown.output
    Path("my-prompts.toml").write_text(shown.stdout.replace("careful", "diligent"))
    ran = harness(*("run", "topics.jsonl", "--endpoint", "mock", "--prompts", "my-prompts.toml", "--out", "out", "-q"))
    assert ran.exit_code == 0, ran.output
    assert "You are a diligent researcher." in Path("out/traces.jsonl").read_text()


def test_a_workflow_without_a_prompts_file_says_so(harness: Harness) -> None:
    Path("own.py").write_text("async def flow(step, topic):\n    return topic.text\n")
    said = problem_of(harness("config", "--show-prompts", "--workflow", "own.py:flow"))
    assert said == "the workflow own.py:flow has no prompts file: its prompts stand in its code"


def test_doctor_finds_the_mock_in_good_health(harness: Harness) -> None:
    result = harness("doctor", "--endpoint", "mock")
    assert result.exit_code == 0, result.output
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}


def test_doctor_names_a_missing_key_and_exits_1(harness: Harness) -> None:
    result = harness("doctor")
    assert result.exit_code == 1
    assert "problem  key       no key for deepseek: set DEEPSEEK_API_KEY" in result.stdout
    findings = json.loads(harness("doctor", "--json").stdout)
    assert [one["name"] for one in findings if one["verdict"] == "problem"] == ["key"]


def test_doctor_finds_that_no_server_is_there_and_exits_1(harness: Harness) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        result = harness("doctor", "--base-url", url, "--model", "m")
    assert result.exit_code == 1
    assert "problem  connect   nothing listens at 127.0.0.1:" in result.stdout


def test_doctor_asks_the_mock_what_it_does(harness: Harness) -> None:
    result = harness("doctor", "--endpoint", "mock", "--ask")
    assert result.exit_code == 0, result.output
    assert "ok       stream    yes, in " in result.stdout
    assert "ok       reasoning in the field reasoning_content" in result.stdout


def test_a_cache_goes_out_as_text_and_comes_back_the_same(harness: Harness, a_run: Path) -> None:
    assert harness("cache", "export", "one.jsonl").exit_code == 0
    assert harness("cache", "import", "one.jsonl", "--cache", "two.db").exit_code == 0
    assert harness("cache", "export", "two.jsonl", "--cache", "two.db").exit_code == 0
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    recorded = [json.loads(line) for line in Path("one.jsonl").read_text().splitlines()]
    keys = [line["key"] for line in recorded]
    assert (places := [(line["topic"], line["call"]) for line in recorded]) == sorted(places)
    assert "--- answer" in harness("cache", "show", keys[0][:12]).stdout
    assert json.loads(harness("cache", "stats", "--json").stdout)["entries"] >= len(keys)
    assert harness("cache", "verify").exit_code == 0


def test_a_bad_line_of_a_cassette_is_named(harness: Harness, a_run: Path) -> None:
    harness("cache", "export", "one.jsonl")
    lines = Path("one.jsonl").read_text().splitlines()
    Path("bad.jsonl").write_text("\n".join([lines[0], "{bad", *lines[2:]]))
    assert "bad.jsonl:2: " in problem_of(harness("cache", "import", "bad.jsonl", "--cache", "two.db"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prune"], "nothing to prune: name an age, a size or a run"),
        (["prune", "--older-than", "xx"], "--older-than xx: must be seconds, or a time such as"),
        (["prune", "--max-size", "xx"], "--max-size 'xx' is no size: write 500k, 200M or 2G"),
        (["show", "zz"], "'zz' is no key"),
        (["stats", "--cache", "nofile.db"], "there is no cache file here"),
        (["stats", "--cache", "topics.jsonl"], "this is no SQLite file"),
    ],
)
def test_what_the_cache_cannot_do_is_said(harness: Harness, a_run: Path, arguments: list[str], message: str) -> None:
    assert message in problem_of(harness("cache", *arguments))


def test_pruning_says_what_went(harness: Harness, a_run: Path) -> None:
    assert "0 entries removed" in harness("cache", "prune", "--older-than", "1d").stdout
    assert json.loads(harness("cache", "prune", "--max-size", "0", "--json").stdout)["entries"] >= 10


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (DatasetError("x"), 2),
        (FatalError("x", kind="auth"), 3),
        (BudgetExceeded("x"), 3),
        (StorageError("x"), 3),
        (PermanentError("x", kind="length"), 1),
        (HarnessError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: HarnessError, code: int) -> None:
    assert exit_code(error) == code
