"""The command `harness`: finds the subcommand, and turns errors into one clear line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from harness._version import __version__
from harness.domain.sanitize import terminal_safe
from harness.errors import CompletionError, FatalError, HarnessError, InputError, RunStopped, StorageError

COMMANDS = {
    "run": "Run a topic file through a workflow.",
    "resume": "Continue a run that was interrupted.",
    "status": "How a run stands.",
    "show": "A run's reports and calls.",
    "ask": "One streamed call: reasoning, then answer.",
    "estimate": "Calls, tokens, cost and time, before spending anything.",
    "cache": "Look into the cache and tend it.",
    "mock": "The built-in DeepSeek on a real socket.",
    "doctor": "What is wrong, and what to do about it.",
    "config": "Every setting and where it comes from.",
}


class _Lazy(click.Group):
    """Imports a command when it is called: `harness --help` pays for none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"harness.cli.{name}"), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"harness.cli.{name}.{name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Push a file of topics through a multi-step LLM workflow: cached, resumable, bounded, measured."""


def main() -> NoReturn:
    """Run the command line and exit: 0, 1 some failed, 2 usage or input, 3 stopped for cause, 130 interrupted."""
    try:
        cli.main(standalone_mode=True)
    except HarnessError as error:
        fail(error)
    except BaseExceptionGroup as group:
        only = _only(group)
        if isinstance(only, HarnessError):
            fail(only)
        raise
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has left (`| head`); the interpreter would complain again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(0)


def fail(error: HarnessError) -> NoReturn:
    """Say what is wrong, on standard error, and exit with the code that it has."""
    for line in str(error).splitlines() or [type(error).__name__]:
        click.echo(f"error: {terminal_safe(line)}", err=True)
    sys.exit(exit_code(error))


def exit_code(error: HarnessError) -> int:
    """The exit code of an error that ended a command."""
    match error:
        case InputError():
            return 2
        case FatalError() | RunStopped() | StorageError():
            return 3
        case CompletionError():
            return 1
    return 1


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error in a group of one, however deep; else the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
