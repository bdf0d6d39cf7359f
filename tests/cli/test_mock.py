"""What the mock can play, from the command line: the faults, and how other servers answer."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of
from processes import rows_of

from harness.testing import FaultPlan

TOLD = ("topic_id", "status", "output", "sections")


def told_of(harness: Harness, faults: str, *arguments: str) -> list[dict[str, Any]]:
    """What a run of two topics says, apart from its times and amounts."""
    out = Path(f"run-{faults.replace('=', '-')}")
    done = harness(
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--faults",
        faults,
        "--out",
        str(out),
        "-q",
        *arguments,
    )
    assert done.exit_code == 0, done.output
    return [
        {name: row[name] for name in TOLD}
        for row in sorted(rows_of(out / "results.jsonl"), key=lambda row: row["topic_id"])
    ]


@pytest.mark.parametrize(
    "form",
    [
        "usage-in-the-choice",
        "reasoning-details",
        "parts-mistral",
        "part-alone",
        "heartbeat-null",
        "heartbeat-empty",
        "events-as-json",
        "think-tags-cut",
        "think-closed-only",
        "header-of-60000-bytes",
        "done-without-a-reason=1",
    ],
)
def test_a_run_under_an_odd_envelope_says_what_it_says_without(harness: Harness, form: str) -> None:
    once = ("--cache-mode", "off", "--attempts", "1")
    plain = told_of(harness, "none", *once)
    assert [(row["status"], len(row["output"]) > 1000) for row in plain] == [("ok", True)] * 2
    assert told_of(harness, form, *once) == plain


def test_an_aborted_answer_is_asked_for_again_and_where_it_always_is_the_topics_fail(
    harness: Harness,
) -> None:
    assert [row["status"] for row in told_of(harness, "reason-abort=1", "--cache-mode", "off")] == [
        "ok",
        "ok",
    ]
    always = harness(
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--faults",
        "reason-abort",
        "--attempts",
        "2",
        "--out",
        "always",
    )
    assert always.exit_code == 1
    assert "abort" in always.output


def test_words_that_are_asked_for_come_back_from_the_command_line(harness: Harness) -> None:
    asked = harness(
        "ask", "Reply with exactly the word ready.", "--endpoint", "mock", "--thinking", "off", "-q"
    )
    assert asked.stdout.split() == ["answer:", "ready"]


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ("think-tag", "did you mean 'think-tags'?"),
        ("nothing-of-this-kind=0.1", "`harness mock forms` lists all"),
        ("./mine.toml", "mine.toml: No such file or directory"),
    ],
)
@pytest.mark.parametrize(
    "command", [["ask", "Why?", "--endpoint", "mock"], ["mock", "serve", "--port", "0"]]
)
def test_what_cannot_be_played_is_named_before_anything_is_sent(
    harness: Harness, command: list[str], faults: str, said: str
) -> None:
    assert said in problem_of(harness(*command, "--faults", faults))


def test_the_forms_are_listed_with_whose_they_are(harness: Harness) -> None:
    listed = [" ".join(line.split()) for line in harness("mock", "forms").stdout.splitlines()]
    assert "reset the connection is reset in the middle of the answer" in listed
    assert "reason-abort vLLM: the reason is `abort` (error: interrupted)" in listed
    assert len([line for line in listed if line.startswith("calls-")]) > 20
    found = harness("mock", "forms", "vLLM", "repetition").stdout.splitlines()
    assert found[:2] == [
        "end (1): How an answer ends, and why.",
        "  reason-repetition  vLLM: the reason is `repetition` (error: malformed)",
    ]


def test_the_list_of_forms_is_also_json_and_an_empty_one_is_an_error(harness: Harness) -> None:
    [listed] = json.loads(harness("mock", "forms", "torn-with-a-bare-line", "--json").stdout)
    assert (listed["server"], listed["plays"]) == (
        "a proxy in front of DeepSeek",
        "error: incomplete, only streamed",
    )
    assert "no fault and no form has 'refusall'; did you mean 'refusal'?" in problem_of(
        harness("mock", "forms", "refusall")
    )


PAGE = (Path(__file__).parents[2] / "docs" / "mock.md").read_text(encoding="utf-8")


def test_what_the_page_of_the_mock_plays_can_be_played(tmp_path: Path) -> None:
    [own] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.toml").write_text(own)
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    plans = {row: FaultPlan.parse(row) for row in rows if row != "--faults"}
    assert len(plans) == 7
    assert [row for row, plan in plans.items() if plan.is_empty] == ["none"]


def test_the_page_of_the_mock_shows_what_the_list_says(harness: Harness) -> None:
    [(words, shown)] = re.findall(r"\$ harness mock forms (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert harness("mock", "forms", *words.split()).stdout == shown


def test_a_served_mock_plays_a_form_and_dates_its_waits_from_now() -> None:
    command = [sys.executable, "-m", "harness", "mock", "serve", "--port", "0", "--faults"]
    body = json.dumps(
        {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Why?"}]}
    )
    answers, began_s = {}, time.time()
    for faults in ("429-retry-after-date", "filter-403", "usage-floats"):
        with subprocess.Popen([*command, faults], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(
                "POST", "/chat/completions", body, {"Authorization": "Bearer sk-any"}
            )
            answer = connection.getresponse()
            answers[faults] = (answer.status, answer.headers, json.loads(answer.read()))
            connection.close()
            process.send_signal(signal.SIGINT)
    dated = parsedate_to_datetime(answers["429-retry-after-date"][1]["Retry-After"]).timestamp()
    assert began_s + 19 <= dated <= time.time() + 20
    assert answers["filter-403"][0] == 403
    assert isinstance(answers["usage-floats"][2]["usage"]["prompt_tokens"], float)
    assert len(answers["usage-floats"][2]["choices"][0]["message"]["content"]) > 100
