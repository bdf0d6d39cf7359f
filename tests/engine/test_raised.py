"""What is told of an exception that came out of a workflow."""

from __future__ import annotations

import asyncio
import functools
import json
import linecache
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.domain.failures import PermanentError
from harness.engine.raised import Raised, raised_by, returned_by
from harness.errors import ParseError, TooManyCalls, TopicFailed

HERE = Path(__file__)
OWN = (str(HERE), str(HERE.parent))
EMPTY: tuple[int, ...] = ()


def raised(do: Callable[[], object]) -> Raised:
    try:
        do()
    except BaseException as error:  # noqa: BLE001 - any exception is what is looked at
        return raised_by(error, OWN)
    raise AssertionError("nothing was raised")


def line_of(text: str) -> int:
    """The number of the first line of this file that begins so."""
    lines = HERE.read_text().splitlines()
    return next(
        number for number, line in enumerate(lines, start=1) if line.strip().startswith(text)
    )


def index_too_far() -> None:
    _ = EMPTY[3]  # the author's line


def read_json() -> None:
    json.loads("no json")


def test_an_exception_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    failure = raised(index_too_far).failure
    assert (failure.type, failure.message) == ("IndexError", "tuple index out of range")
    assert failure.where == f"test_raised.py:{line_of('_ = EMPTY[3]')}"
    assert failure.code == "_ = EMPTY[3]  # the author's line"


def test_a_file_outside_of_the_working_directory_is_told_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert raised(index_too_far).failure.where == f"{HERE}:{line_of('_ = EMPTY[3]')}"


def test_a_working_directory_that_is_gone_is_no_reason_to_say_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert raised(index_too_far).failure.where == f"{HERE}:{line_of('_ = EMPTY[3]')}"


def test_what_a_library_raised_is_told_with_the_line_that_called_it() -> None:
    failure = raised(read_json).failure
    assert failure.type == "JSONDecodeError"
    assert failure.code == 'json.loads("no json")'


def test_code_made_while_the_program_runs_is_nobodys() -> None:
    def made() -> None:
        exec("raise KeyError('x')", {})

    assert raised(made).failure.code == "exec(\"raise KeyError('x')\", {})"


def test_without_a_line_of_the_authors_there_is_none() -> None:
    error = ValueError("never raised")
    found = raised_by(error, OWN)
    assert (found.failure.where, found.failure.code) == (None, None)
    assert found.alike == {("ValueError", "")}


