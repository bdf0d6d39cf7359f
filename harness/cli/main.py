"""The command `harness`: finds the subcommand, and turns errors into one clear line and an exit
code.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from typing import NoReturn

import click

from harness._version import __version__
from harness.cli.terminal import prepare_streams
from harness.errors import HarnessError, InputError, RunStopped, StorageError
from harness.text.safe import terminal_safe

COMMANDS = {
    "run": "Run a topic file through a workflow.",
    "record": "A run whose answers become a cassette.",
    "check": "A suite against its recording, offline: what changed, what broke.",
    "resume": "Continue a run that was interrupted.",
    "status": "How a run stands.",
    "show": "A run's reports and calls.",
    "diff": "Two runs side by side: answers, reasoning, tokens, cost, time.",
    "ask": "One streamed call: reasoning, then answer.",
    "estimate": "Calls, tokens, cost and time, before spending anything.",
    "simulate": "What tonight would take, from a recorded run or a cache.",
    "report": "A run, or two side by side, as one page.",
    "view": "All runs in the browser, live.",
    "export": "A run as Parquet, CSV, SQLite, JSON lines or Markdown.",
    "timeline": "A run as a trace for Perfetto or chrome://tracing.",
    "bench": "How much faster in parallel, and how far from the possible.",
    "cache": "Look into the cache and tend it.",
    "mock": "The built-in DeepSeek on a real socket.",
    "doctor": "What is wrong, and what to do about it.",
    "config": "Every setting and where it comes from.",
}

READER_LEFT = 141
"""The exit code where the reader of our output has left (`| head`), as for a program that SIGPIPE
ends.
"""


class _Lazy(click.Group):
    """Imports a command when it is called: `harness --help` pays for none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"harness.cli.{cmd_name}"), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"harness.cli.{cmd_name}.{cmd_name} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(COMMANDS)}"
            ctx.fail(f"no such command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Push a file of topics through a multi-step LLM workflow: cached, resumable, bounded,
    measured.

    \b
    harness run datasets/quick.jsonl --endpoint mock     offline, no key
    harness run topics.jsonl                             DeepSeek; DEEPSEEK_API_KEY from the environment or .env
    """


def main() -> NoReturn:
    """Run the command line and exit: 0, 1 some failed, 2 usage or input, 3 stopped for cause, 130
    interrupted.
    """
    prepare_streams()
    try:
        code = _invoked()
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        code = 130
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is raised again
        code = code_of(only(error))
    sys.exit(code)


def _invoked() -> int:
    """Run the command; returns the exit code that it chose, or that a mistake in its usage has."""
    try:
        # Not `cli.main`: where our reader has left it exits with 1, which is ours for failed
        # topics.
        with cli.make_context("harness", sys.argv[1:]) as context:
            cli.invoke(context)
    except SystemExit as chosen:
        return chosen.code if isinstance(chosen.code, int) else 0
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return 0


def code_of(error: Exception) -> int:
    """Say what is wrong, on standard error, and return the exit code. Raises what nobody
    foresaw.
    """
    if isinstance(error, HarnessError):
        for line in str(error).splitlines() or [type(error).__name__]:
            click.echo(f"error: {terminal_safe(line)}", err=True)
        return exit_code(error)
    if isinstance(error, BrokenPipeError):
        # The interpreter would complain again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        click.echo("error: the output cannot be written: no space left on device", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_code(StorageError())
    raise error


def exit_code(error: HarnessError) -> int:
    """The exit code of an error that ended a command."""
    # Start-up that `--help` must not pay.
    from harness.domain.failures import FatalError  # noqa: PLC0415

    match error:
        case InputError():
            return 2
        case FatalError() | RunStopped() | StorageError():
            return 3
    return 1


def only(error: Exception) -> Exception:
    """The one error in a group of one, however deep; else what was given."""
    found: BaseException = error
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found if isinstance(found, Exception) else error
