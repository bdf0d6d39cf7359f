"""The one grouping of failures by cause."""

from __future__ import annotations

import pytest

from harness.domain.causes import cause_of, group_of
from harness.domain.run import Failure


@pytest.mark.parametrize(
    ("kind", "status", "cause"),
    [
        ("server", 500, "server 500"),
        ("rate_limited", None, "rate limited"),
        (None, None, "ValueError"),
    ],
)
def test_a_cause_is_a_word_or_two(kind: str | None, status: int | None, cause: str) -> None:
    assert cause_of(type="ValueError", kind=kind, status=status) == cause


def test_failures_of_one_cause_are_one_group_whatever_they_say() -> None:
    one, other = (
        Failure(type="TransientError", kind="server", status=500, message=said) for said in "ab"
    )
    assert group_of(one) == group_of(other) == ("server 500", None)


def test_exceptions_of_two_lines_of_code_are_two_groups() -> None:
    one, other = (
        Failure(type="IndexError", message="x", where=where)
        for where in ("flow.py:12", "flow.py:20")
    )
    assert (group_of(one), group_of(other)) == (
        ("IndexError", "flow.py:12"),
        ("IndexError", "flow.py:20"),
    )
