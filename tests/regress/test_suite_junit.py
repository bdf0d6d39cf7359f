"""JUnit XML: the rules of the schema that CI systems share, and what stands in it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regress_cases import HEAD, FakeMiss, a_call, a_case, a_suite

from harness.regress.reports.in_junit import in_junit, xml_safe
from harness.regress.suites.report import SuiteReport
from harness.regress.suites.verdicts import judge_all


@dataclass(frozen=True)
class Rule:
    """What an element may hold: attributes (True: it must be there), and elements."""

    attributes: Mapping[str, bool]
    children: frozenset[str] = frozenset()
    text: bool = False


SAID = Rule({"message": False, "type": False}, text=True)
# The schema of the xUnit plugin of Jenkins (junit-10), which pytest follows too, as far as we use
# it: for reports of all kinds without a registry. tests/system/test_junit_schema.py holds some
# against the schema itself.
RULES = {
    "testsuites": Rule(
        dict.fromkeys(("name", "time", "tests", "failures", "errors"), False),
        frozenset({"testsuite"}),
    ),
    "testsuite": Rule(
        {
            **dict.fromkeys(("name", "tests", "failures", "errors"), True),
            **dict.fromkeys(
                ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file"),
                False,
            ),
        },
        frozenset({"testsuite", "properties", "testcase", "system-out", "system-err"}),
    ),
    "testcase": Rule(
        {"name": True, "time": False, "classname": False, "group": False},
        frozenset({"skipped", "failure", "system-out", "system-err"}),
    ),
    "failure": SAID,
    "skipped": SAID,
    "system-out": Rule({}, text=True),
}


def check(element: ET.Element) -> None:
    """Assert that an element, and all in it, keep the rules."""
    rule = RULES[element.tag]
    assert set(element.keys()) <= set(rule.attributes)
    assert {name for name, needed in rule.attributes.items() if needed} <= set(element.keys())
    assert rule.text or not (element.text or "").strip()
    for child in element:
        assert child.tag in rule.children
        assert not (child.tail or "").strip()
        check(child)


def document(report: SuiteReport) -> ET.Element:
    text = in_junit(report)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    check(root)
    return root


CHECKS = (
    "[[check]]\nname = 'v1.0 speaks of the sea'\ncontains = 'sea'\n"
    "[[check]]\nname = 'asks'\nstep = 'ask'\ncontains = 'tide'\n"
)


def a_report(directory: Path, *, misses_fail: bool = True) -> SuiteReport:
    outputs = {"good": "tide and sea", "bad": "tide and lake", "unseen": "tide and sea"}
    cases = [
        a_case(text, topic_id=name, calls=[a_call("ask", text)]) for name, text in outputs.items()
    ]
    misses = [FakeMiss(topic_id="unseen")]
    return judge_all(
        a_suite(directory, CHECKS), cases, misses=misses, stale=1, misses_fail=misses_fail
    )


def test_each_check_is_a_class_and_each_topic_a_test_of_it(tmp_path: Path) -> None:
    root = document(a_report(tmp_path))
    named = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert named == [
        ("suite.recorded", "ask: changed"),
        *(("suite.no topic failed", name) for name in ("good", "bad", "unseen")),
        *(("suite.v1 0 speaks of the sea", name) for name in ("good", "bad", "unseen")),
        *(("suite.asks", name) for name in ("good", "bad", "unseen")),
    ]


def test_the_counts_are_those_of_the_elements(tmp_path: Path) -> None:
    root = document(a_report(tmp_path))
    suite = root[0]
    assert (
        suite.get("tests"),
        suite.get("failures"),
        suite.get("skipped"),
        suite.get("errors"),
    ) == (
        "10",
        "2",
        "3",
        "0",
    )
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["10", "2", "0"]


def test_a_failure_tells_where_and_what_and_shows_the_call(tmp_path: Path) -> None:
    failures = list(document(a_report(tmp_path)).iter("failure"))
    assert failures[0].get("message") == "ask: the request changed (1 call of 1 topic)"
    assert "nearest: ask" in (failures[0].text or "")
    assert failures[1].get("message") == "bad: the text does not contain 'sea'"
    assert (failures[1].text or "").splitlines() == [
        f"{tmp_path}/suite.toml:5",
        "",
        "bad: the text does not contain 'sea'",
        "expected: contains 'sea'",
        "got: tide and lake",
        "call: ask, key kkkkkkkkkkkk, deepseek-flash, stop, 20 tokens out, 5 of them reasoning",
        "prompt: why?",
        "reasoning: well",
        "answer: tide and lake",
    ]


def test_what_was_not_checked_is_skipped_with_its_reason(tmp_path: Path) -> None:
    skipped = [each.get("message") for each in document(a_report(tmp_path)).iter("skipped")]
    assert skipped == [
        *["the output rests on what is not recorded: ask"] * 2,
        "its call is not recorded: ask",
    ]


def test_misses_that_fail_nothing_are_skipped(tmp_path: Path) -> None:
    root = document(a_report(tmp_path, misses_fail=False))
    assert root[0][0].find("skipped") is not None
    assert root.get("failures") == "1"


def test_nothing_checked_is_a_test_that_fails(tmp_path: Path) -> None:
    root = document(judge_all(a_suite(tmp_path, CHECKS), [], not_checked={("t", 0): "skipped"}))
    [failure] = root.iter("failure")
    assert (failure.get("message") or "").startswith("suite: nothing was checked")


def test_what_is_said_of_draws_and_notes_is_the_suites_output(tmp_path: Path) -> None:
    cases = [a_case("sea", sample=n, calls=[a_call("ask", "tide")]) for n in range(2)]
    report = judge_all(a_suite(tmp_path, CHECKS, head=f"samples = 2\n{HEAD}"), cases, stale=1)
    said = document(report)[0].findtext("system-out") or ""
    assert "asks: pass@1 1.000, pass@2 1.000, pass rate 1.000 ± 0.000" in said
    assert "1 recorded answer that nothing asked for any more" in said


@given(st.text(st.characters(), max_size=20))
def test_what_xml_cannot_hold_is_taken_out_and_the_rest_stays(text: str) -> None:
    safe = xml_safe(text)
    read = ET.fromstring(ET.tostring(ET.Element("failure", message=safe)))
    assert read.get("message") == safe
    assert len(safe) == len(text)
    assert all(new in (old, "\ufffd") for old, new in zip(text, safe, strict=True))


@given(st.text(alphabet="a\x00\x0b\x1b\ud800\ufffe\uffff<&>\"'\n\r\t]", max_size=20))
def test_a_report_on_hostile_texts_is_still_a_document(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    suite = a_suite(tmp_path_factory.getbasetemp(), CHECKS, name="hostile.toml")
    case = a_case(text, topic_id=f"t{text}", calls=[a_call("ask", text, reasoning=text)])
    root = document(judge_all(suite, [case], misses=[FakeMiss(topic_id="u", text=text, step=text)]))
    assert len(list(root.iter("failure"))) == 3
