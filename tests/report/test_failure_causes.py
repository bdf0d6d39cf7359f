from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import harness.report
from harness.domain.remedies import IN_THE_CODE, REMEDIES
from harness.domain.run import Failure
from harness.errors import FailureKind
from harness.report.causes import Causes, pattern_of


def an_error(message: str, **fields: Any) -> Failure:
    shape = {
        "type": "TransientError",
        "kind": "server",
        "step": "plan",
        "status": 500,
        "message": message,
    }
    return Failure(**{**shape, **fields})


def test_failures_that_differ_in_names_and_numbers_are_one_cause() -> None:
    causes = Causes()
    for trace in ("55e352bd060f4b9b", "9f0ac1d2e3f40516", "0aa1bb2cc3dd4ee5"):
        number = causes.add(
            an_error(f"mock answered 500 (trace {trace}) after 1,024 tokens of 'topic {trace}'")
        )
        assert number == 0
    assert [(cause.count, cause.kind) for cause in causes.found] == [(3, "server")]
    assert "55e352bd060f4b9b" in causes.found[0].example


def test_another_kind_step_or_status_is_another_cause() -> None:
    causes = Causes()
    errors = [
        an_error("x"),
        an_error("x", kind="timeout"),
        an_error("x", step="write"),
        an_error("x", status=502),
    ]
    assert [causes.add(error) for error in errors] == [0, 1, 2, 3]


def test_an_error_without_a_kind_is_called_by_its_type() -> None:
    causes = Causes()
    causes.add(an_error("no answer", kind=None, type="TopicFailed"))
    assert causes.found[0].kind == "TopicFailed"


def of_code(where: str, message: str = "list index out of range") -> Failure:
    return Failure(type="IndexError", message=message, where=where, code="return words[9]")


def test_exceptions_of_one_line_of_code_are_one_cause_and_of_two_lines_two() -> None:
    causes = Causes()
    errors = [
        of_code("flow.py:12"),
        of_code("flow.py:12", "tuple index out of range"),
        of_code("flow.py:20"),
    ]
    assert [causes.add(error) for error in errors] == [0, 0, 1]
    assert (causes.found[0].where, causes.found[0].code) == ("flow.py:12", "return words[9]")


def test_every_cause_has_a_remedy() -> None:
    causes = Causes()
    causes.add(an_error("x"))
    causes.add(of_code("flow.py:12"))
    assert [cause.remedy for cause in causes.found] == [REMEDIES["server"], IN_THE_CODE]


def test_a_message_is_told_to_its_end() -> None:
    causes = Causes()
    causes.add(an_error("why " * 500 + "because"))
    assert causes.found[0].example.endswith("why because")


def test_the_page_has_words_for_every_kind_of_failure() -> None:
    page = (Path(harness.report.__file__).parent / "static" / "format.js").read_text()
    words = dict(
        re.findall(r'^  (\w+): "(.+)",$', page.partition("const KINDS = {")[2], flags=re.MULTILINE)
    )
    assert [kind for kind in get_args(FailureKind) if kind not in words] == []
    assert len({words[kind] for kind in get_args(FailureKind)}) == len(get_args(FailureKind))


def test_words_tell_causes_apart() -> None:
    assert pattern_of("the stream ended") != pattern_of("the stream broke")
    assert pattern_of("faced with added cafe") == "faced with added cafe"
