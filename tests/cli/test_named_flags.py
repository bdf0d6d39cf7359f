"""What our advice tells a reader to type is there to be typed."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from harness.cli.main import COMMANDS, cli
from harness.domain.remedies import IN_THE_CODE, REMEDIES

ROOT = Path(__file__).parents[2]
_OF_OTHER_PROGRAMS = {"--foreground", "--user", "--what", "--enable-linger", "--now", "--unit"}
"""Flags of the tools that a page shows beside ours: timeout, systemd, loginctl."""


def options_of(command: click.Command) -> set[str]:
    found = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= options_of(inner)
    return found


@pytest.fixture(scope="module")
def options() -> set[str]:
    assert isinstance(cli, click.Group)
    return options_of(cli) | {"--help"}


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))


def test_every_flag_of_a_remedy_is_one_of_ours(options: set[str]) -> None:
    assert flags_in(" ".join([*REMEDIES.values(), IN_THE_CODE])) <= options


@pytest.mark.parametrize("page", ["docs/overnight.md", "docs/budgets.md", "docs/reliability.md"])
def test_every_flag_of_a_page_is_one_of_ours(page: str, options: set[str]) -> None:
    unknown = flags_in((ROOT / page).read_text()) - options - _OF_OTHER_PROGRAMS
    assert not unknown


def test_every_command_of_the_page_for_the_night_is_there() -> None:
    text = (ROOT / "docs" / "overnight.md").read_text()
    assert set(re.findall(r"\bharness ([a-z]+)\b", text)) <= {
        *COMMANDS,
        "is",
        "has",
        "must",
        "itself",
    }