def test_a_file_that_cannot_be_read_is_told_without_its_code(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    exec(compile("def flow(): raise KeyError('x')", str(file), "exec"), made := {})  # type: ignore[var-annotated]
    linecache.clearcache()
    try:
        made["flow"]()
    except KeyError as error:
        failure = raised_by(error, (str(file),)).failure
    assert (failure.where or "").endswith("flow.py:1")
    assert failure.code is None


def test_a_long_line_is_cut_and_no_secret_is_in_any_text(tmp_path: Path) -> None:
    code = f"raise ValueError('the key is sk-secret-1')  # {'.' * 300}"
    file = tmp_path / "flow.py"
    file.write_text(code)
    try:
        exec(compile(code, str(file), "exec"), {})
    except ValueError as error:
        failure = raised_by(
            error, (str(file),), lambda text: text.replace("sk-secret-1", "***")
        ).failure
    assert failure.message == "the key is ***"
    assert (failure.code or "").startswith("raise ValueError('the key is ***')  # ...")
    assert len(failure.code or "") == 200


async def test_a_group_with_one_cause_is_told_as_that_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(HERE.parent)

    beginning = 'raise ValueError(f"part'

    async def part(number: int) -> None:
        raise ValueError(f"part {number}")

    async def workflow() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(part(number))

    try:
        await workflow()
    except ExceptionGroup as error:
        found = raised_by(error, OWN)
    assert (found.failure.type, found.failure.message) == ("ValueError", "part 0")
    assert found.failure.where == f"test_raised.py:{line_of(beginning)}"
    assert found.alike == {("ValueError", found.failure.where)}


def a_group(*errors: Exception) -> Raised:
    def gathered() -> None:
        raise ExceptionGroup("several", errors)

    return raised(gathered)


def test_a_group_of_several_causes_tells_them_all() -> None:
    found = a_group(ValueError("a"), ExceptionGroup("inner", [KeyError("b"), ValueError("c")]))
    assert found.failure.type == "ExceptionGroup"
    assert found.failure.message == "2 errors at once: KeyError: 'b'; ValueError: a"
    assert found.alike == {("ValueError", ""), ("KeyError", "")}


def test_of_several_causes_the_first_line_that_is_known_is_told() -> None:
    try:
        index_too_far()
    except IndexError as error:
        located = error
    found = a_group(ValueError("a"), located)
    assert found.failure.code == "_ = EMPTY[3]  # the author's line"
    assert f"IndexError at {found.failure.where}: tuple index out of range" in found.failure.message


def test_of_many_causes_the_first_are_told_and_the_others_counted() -> None:
    kinds = [type(f"Error{number}", (Exception,), {}) for number in range(8)]
    message = a_group(*[kind("x") for kind in kinds]).failure.message
    assert message.startswith("8 errors at once: Error0: x; ")
    assert message.endswith("Error4: x; and 3 more")


def test_an_exception_that_cannot_even_say_what_it_is_is_told_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def fail() -> None:
        raise Broken

    assert raised(fail).failure.message == "(its own message cannot be made: RuntimeError)"


def a_refusal() -> PermanentError:
    return PermanentError("the prompt was flagged", kind="content_filter", status=400)


def refused() -> None:
    raise a_refusal()


def refused_and_said_otherwise() -> None:
    try:
        refused()
    except PermanentError as error:
        raise RuntimeError("no answer") from error


def refused_and_then_broken() -> None:
    try:
        refused()
    except PermanentError:
        index_too_far()


def given_up() -> None:
    raise TopicFailed("too few answers")


@pytest.mark.parametrize(
    "do", [refused, refused_and_said_otherwise, refused_and_then_broken, given_up]
)
def test_what_no_change_of_the_code_would_mend_is_not_held_against_it(
    do: Callable[[], object],
) -> None:
    assert raised(do).alike == frozenset()


def test_a_call_that_failed_is_told_without_a_line_and_what_was_raised_for_it_with_one() -> None:
    assert raised(refused).failure.where is None
    assert raised(refused).failure.kind == "content_filter"
    assert raised(given_up).failure.where is None
    assert (raised(refused_and_said_otherwise).failure.code or "").startswith("raise RuntimeError")


def test_a_group_with_a_call_that_failed_is_not_held_against_the_code() -> None:
    assert a_group(ValueError("a"), a_refusal()).alike == frozenset()


def test_what_the_code_hid_on_purpose_is_not_looked_at() -> None:
    def hidden() -> None:
        try:
            refused()
        except PermanentError:
            raise KeyError("x") from None

    assert raised(hidden).alike != frozenset()


def test_exceptions_that_name_each_other_have_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert raised_by(one, OWN).alike == {("ValueError", "")}


@pytest.mark.parametrize("error", [ParseError("no list"), TooManyCalls("201 calls"), SystemExit(2)])
def test_what_the_author_can_mend_counts_whoever_defined_it(error: BaseException) -> None:
    assert raised_by(error, OWN).alike == {(type(error).__name__, "")}


def test_an_output_that_no_row_can_hold_is_told_with_the_line_at_which_the_workflow_begins() -> (
    None
):
    def decorated() -> None: ...

    @functools.wraps(decorated)
    def around() -> None: ...

    found = returned_by(around, "the output is not JSON", OWN)
    assert found.failure.code == "def decorated() -> None: ..."
    assert found.alike == {("WorkflowError", found.failure.where)}


def test_a_workflow_without_code_of_its_own_is_told_without_a_line() -> None:
    found = returned_by(functools.partial(os.path.join, "a"), "the output is not JSON", OWN)
    assert found.failure.where is None
    assert found.alike == {("WorkflowError", "")}
