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
from harness.domain.remedies import IN_THE_CODE
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
    headings = [
        line.removesuffix(":") for line in lines if line and not line.startswith((" ", "Usage"))
    ]
    assert headings == [
        *(
            "Workflow",
            "Endpoint",
            "Dataset",
            "Cache",
            "Limits",
            "Time-outs",
            "Budget",
            "Mock",
            "Output",
        ),
        *("Telemetry", "General"),
    ]


@pytest.mark.parametrize(
    "flag",
    [
        *(
            "--workflow",
            "--endpoint NAME",
            "--dialect [deepseek|openai]",
            "--set endpoint.FIELD=VALUE",
            "--base-url",
            "--model",
            "--thinking [on|off]",
        ),
        *(
            "--effort [none|low|high|max]",
            "--cache FILE",
            "--cache-mode [off|read_write|refresh|replay]",
            "--ttl",
        ),
        *(
            "--out DIR",
            "--in-flight N",
            "--per-run N",
            "--runs N",
            "--rpm N",
            "--tpm N",
            "--attempts N",
        ),
        *(
            "--idle-timeout S",
            "--total-timeout S",
            "--no-stream",
            "--budget USD",
            "--budget-tokens N",
        ),
        *(
            "--prompts FILE",
            "--limit N",
            "--seed N",
            "-y, --yes",
            "--json",
            "-q, --quiet",
            "-v, --verbose",
        ),
        *(
            "--shuffle SEED",
            "--filter",
            "--skip-bad",
            "--topic-field",
            "--id-field",
            "--api-key-env",
            "--config FILE",
        ),
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
        (
            ["topics.jsonl", "--endpoint", "mock", "--in-flight", "-3"],
            "--in-flight -3: must be at least 1",
        ),
        (
            ["topics.jsonl", "--endpoint", "mock", "--workflow", "reserch"],
            "did you mean 'research'?",
        ),
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
        (
            ["topics.jsonl", "--endpoint", "mock", "--filter", "x"],
            "--filter 'x' is not a condition",
        ),
        (["topics.jsonl", "--endpoint", "mock", "--topic-field", "text"], "topics.jsonl:1:"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    harness: Harness, arguments: list[str], message: str
) -> None:
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


PICKY = """
from harness import ParseError, Rejected, TopicFailed


def nothing_will_do(completion):
    raise ParseError("it was not good enough")


async def flow(step, topic):
    try:
        await step.complete("plan", topic.text, accept=nothing_will_do, reasks=1)
    except Rejected as error:
        raise TopicFailed(str(error)) from error
"""


@pytest.fixture
def a_picky_run(harness: Harness) -> str:
    """A run whose step takes no answer."""
    Path("picky.py").write_text(PICKY)
    done = harness(
        "run", "topics.jsonl", "--endpoint", "mock", "--workflow", "picky.py:flow", "--out", "picky"
    )
    assert done.exit_code == 1, done.output
    return "picky"


def test_a_rejected_answer_is_shown_with_the_reason(harness: Harness, a_picky_run: str) -> None:
    shown = harness("show", a_picky_run, "sky").stdout
    assert "TopicFailed: all 2 answers were rejected by the check of step 'plan'" in shown
    assert shown.count("rejected: it was not good enough") == 2
    assert (
        harness("show", a_picky_run, "sky", "--calls").stdout.count(
            "--- rejected\nit was not good enough"
        )
        == 2
    )


def test_a_row_from_before_there_were_verdicts_is_shown_as_it_was(
    harness: Harness, a_picky_run: str
) -> None:
    traces = Path(a_picky_run, "traces.jsonl")
    rows = [json.loads(line) for line in traces.read_text().splitlines()]
    traces.write_text(
        "".join(
            json.dumps({k: v for k, v in row.items() if k != "rejected"}) + "\n" for row in rows
        )
    )
    assert "rejected: " not in harness("show", a_picky_run, "sky", "--calls").stdout


def test_the_cache_says_what_was_rejected(harness: Harness, a_picky_run: str) -> None:
    key = json.loads(harness("show", a_picky_run, "sky", "--json").stdout)["spans"][0]["key"]
    assert "4 stored (4 of them rejected)" in harness("cache", "stats").stdout
    assert "--- rejected\nit was not good enough" in harness("cache", "show", key).stdout
    assert (
        "but a step rejected it (it was not good enough)" in harness("cache", "explain", key).stdout
    )


def test_an_unknown_topic_says_how_to_list_them(harness: Harness, a_run: Path) -> None:
    assert (
        problem_of(harness("show", str(a_run), "x"))
        == "done: no finished topic 'x'; `harness show done` lists them"
    )


def test_the_status_of_a_run_in_words_and_as_json(harness: Harness, a_run: Path) -> None:
    assert "topics    2: 2 ok, 0 degraded, 0 failed" in harness("status", str(a_run)).stdout
    status = json.loads(harness("status", str(a_run), "--json").stdout)
    assert (status["status"], status["running"], status["totals"]["unfinished"]) == (
        "complete",
        False,
        0,
    )


def test_every_field_of_the_status_is_documented(harness: Harness, a_run: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    section = page[page.index("### The state of a live run") :].split("\n### ")[0]
    status = json.loads(harness("status", str(a_run), "--json").stdout)
    assert [name for name in status if f"`{name}`" not in section] == []


def test_complete_never_stands_without_its_failures(harness: Harness) -> None:
    harness("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q", "--faults", "400=1")
    assert ", complete, 2 failed, session 1" in harness("status", "done").stdout
    told = json.loads(harness("status", "done", "--json").stdout)
    assert [(alike["cause"], alike["topics"]) for alike in told["failures"]] == [
        ("bad request 400", 2)
    ]


def test_lines_that_were_skipped_are_told_and_nothing_is_to_be_resumed(harness: Harness) -> None:
    Path("bad.jsonl").write_text(
        '{"topic": null}\n{"id": "a", "topic": "Sky"}\n{"id": "a", "topic": "Tea"}\n{\n7\n'
    )
    arguments = ("run", "bad.jsonl", "--endpoint", "mock", "--out", "done", "-q", "--skip-bad")
    result = harness(*arguments)
    assert result.exit_code == 0
    assert "topics    1: 1 ok, 0 degraded, 0 failed, 4 skipped" in result.stdout
    shown = harness("status", "done").stdout
    for said in (result.stdout, shown):
        assert "skipped   bad.jsonl:1: the field 'topic' is null, not a string" in said
        assert "continue" not in said
    told = json.loads(harness("status", "done", "--json").stdout)
    assert (told["totals"]["skipped"], told["totals"]["failed"], len(told["skipped_lines"])) == (
        4,
        0,
        4,
    )
    again = json.loads(harness(*arguments, "--json").stdout)
    assert (again["skipped"], again["exit_code"], again["topics"]) == (4, 0, 1)
    estimate = harness("estimate", "bad.jsonl", "--endpoint", "mock", "--skip-bad").stdout
    assert "1 topic, from a rehearsal of 1" in estimate
    assert "4 bad lines would be skipped" in estimate


def test_without_a_directory_the_run_that_was_begun_or_continued_last_is_meant(
    harness: Harness,
) -> None:
    for command in ("status", "resume", "report"):
        assert "there is no run under results/ here" in problem_of(harness(command))
    for faults in ("400=1", "none"):
        harness(
            "run",
            "topics.jsonl",
            "--endpoint",
            "mock",
            "-q",
            "--faults",
            faults,
            "--cache-mode",
            "off",
        )
    failed, good = sorted(
        Path("results").iterdir(), key=lambda run: (run / "run.json").stat().st_mtime_ns
    )
    assert harness("status").stdout.startswith(f"run       {good.name}, complete, session 1")
    assert harness("resume", str(failed), "-q", "--faults", "none").exit_code == 0
    assert harness("status").stdout.startswith(f"run       {failed.name}, complete, session 2")
    again = harness("resume", "-q")
    assert again.exit_code == 0
    assert f"continuing results/{failed.name}" in again.stderr
    assert harness("report").exit_code == 0
    assert (failed / "report.html").exists()


def test_topics_to_be_run_again_are_named_by_state_or_by_id(harness: Harness, a_run: Path) -> None:
    nothing = harness("resume", "done", "-q", "--status", "failed, degraded", "--json")
    assert (nothing.exit_code, json.loads(nothing.stdout)["session"]["topics"]["ok"]) == (0, 0)
    assert "--topic 'sky': it is ok, and only" in problem_of(
        harness("resume", "done", "-q", "--topic", "sky")
    )
    unknown = problem_of(harness("resume", "done", "-q", "--topic", "sk"))
    assert unknown == "--topic 'sk': there is no such topic; did you mean 'sky'?"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ("degarded", "'degarded' is no state that is run again; did you mean 'degraded'?"),
        ("ok", "'ok' is no state that is run again; known: failed, degraded, unfinished"),
        (",", "no state is named; known: failed, degraded, unfinished"),
    ],
)
def test_a_state_that_is_none_is_a_mistake_of_usage(
    harness: Harness, a_run: Path, states: str, said: str
) -> None:
    result = harness("resume", "done", "--status", states)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("command", ["status", "show"])
def test_the_outages_of_all_sessions_are_told_by(
    harness: Harness, a_run: Path, command: str
) -> None:
    manifest = json.loads((a_run / "run.json").read_text())
    told = {
        "since": "2026-11-21T03:12:00.000+00:00",
        "until": "2026-11-21T03:31:00.000+00:00",
        "seconds": 1140.0,
    }
    said = {"probes": 14, "kind": "connection", "message": "connection\x1b[2J refused"}
    before = {
        name: value for name, value in manifest["session_log"][0].items() if name != "outages"
    }
    log = [before, {**before, "outages": [{**told, **said}]}]
    (a_run / "run.json").write_text(json.dumps({**manifest, "sessions": 2, "session_log": log}))

    (line,) = [
        line
        for line in harness(command, str(a_run)).stdout.splitlines()
        if line.startswith("outages ")
    ]

    assert line.startswith("outages   1: ")
    assert line.endswith(" (19 min, 14 probes): connection\\x1b[2J refused")


@pytest.mark.parametrize("command", ["status", "show", "resume"])
def test_a_directory_that_is_no_run_is_refused(harness: Harness, command: str) -> None:
    Path("other").mkdir()
    for name in ("other", "nowhere"):
        assert f"{name}: not a run" in problem_of(harness(command, name))


@pytest.mark.parametrize("command", ["status", "show", "resume"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"{}"], ids=["empty", "torn", "list", "binary", "{}"]
)
def test_a_damaged_run_is_refused_in_words(
    harness: Harness, a_run: Path, command: str, content: bytes
) -> None:
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


def test_ask_prints_an_answer_that_came_whole_as_one_that_was_streamed(harness: Harness) -> None:
    streamed, whole = (harness("ask", "Why?", "--endpoint", "mock", "--cache-mode", "off", *more)
                       for more in ((), ("--no-stream",)))  # fmt: skip
    assert whole.stdout == streamed.stdout != ""


def test_ask_a_second_time_comes_from_the_cache(harness: Harness) -> None:
    first, second = (harness("ask", "Why?", "--endpoint", "mock") for _ in range(2))
    assert second.stdout == first.stdout
    assert "from the cache, nothing paid" in second.stderr


def test_ask_with_json_prints_one_line_of_json(harness: Harness) -> None:
    result = harness(
        "ask", "-", "--endpoint", "mock", "--json", "--max-tokens", "5000", text="Why?"
    )
    answer = json.loads(result.stdout)
    assert answer["content"]
    assert answer["reasoning"]
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_a_blank_prompt_is_refused(harness: Harness, prompt: str) -> None:
    assert problem_of(harness("ask", prompt, "--endpoint", "mock")).startswith(
        "the prompt is blank"
    )


def test_a_call_that_failed_for_good_is_an_error_of_its_own(harness: Harness) -> None:
    result = harness("ask", "Why?", "--endpoint", "mock", "--faults", "content-filter=1")
    assert isinstance(result.exception, PermanentError)


# estimate, config, doctor, cache


def test_an_estimate_counts_calls_and_sends_nothing(harness: Harness) -> None:
    result = harness("estimate", "topics.jsonl", "--budget", "0.001")
    assert result.exit_code == 0, result.output
    assert "2 topics, from a rehearsal of 2" in result.stdout
    assert "The budget of $0.0010 would end after about" in result.stdout
    assert not Path(".harness").exists()
    found = json.loads(harness("estimate", "topics.jsonl", "--json").stdout)
    assert found["calls"] >= 10
    assert found["cost"] < found["cost_at_most"]


def test_an_estimate_says_where_no_price_is_known(harness: Harness) -> None:
    shown = harness(
        "estimate", "topics.jsonl", "--base-url", "http://127.0.0.1:9", "--model", "m"
    ).stdout
    assert "not known" in shown


def test_an_exception_of_a_workflow_is_shown_with_its_line_and_what_helps(harness: Harness) -> None:
    Path("flows.py").write_text(
        "async def flow(step, topic):\n    return topic.text[:3] + 7  # \x1b[31m\n"
    )
    harness(
        "run", "topics.jsonl", "--endpoint", "mock", "--workflow", "flows.py:flow", "--out", "done"
    )
    shown = harness("show", "done", "sky").stdout
    assert (
        'TypeError: can only concatenate str (not "int") to str\n'
        "  flows.py:2: return topic.text[:3] + 7  # \\x1b[31m\n"
        f"  → {IN_THE_CODE}\n" in shown
    )
    listed = harness("show", "done").stdout
    assert 'TypeError at flows.py:2: can only concatenate str (not "int") to str\n' in listed
    assert (
        "\n            flows.py:2: return topic.text[:3] + 7  # "
        in harness("status", "done").stdout
    )


def test_a_long_message_is_whole_in_a_pipe(harness: Harness) -> None:
    Path("flows.py").write_text(
        "async def flow(step, topic):\n    raise ValueError('why ' * 400 + 'because')\n"
    )
    ran = harness(
        "run", "topics.jsonl", "--endpoint", "mock", "--workflow", "flows.py:flow", "--out", "done"
    ).stdout
    whole = "ValueError – " + "why " * 400 + "because (sky)"
    assert [whole in line for line in ran.splitlines() if line.startswith("failed")] == [True]
    assert "why because" in harness("show", "done").stdout
    assert whole in harness("status", "done").stdout


def test_an_estimate_says_when_the_workflow_fails(harness: Harness) -> None:
    Path("flows.py").write_text(
        "async def flow(step, topic):\n    raise ValueError('bad \\x1b[31m luck')\n"
    )
    shown = harness("estimate", "topics.jsonl", "--workflow", "flows.py:flow").stdout
    assert (
        "2 of the 2 failed in the rehearsal, the first: sky: ValueError at flows.py:2: bad"
        " \\x1b[31m luck" in shown
    )


def test_config_shows_each_value_and_its_origin(harness: Harness) -> None:
    Path("harness.toml").write_text("runs = 5\n")
    lines = harness("config", "--in-flight", "3").stdout.splitlines()
    origins = {line.split()[0]: line.split()[1:] for line in lines}
    assert origins["in_flight"] == ["3", "--in-flight"]
    assert origins["runs"] == ["5", "harness.toml"]
    assert origins["per_run"] == ["8", "default"]
    assert json.loads(harness("config", "--json").stdout)["runs"] == {
        "value": 5,
        "from": "harness.toml",
    }


@pytest.mark.parametrize(
    ("flags", "endpoint", "model", "thinking", "key_variable"),
    [
        ((), "deepseek", "deepseek-flash", None, None),
        (
            ("--endpoint", "mock", "--model", "deepseek-reasoner"),
            "mock",
            "deepseek-flash",
            True,
            None,
        ),
        (("--base-url", "http://127.0.0.1:9/v1"), None, None, None, "HARNESS_API_KEY"),
    ],
)
def test_config_shows_what_follows_from_other_settings(
    harness: Harness,
    flags: tuple[str, ...],
    endpoint: str,
    model: str,
    thinking: bool,
    key_variable: str,
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
    ran = harness(
        *(
            "run",
            "topics.jsonl",
            "--endpoint",
            "mock",
            "--prompts",
            "my-prompts.toml",
            "--out",
            "out",
            "-q",
        )
    )
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
    assert "problem  key        no key for deepseek: set DEEPSEEK_API_KEY" in result.stdout
    findings = json.loads(harness("doctor", "--json").stdout)
    assert [one["name"] for one in findings if one["verdict"] == "problem"] == ["key"]


def test_doctor_finds_that_no_server_is_there_and_exits_1(harness: Harness) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        result = harness("doctor", "--base-url", url, "--model", "m")
    assert result.exit_code == 1
    assert "problem  connect    nothing listens at 127.0.0.1:" in result.stdout


def test_doctor_asks_the_mock_what_it_does(harness: Harness) -> None:
    result = harness("doctor", "--endpoint", "mock", "--ask")
    assert result.exit_code == 0, result.output
    assert "ok       stream     yes, in " in result.stdout
    assert "ok       reasoning  in the field reasoning_content" in result.stdout


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
    assert "bad.jsonl:2: " in problem_of(
        harness("cache", "import", "bad.jsonl", "--cache", "two.db")
    )


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
def test_what_the_cache_cannot_do_is_said(
    harness: Harness, a_run: Path, arguments: list[str], message: str
) -> None:
    assert message in problem_of(harness("cache", *arguments))


def test_pruning_says_what_went(harness: Harness, a_run: Path) -> None:
    assert "0 entries removed" in harness("cache", "prune", "--older-than", "1d").stdout
    assert (
        json.loads(harness("cache", "prune", "--max-size", "0", "--json").stdout)["entries"] >= 10
    )


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
