"""A judge's calls among the calls of a topic: known by their step and the part that
made them.
"""

from __future__ import annotations

import re

from harness.domain.recorded_call import step_of
from harness.records.stored import StoredSpan
from harness.regress.case import Case

JUDGE = "judge"
"""The step of every judge's call."""

_NOT_IN_NAMES = re.compile(r"[/#\s]+")


def judge_name(check: str) -> str:
    """A check's name as a part of a path. Checks with a judge must differ in it."""
    return _NOT_IN_NAMES.sub("-", check.strip())


def judge_path(check: str, span_id: str | None) -> str:
    """The part under which a check's judge is asked about the output, or about one call."""
    path = f"{JUDGE}.{judge_name(check)}"
    return path if span_id is None else f"{path}/{span_id}"


def is_judge(span_id: str) -> bool:
    """Return whether the call with this id asked a judge, and so is no part of the workflow's own
    work.
    """
    return span_id.startswith(f"{JUDGE}.") and step_of(span_id) == JUDGE


def own_calls(case: Case) -> tuple[StoredSpan, ...]:
    """The calls of the workflow itself."""
    return tuple(call for call in case.calls if not is_judge(call.id))
