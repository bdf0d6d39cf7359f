"""docs/suites.md tells the truth: its example can be read, its functions called, and no expectation
is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from regress_cases import a_call, a_case

from harness.regress.case import Case
from harness.regress.checks.checks import Evidence, look
from harness.regress.checks.golden import golden_text, read_golden
from harness.regress.suites.suite_file import load_suite
from harness.regress.suites.suite_tables import DECIDING, EXPECTATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "suites.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.S))


def test_the_example_is_a_suite(tmp_path: Path) -> None:
    suites = tmp_path / "tests" / "suites"
    suites.mkdir(parents=True)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "golden.jsonl").write_text("")
    (suites / "research.toml").write_text(FILES["research.toml"])
    suite = load_suite(suites / "research.toml")
    assert suite.golden == suites / "research.golden.json"
    assert len(suite.checks) == 7


@pytest.mark.parametrize(
    ("line", "output", "state"),
    [
        ("function = 'checks.py:mentions_topic'", "why? because", "passed"),
        ("function = 'checks.py:mentions_topic'", "because", "failed"),
        ("step = 'ask'\nfunction = 'checks.py:thinks_first'", "because", "passed"),
    ],
)
def test_the_functions_of_the_page_are_checks(
    tmp_path: Path, line: str, output: str, state: str
) -> None:
    (tmp_path / "checks.py").write_text(FILES["checks.py"])
    (tmp_path / "topics.jsonl").write_text("")
    (tmp_path / "suite.toml").write_text(
        f"dataset = 'topics.jsonl'\ncassette = 'c.jsonl'\n[[check]]\n{line}\n"
    )
    case: Case = a_case(output, calls=[a_call("ask", output)])
    assert look(load_suite(tmp_path / "suite.toml").checks[1], case, Evidence()).state == state


def test_the_golden_file_of_the_page_is_one(tmp_path: Path) -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    (tmp_path / "g.json").write_text(example)
    assert golden_text(read_golden(tmp_path / "g.json")) == example


def test_every_expectation_and_every_setting_is_on_the_page() -> None:
    assert [name for name in (*EXPECTATIONS, *DECIDING) if f"`{name}" not in PAGE] == []
