"""Whose line an exception is told with."""

from __future__ import annotations

import pytest

from harness.domain.frames import Files, Frame, authors_frame

HOME = "/home/ada/flows"
PYTHON = "/usr/lib/python3.11"
PACKAGE = "/opt/venv/lib/python3.11/site-packages/harness"
FILES = Files(own=(f"{HOME}/flow.py", HOME), foreign=(PYTHON, PACKAGE))


def found(*files: str, whose: Files = FILES) -> str | None:
    """The file of the author's frame, of a traceback through these files, the outermost first."""
    frame = authors_frame([Frame(file=file, line=1) for file in files], whose)
    return None if frame is None else frame.file


RUNNER = f"{PACKAGE}/engine/runner.py"
STEP = f"{PACKAGE}/engine/step.py"
FLOW = f"{HOME}/flow.py"


@pytest.mark.parametrize(
    ("files", "author"),
    [
        ((RUNNER, FLOW), FLOW),
        ((RUNNER, FLOW, f"{HOME}/beside.py"), f"{HOME}/beside.py"),
        ((RUNNER, FLOW, f"{HOME}/deep/below.py"), f"{HOME}/deep/below.py"),
        ((RUNNER, FLOW, f"{PYTHON}/json/decoder.py"), FLOW),
        ((RUNNER, FLOW, "/opt/venv/lib/python3.11/site-packages/pandas/frame.py"), FLOW),
        ((RUNNER, FLOW, "/usr/lib/python3/dist-packages/yaml/reader.py"), FLOW),
        # An environment often lies in the project, beneath the workflow.
        ((RUNNER, FLOW, f"{HOME}/.venv/lib/python3.11/site-packages/pandas/frame.py"), FLOW),
        # Called back from a library: still the innermost of the author's lines.
        ((RUNNER, FLOW, f"{PYTHON}/functools.py", f"{HOME}/beside.py", STEP), f"{HOME}/beside.py"),
        # A directory whose name only begins like it is another one.
        ((RUNNER, FLOW, "/home/ada/flows-of-others/x.py"), FLOW),
        ((RUNNER, FLOW, "<string>"), FLOW),
        ((RUNNER, FLOW, "/somewhere/else/library.py"), FLOW),
        ((RUNNER, "/src/mine/a.py", "/src/mine/b.py"), "/src/mine/b.py"),
        ((RUNNER, f"{PYTHON}/asyncio/tasks.py"), None),
        ((), None),
    ],
)  # fmt: skip
def test_the_innermost_of_the_authors_lines_is_told(
    files: tuple[str, ...], author: str | None
) -> None:
    assert found(*files) == author


def test_a_workflow_that_is_installed_is_its_authors_all_the_same() -> None:
    package = "/opt/venv/lib/python3.11/site-packages/flows"
    installed = Files(own=(f"{package}/night.py", package), foreign=(PYTHON, PACKAGE))
    other = "/opt/venv/lib/python3.11/site-packages/pandas/frame.py"
    assert found(RUNNER, f"{package}/night.py", other, whose=installed) == f"{package}/night.py"


def test_a_single_installed_file_does_not_make_its_neighbours_the_authors() -> None:
    directory = "/opt/venv/lib/python3.11/site-packages"
    installed = Files(own=(f"{directory}/night.py", directory), foreign=(PYTHON, PACKAGE))
    assert (
        found(f"{directory}/night.py", f"{directory}/pandas/frame.py", whose=installed)
        == f"{directory}/night.py"
    )


def test_the_workflow_of_this_package_is_told_apart_from_the_rest_of_it() -> None:
    built_in = Files(
        own=(f"{PACKAGE}/workflows/research.py", f"{PACKAGE}/workflows"), foreign=(PYTHON, PACKAGE)
    )
    research = f"{PACKAGE}/workflows/research.py"
    assert found(RUNNER, research, f"{PACKAGE}/engine/step.py", whose=built_in) == research


def test_nothing_is_the_authors_where_nobody_knows_where_the_workflow_is() -> None:
    assert (
        found(RUNNER, f"{PYTHON}/json/decoder.py", whose=Files(foreign=(PYTHON, PACKAGE))) is None
    )
