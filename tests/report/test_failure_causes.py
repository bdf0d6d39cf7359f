from __future__ import annotations

from typing import Any

from harness.report.causes import Causes, pattern_of


def an_error(message: str, **fields: Any) -> dict[str, Any]:
    return {"type": "TransientError", "kind": "server", "step": "plan", "status": 500, "message": message, **fields}


def test_failures_that_differ_in_names_and_numbers_are_one_cause() -> None:
    causes = Causes()
    for trace in ("55e352bd060f4b9b", "9f0ac1d2e3f40516", "0aa1bb2cc3dd4ee5"):
        number = causes.add(an_error(f"mock answered 500 (trace {trace}) after 1,024 tokens of 'topic {trace}'"))
        assert number == 0
    assert [(cause.count, cause.kind) for cause in causes.found] == [(3, "server")]
    assert "55e352bd060f4b9b" in causes.found[0].example


def test_another_kind_step_or_status_is_another_cause() -> None:
    causes = Causes()
    errors = [an_error("x"), an_error("x", kind="timeout"), an_error("x", step="write"), an_error("x", status=502)]
    assert [causes.add(error) for error in errors] == [0, 1, 2, 3]


def test_an_error_without_a_kind_is_called_by_its_type() -> None:
    causes = Causes()
    causes.add(an_error("no answer", kind=None, type="TopicFailed"))
    assert causes.found[0].kind == "TopicFailed"


def test_words_tell_causes_apart() -> None:
    assert pattern_of("the stream ended") != pattern_of("the stream broke")
    assert pattern_of("faced with added cafe") == "faced with added cafe"
