from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Harness, problem_of
from prompts import edited_prompts

from harness.cache.cassette import Recording
from harness.cache.cassette_file import read_cassette, write_cassette
from harness.records.json_text import to_text

HOME = Path(__file__).parents[2]
OURS = HOME / "tests/suites/research.toml"

SUITE = """
dataset = "topics.jsonl"
cassette = "c.jsonl"

[settings]
endpoint = "mock"

[[check]]
name = "the report is the accepted one"
equals_golden = true

[[check]]
name = "a list of questions"
step = "decompose"
matches = '^\\['
"""

ONE_WORD = {
    "decompose": ("You plan research", "You organise research", "[-plan-]{+organise+}"),
    "decompose_again": ("That answer could not be used", "This answer could not be used", ""),
    "research": ("a careful researcher", "a diligent researcher", "[-careful-]{+diligent+}"),
    "synthesize": ("Write a report", "Compose a report", "[-Write-]{+Compose+}"),
}


def edited(step: str) -> Path:
    """The prompts with one word of a step's changed."""
    old, new, _ = ONE_WORD[step]
    return edited_prompts(Path("prompts.toml"), (old, new))


@pytest.fixture
def suite(harness: Harness) -> str:
    """A suite that is recorded and accepted."""
    Path("suite.toml").write_text(SUITE)
    done = harness("check", "suite.toml", "--on-miss", "record", "--accept")
    assert done.exit_code == 0, done.output
    assert "missing   all: about 1" in done.stderr
    return "suite.toml"


