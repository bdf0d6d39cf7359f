from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of

RUN = ("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q", "--cache-mode", "off")
FAILING = ("--faults", "500=1.0", "--attempts", "1", "--patience", "0")


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_that_goes_well_says_nothing(harness: Harness) -> None:
    assert harness(*RUN).stderr == ""


def test_every_line_has_the_ids_of_the_run_the_topic_and_the_call(harness: Harness) -> None:
    lines = lines_of(harness(*RUN, "--log-level", "debug").stderr)
    rows = lines_of(Path("done/traces.jsonl").read_text())

    assert all({"run_id", "topic_id", "span_id"} <= line.keys() for line in lines)
    assert {line["run_id"] for line in lines} == {rows[0]["run_id"]}
    answered = {
        (line["topic_id"], line["span_id"])
        for line in lines
        if line["message"].startswith("answered")
    }
    assert answered == {(row["topic_id"], row["id"]) for row in rows}
    ended = {line["topic_id"]: line for line in lines if line["message"].startswith("ok after")}
    assert set(ended) == {"sky", "tea"}
    assert {line["span_id"] for line in ended.values()} == {None}


def test_verbose_tells_of_each_topic_and_each_attempt_that_failed(harness: Harness) -> None:
    lines = lines_of(harness(*RUN, *FAILING, "-v").stderr)

    concerns = {line["logger"] for line in lines}
    assert concerns == {"harness.run", "harness.retry"}
    assert {line["topic_id"] for line in lines} == {"sky", "tea"}


def test_each_concern_has_a_level_of_its_own(harness: Harness) -> None:
    lines = lines_of(harness(*RUN[:-2], "--log-level", "cache=debug").stderr)
    assert {(line["logger"], line["level"]) for line in lines} == {("harness.cache", "debug")}

    quiet = harness(
        *RUN[:4],
        "--out",
        "other",
        *RUN[6:],
        *FAILING,
        "-v",
        "--log-level",
        "harness.retry=error,run=warning",
    )
    assert quiet.stderr == ""


def test_the_levels_of_one_command_do_not_linger(harness: Harness) -> None:
    assert harness(*RUN, "--log-level", "debug").stderr != ""
    assert harness(*RUN).stderr == ""


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("loud", "must end with one of debug, info, warning, error"),
        ("cash=debug", "there is no concern 'cash'; did you mean 'cache'?"),
        ("xyz=debug", "known: run, call, retry, limit, cache, telemetry"),
    ],
)
def test_a_level_that_is_none_is_said(harness: Harness, level: str, said: str) -> None:
    assert said in problem_of(harness(*RUN, "--log-level", level))


def test_text_is_for_people(harness: Harness) -> None:
    shown = harness(*RUN, "--log-format", "text", "-v").stderr.splitlines()

    assert len(shown) == 2
    for line in shown:
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} info    run \[(sky|tea)\]: ok after .*", line)


def test_what_a_workflow_raises_can_forge_no_line(harness: Harness) -> None:
    Path("topics.jsonl").write_text('{"id": "tea", "topic": "tea"}\n')
    Path("flow.py").write_text(
        "async def lying(step, topic):\n    raise RuntimeError('\\n12:00:00.000 error   run: lies"
        " \\x1b[31m')\n"
    )
    lying = (*RUN, "--workflow", "flow.py:lying", "-v")
    shown = harness(*lying, "--log-format", "text").stderr

    assert "\x1b" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("12:00:00.000")]
    assert len(lines_of(harness(*lying[:4], "--out", "other", *lying[6:]).stderr)) == 3


def test_a_file_gets_the_lines_and_the_terminal_only_warnings(harness: Harness) -> None:
    Path("flow.py").write_text(
        "async def broken(step, topic):\n    raise RuntimeError('the workflow broke')\n"
    )
    Path("log.jsonl").write_text('{"of": "before"}\n')
    done = harness(*RUN, "--workflow", "flow.py:broken", "-v", "--log-file", "log.jsonl")

    shown, kept = lines_of(done.stderr), lines_of(Path("log.jsonl").read_text())
    assert {line["level"] for line in shown} == {"warning"}
    assert kept[0] == {"of": "before"}
    assert {"info", "warning"} == {line["level"] for line in kept[1:]}
    assert any("the workflow broke" in line.get("exception", "") for line in kept)


def test_a_log_file_is_its_owners_only(harness: Harness) -> None:
    harness(*RUN, "-v", "--log-file", "log.jsonl")
    assert Path("log.jsonl").stat().st_mode & 0o077 == 0


def test_a_log_file_that_cannot_be_written_is_said(harness: Harness) -> None:
    done = harness(*RUN, "--log-file", "nowhere/log.jsonl")
    assert "nowhere/log.jsonl: cannot be written: No such file or directory" in str(done.exception)


def test_a_key_is_in_no_line_whatever_it_was_made_from(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_API_KEY", "sk-canary-0123456789")
    Path("flow.py").write_text(
        "import os\nasync def leaking(step, topic):\n    raise RuntimeError('key ' +"
        " os.environ['HARNESS_API_KEY'])\n"
    )
    leaking = (
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--model",
        "m",
        "--workflow",
        "flow.py:leaking",
        "-y",
        "-v",
    )
    done = harness("run", "topics.jsonl", "--out", "done", "-q", *leaking)

    assert "RuntimeError('key ***')" in done.stderr
    assert "sk-canary" not in done.stderr


def test_ask_logs_too(harness: Harness) -> None:
    done = harness("ask", "why?", "--endpoint", "mock", "--log-level", "cache=debug", "-q")
    assert [line["topic_id"] for line in lines_of(done.stderr)] == ["ask"]
