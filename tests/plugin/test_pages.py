"""docs/pytest.md and docs/ci.md tell the truth: their examples run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import run_command
from inner_runs import Run

from harness.testing.deepseek.fault_plan import oddity_named

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pytest.md").read_text()
CI_PAGE = (ROOT / "docs" / "ci.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"run: (harness .*)", CI_PAGE)


@pytest.mark.parametrize(("name", "tests"), [("test_answers.py", 3), ("test_night.py", 3)])
def test_the_examples_pass(run: Run, name: str, tests: int) -> None:
    run(FILES[name]).assert_outcomes(passed=tests)


def test_the_example_of_a_replay_records_and_replays(run: Run) -> None:
    run(FILES["test_prompts.py"]).assert_outcomes(failed=3)
    run(FILES["test_prompts.py"], "--harness-record=once").assert_outcomes(passed=3)
    run(FILES["test_prompts.py"]).assert_outcomes(passed=3)
    done = run(FILES["test_prompts.py"].replace("causes of the tides", "causes of tides"))
    done.assert_outcomes(failed=2, passed=1)
    done.stdout.fnmatch_lines(["*message 1 (user) changed: Name three causes of [[]-the -]tides.*"])


def test_every_fault_that_is_named_is_one() -> None:
    [named] = re.findall(r"a name that `harness mock forms` lists: (.*?) \(", PAGE, re.DOTALL)
    names = re.findall(r"`(\S+)`", named)
    assert len(names) > 3
    assert [str(oddity_named(name)) for name in names] == names


@pytest.mark.parametrize("command", COMMANDS)
def test_the_flags_of_the_commands_for_ci_are_known(command: str) -> None:
    _, name, suite, *arguments = shlex.split(command)
    told = run_command(name, "--help").output
    assert suite == "tests/suites/research.toml"
    assert [flag for flag in arguments if flag.startswith("--") and flag not in told] == []


def test_the_check_for_ci_passes_on_our_own_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for part in ("tests", "datasets"):
        (tmp_path / part).symlink_to(ROOT / part)
    done = run_command(*shlex.split(COMMANDS[0])[1:])
    assert done.exit_code == 0, done.output
    assert "<testsuite" in (tmp_path / "out.xml").read_text()