def test_our_own_suite_passes(harness: Harness) -> None:
    done = harness("check", str(OURS), "--format", "json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert {check["state"] for check in report["checks"]} == {"passed"}


@pytest.mark.parametrize("step", [step for step, (_, _, shown) in ONE_WORD.items() if shown])
def test_one_word_in_a_prompt_of_ours_is_found_and_shown_and_no_other_step_is_blamed(
    step: str, harness: Harness
) -> None:
    done = harness("check", str(OURS), "--prompts", str(edited(step)))
    assert done.exit_code == 1
    assert ONE_WORD[step][2] in done.stdout
    blamed = [line for line in done.stdout.splitlines() if line.startswith("not recorded")]
    assert [line.split()[2] for line in blamed] == [f"{step}:"]


def test_a_prompt_that_is_only_asked_after_a_bad_answer_is_found_where_there_was_one(
    harness: Harness,
) -> None:
    Path("suite.toml").write_text(SUITE.replace("equals_golden = true", "citations = true"))
    assert harness("check", "suite.toml", "--on-miss", "record").exit_code == 0
    spoil_the_decompositions()
    assert (
        harness("check", "suite.toml", "--on-miss", "record").exit_code == 1
    )  # "a list of questions" fails
    done = harness("check", "suite.toml", "--prompts", str(edited("decompose_again")))
    assert "[-That-]{+This+}" in done.stdout
    assert "(decompose#2, key" in done.stdout


def spoil_the_decompositions() -> None:
    """Put answers into the cassette that are no lists, so that the workflow asks again."""

    def spoilt(one: Recording) -> Recording:
        told = json.loads(one.completion)
        return replace(one, completion=to_text({**told, "content": "I would rather not."}))

    known = read_cassette(Path("c.jsonl"))
    write_cassette(
        Path("c.jsonl"), [spoilt(one) if one.span_id == "decompose" else one for one in known]
    )


BARE = {"HOME": ".", "PYTHONPATH": str(HOME)}
NO_SOCKETS = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        raise AssertionError(f"{event} {arguments}")
    if event == "socket.__new__" and arguments[1] != 1:  # an event loop wakes itself by a pair of local sockets
        raise AssertionError(f"{event} {arguments}")
sys.addaudithook(refuse)
sys.argv = ["harness", *sys.argv[1:]]
from harness.__main__ import main
main()
"""


def test_no_socket_is_opened_and_no_key_is_needed(suite: str) -> None:
    Path("live.toml").write_text(SUITE.replace('endpoint = "mock"', 'endpoint = "deepseek"'))
    for file, code, said in (
        (suite, 0, "passed"),
        ("live.toml", 1, 'endpoint: recorded "mock", wanted "deepseek"'),
    ):
        done = subprocess.run(
            [sys.executable, "-c", NO_SOCKETS, "check", file],
            check=False,
            capture_output=True,
            text=True,
            env=BARE,
        )
        assert (done.returncode, done.stderr) == (code, ""), done.stdout
        assert said in done.stdout


def test_a_report_that_finds_no_room_is_no_failed_check(suite: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "check", suite],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=BARE,
        )
    assert (done.returncode, done.stderr) == (
        3,
        "error: the output cannot be written: no space left on device\n",
    )


def test_the_proof_that_no_socket_is_opened_can_fail() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, "mock", "serve", "--port", "0"],
        check=False,
        capture_output=True,
        text=True,
        env=BARE,
    )
    assert "AssertionError: socket." in done.stderr + done.stdout


def test_neither_variables_nor_a_settings_file_change_what_a_suite_asks(
    suite: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("harness.toml").write_text('model = "another"\nlimit = 1\n')
    monkeypatch.setenv("HARNESS_EFFORT", "max")
    done = harness("check", suite, "--format", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["topics"] == 2


def test_a_changed_output_shows_what_was_accepted_and_what_came(
    suite: str, harness: Harness
) -> None:
    golden = Path("suite.golden.json")
    golden.write_text(golden.read_text().replace("## Conclusion", "## In short", 1))
    done = harness("check", suite)
    assert done.exit_code == 1
    assert "## [-In short-]{+Conclusion+}" in done.stdout
    assert "FAIL  the report is the accepted one  suite.toml:8" in done.stdout


def test_what_is_accepted_is_shown_and_then_passes(suite: str, harness: Harness) -> None:
    golden = Path("suite.golden.json")
    once = golden.read_text()
    golden.write_text(once.replace("## Conclusion", "## In short", 1))
    done = harness("check", suite, "--accept")
    assert done.exit_code == 0
    assert '-  "## In short",' in done.stderr
    assert '+  "## Conclusion",' in done.stderr
    assert golden.read_text() == once
    assert "nothing changed" in harness("check", suite, "--accept").stderr


def test_recording_pays_for_the_changed_step_alone_and_says_so_before(
    suite: str, harness: Harness
) -> None:
    known = len(Path("c.jsonl").read_text().splitlines())
    prompts = str(edited("synthesize"))
    done = harness(
        "check",
        suite,
        "--prompts",
        prompts,
        "--on-miss",
        "record",
        "--prune",
        "--cache",
        "new.db",
        "--accept",
    )
    assert done.exit_code == 0, done.output
    assert "missing   2 calls, some $0.0" in done.stderr
    assert (
        json.loads(harness("cache", "stats", "--cache", "new.db", "--json").stdout)["journal"][
            "calls"
        ]
        == 2
    )
    assert len(Path("c.jsonl").read_text().splitlines()) == known
    assert harness("check", suite, "--prompts", prompts).exit_code == 0
    assert harness("check", suite).exit_code == 1


def test_a_topic_with_an_unknown_request_can_be_left_out_but_not_all_of_them(
    suite: str, harness: Harness
) -> None:
    with Path("topics.jsonl").open("a") as file:
        file.write('{"id": "rain", "topic": "What is rain?"}\n')
    assert harness("check", suite).exit_code == 1
    some = harness("check", suite, "--on-miss", "skip")
    assert some.exit_code == 0, some.output
    none = harness("check", suite, "--on-miss", "skip", "--prompts", str(edited("decompose")))
    assert none.exit_code == 2
    assert "nothing was checked" in none.stdout


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'cassette = "c.jsonl"',
            'cassette = "none.jsonl"',
            "suite.toml:3: the cassette none.jsonl is not there; record",
        ),
        (
            'cassette = "c.jsonl"',
            'cassette = "empty.jsonl"',
            "suite.toml:3: the cassette empty.jsonl holds no answers; rec",
        ),
        (
            'endpoint = "mock"',
            'workflow = "reserch"',
            "suite.toml:6: no workflow 'reserch'; did you mean 'research'?",
        ),
        (
            'endpoint = "mock"',
            "[workflow]\nmax = 3",
            "suite.toml:6: [workflow]: unknown setting 'max'",
        ),
        ("equals_golden = true", "equal_golden = true", "suite.toml:10: "),
        ('step = "decompose"', 'step = "decompile"', "no topic has a step 'decompile'"),
        ('dataset = "topics.jsonl"', 'dataset = "empty.jsonl"', "empty.jsonl"),
        ('endpoint = "mock"', 'endpoint = "mock"\nin_flight = 3', "decides no answer"),
        ("matches = '^\\['", "matches = '('", "suite.toml:15: "),
    ],
)
def test_a_suite_that_cannot_be_checked_is_bad_input(
    old: str, new: str, problem: str, suite: str, harness: Harness
) -> None:
    Path("empty.jsonl").write_text("")
    assert SUITE.count(old) == 1
    Path(suite).write_text(SUITE.replace(old, new))
    assert problem in problem_of(harness("check", suite))


def test_what_keeps_a_suite_from_being_checked_is_annotated_and_summed_up(
    suite: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path(suite).write_text(SUITE.replace("equals_golden", "equal_golden"))
    done = harness("check", suite, "--format", "github")
    assert "unknown setting" in problem_of(done)
    assert done.stdout.startswith(
        "::error file=suite.toml,line=10,title=harness check::unknown setting 'equal_golden'"
    )
    assert (
        Path("summary.md")
        .read_text()
        .startswith("## ❌ suite.toml: nothing was checked\n\n```text\nsuite.toml:10:")
    )


def test_what_is_wrong_with_the_files_is_told_before_anything_is_asked(
    suite: str, harness: Harness
) -> None:
    cassette = Path("c.jsonl").read_bytes()
    ask = (
        "check",
        suite,
        "--on-miss",
        "record",
        "--accept",
        "--prompts",
        str(edited("synthesize")),
    )
    Path("suite.golden.json").write_text("{")
    assert "suite.golden.json:1: not a golden file" in problem_of(harness(*ask))
    Path(suite).write_text(SUITE.replace("equals_golden = true", "citations = true"))
    assert "nothing to accept" in problem_of(harness(*ask))
    assert Path("c.jsonl").read_bytes() == cassette


def test_a_first_recording_counts_what_the_judges_will_be_asked(harness: Harness) -> None:
    Path("suite.toml").write_text(SUITE.replace("equals_golden = true", 'judge = "Is it true?"'))
    done = harness("check", "suite.toml", "--on-miss", "record")
    [(calls, steps)] = re.findall(r"all: about (\d+) calls of 2 topics \((.*)\)", done.stderr)
    assert "judge 2" in steps
    assert len(Path("c.jsonl").read_text().splitlines()) == int(calls)


def test_a_torn_cassette_is_named_by_line(suite: str, harness: Harness) -> None:
    text = Path("c.jsonl").read_text()
    Path("c.jsonl").write_text(text[:-30])
    assert f"c.jsonl:{len(text.splitlines())}: not JSON" in problem_of(harness("check", suite))


@pytest.mark.parametrize("on_miss", ["fail", "skip"])
def test_pruning_without_recording_is_refused_rather_than_passed_over(
    on_miss: str, suite: str, harness: Harness
) -> None:
    before = Path("c.jsonl").read_bytes()
    done = harness("check", suite, "--prune", "--on-miss", on_miss)
    assert "--on-miss record" in problem_of(done)
    assert Path("c.jsonl").read_bytes() == before


def test_nothing_can_be_accepted_where_nothing_is_compared(suite: str, harness: Harness) -> None:
    Path(suite).write_text(SUITE.replace("equals_golden = true", "citations = true"))
    assert "there is nothing to accept" in problem_of(harness("check", suite, "--accept"))


def test_a_report_goes_where_it_is_wanted_in_each_form(
    suite: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("suite.golden.json").write_text(
        Path("suite.golden.json").read_text().replace("## Conclusion", "## End", 1)
    )
    done = harness("check", suite, "--format", "github", "--junit", "out.xml")
    assert done.exit_code == 1
    assert "::error file=suite.toml,line=8,title=" in done.stdout
    assert "the report is the accepted one" in Path("summary.md").read_text()
    assert "<testsuites" in Path("out.xml").read_text()
    assert harness("check", suite, "--format", "markdown").stdout == Path("summary.md").read_text()
    assert "\x1b" not in done.stdout


def test_a_report_that_cannot_be_written_is_bad_input(suite: str, harness: Harness) -> None:
    assert "--junit none/out.xml: cannot be written" in problem_of(
        harness("check", suite, "--junit", "none/out.xml")
    )


def test_draws_are_recorded_and_told_with_their_spread(harness: Harness) -> None:
    Path("suite.toml").write_text(
        SUITE.replace('cassette = "c.jsonl"', 'cassette = "c.jsonl.gz"\nsamples = 3')
    )
    done = harness("check", "suite.toml", "--on-miss", "record", "--accept")
    assert done.exit_code == 0, done.output
    assert "pass@1" in done.stdout
    assert harness("check", "suite.toml").exit_code == 0
