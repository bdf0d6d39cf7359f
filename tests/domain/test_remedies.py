"""What helps against each kind of failure."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import get_args

import pytest

from harness.domain import failures
from harness.domain.remedies import IN_THE_CODE, REMEDIES, remedy_of
from harness.errors import FailureKind, HarnessError


def all_of(kind: type[HarnessError]) -> Iterator[type[HarnessError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from all_of(narrower)


OURS = sorted(
    {kind.__name__ for kind in all_of(HarnessError) if kind.__module__.startswith("harness.")}
)


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_every_kind_of_failed_call_has_a_remedy(kind: str) -> None:
    assert remedy_of(type="TransientError", kind=kind) == REMEDIES[kind]


@pytest.mark.parametrize("type", [*OURS, "Degraded"])
def test_every_exception_of_ours_has_a_remedy(type: str) -> None:  # noqa: A002 - as in `Failure`
    assert remedy_of(type=type, kind=None) == REMEDIES[type]


def test_the_walk_finds_what_is_raised_on_purpose() -> None:
    assert {failures.TopicBudgetExceeded.__name__, "TopicFailed", "BudgetExceeded"} <= set(OURS)


def test_no_remedy_is_for_something_that_does_not_exist() -> None:
    assert set(REMEDIES) == {*get_args(FailureKind), *OURS, "Degraded"}


@pytest.mark.parametrize(
    "type",
    [
        "IndexError",
        "ExceptionGroup",
        "MyOwnError",
        *(name for name in dir(builtins) if name.endswith("Error")),
    ],
)
def test_any_other_exception_came_out_of_the_workflows_code(type: str) -> None:  # noqa: A002 - as in `Failure`
    assert remedy_of(type=type, kind=None) == IN_THE_CODE


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("incomplete", ("--no-stream", "--in-flight 1")),
        ("timeout", ("--in-flight N", "--first-token-timeout")),
        ("connection", ("harness doctor --base-url", "--patience")),
    ],
)
def test_what_helps_is_named(kind: str, named: tuple[str, ...]) -> None:
    assert [name for name in named if name not in REMEDIES[kind]] == []


@pytest.mark.parametrize("remedy", [*REMEDIES.values(), IN_THE_CODE])
def test_a_remedy_is_one_line(remedy: str) -> None:
    assert "\n" not in remedy
    assert 0 < len(remedy) < 160
