"""A suite's report as JUnit XML, in the dialect that Jenkins, GitLab and GitHub's report actions
read.

Each check is a class and each topic a test of it. What is not recorded is a class of its own. There
are no times in it: a replay has none that mean anything, and the same report is the same file.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from harness.regress.checks.misses import MissGroup
from harness.regress.reports.telling import (
    Failure,
    draws_words,
    failures_on,
    miss_words,
    notes_of,
    trace_of,
)
from harness.regress.suites.report import CheckVerdict, SuiteReport, TopicVerdict

# What XML 1.0 has no way to write, not even as an escape.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def in_junit(report: SuiteReport) -> str:
    """The whole report as a document in UTF-8."""
    suite = ET.Element("testsuite", name=xml_safe(report.suite.name))
    for group in report.misses:
        suite.append(_missed(report, group))
    for one in report.checks:
        for topic in one.topics:
            suite.append(_case(report, one, topic))
    if report.exit_code == 2:
        case = ET.SubElement(suite, "testcase", _named(report, "suite", "something was checked"))
        _child(case, "failure", report.headline, report.headline)
    said = [*_draws(report), *notes_of(report)]
    if said:
        ET.SubElement(suite, "system-out").text = xml_safe("\n".join(said))
    counts = {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": "0",
    }
    suite.attrib.update(
        {**counts, "skipped": str(len(suite.findall("testcase/skipped"))), "time": "0"}
    )
    root = ET.Element("testsuites", {"name": xml_safe(report.suite.name), **counts, "time": "0"})
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def xml_safe(text: str) -> str:
    """The text without the characters that XML cannot hold; each becomes U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


def _case(report: SuiteReport, one: CheckVerdict, topic: TopicVerdict) -> ET.Element:
    case = ET.Element("testcase", _named(report, one.check.name, topic.topic_id))
    if topic.state == "failed":
        failures = failures_on(topic)
        place = f"{report.suite.path}:{one.check.line}"
        _child(case, "failure", failures[0].line, "\n\n".join([place, *map(_told, failures)]))
    elif topic.state == "not checked":
        why = next((draw.why for draw in topic.draws if draw.why), "not checked")
        _child(case, "skipped", why)
    return case


def _missed(report: SuiteReport, group: MissGroup) -> ET.Element:
    case = ET.Element("testcase", _named(report, "recorded", f"{group.step}: {group.reason}"))
    _child(
        case, "failure" if report.misses_fail else "skipped", miss_words(group), group.example.text
    )
    return case


def _named(report: SuiteReport, check: str, name: str) -> dict[str, str]:
    """A dot parts what a class is grouped by from its name, so there may be no other."""
    grouped = f"{report.suite.name.replace('.', ' ')}.{check.replace('.', ' ')}"
    return {"classname": xml_safe(grouped), "name": xml_safe(name), "time": "0"}


def _child(case: ET.Element, tag: str, message: str, text: str | None = None) -> None:
    child = ET.SubElement(case, tag, {"message": xml_safe(message)})
    child.text = xml_safe(text) if text is not None else None


def _told(failure: Failure) -> str:
    shortfall, call = failure.failing.shortfall, failure.failing.call
    lines = [failure.line]
    lines += (
        [f"expected and got: {failure.difference}"]
        if failure.difference
        else [f"expected: {shortfall.expected}", f"got: {shortfall.got}"]
    )
    if call is not None:
        trace = trace_of(call)
        lines += [f"call: {trace.about}", *(f"{name}: {text}" for name, text in trace.parts)]
    return "\n".join(lines)


def _draws(report: SuiteReport) -> Iterator[str]:
    for one in report.checks:
        if words := draws_words(one, report.suite.samples):
            yield f"{one.check.name}: {words}"
