"""The command line in this process, for tests."""

from __future__ import annotations

from typing import Protocol

from click.testing import CliRunner, Result

from harness.cli.main import cli, only
from harness.errors import InputError


class Harness(Protocol):
    """Runs a command; what it raises is in `exception`, as `main` would meet it."""

    def __call__(self, *arguments: str, text: str | None = None) -> Result: ...


def run_command(*arguments: str, text: str | None = None) -> Result:
    """A command with its arguments; `text` is its standard input."""
    return CliRunner().invoke(cli, list(arguments), input=text, prog_name="harness")


def problem_of(result: Result) -> str:
    """What `main` would say, and exit 2 for."""
    assert isinstance(result.exception, Exception), result.output
    error = only(result.exception)
    assert isinstance(error, InputError), result.output
    return str(error)
