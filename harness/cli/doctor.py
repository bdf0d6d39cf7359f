"""`harness doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import anyio
import click

from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_json
from harness.doctor import Finding, examine
from harness.machine.wall_clock import SystemClock
from harness.render.plain import aligned_row
from harness.settings.model import CALL_FLAGS
from harness.text.safe import terminal_safe

_WIDTHS = (7, 9, 0)
_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


@click.command(cls=SectionedCommand)
@click.option(
    "--ask",
    cls=SectionedOption,
    section="Endpoint",
    is_flag=True,
    help="Make one call of few tokens, too, and say what the server does.",
)
@settings_options(*CALL_FLAGS, "in_flight")
def doctor(ask: bool, **values: Any) -> None:
    """Look at key, endpoint, model, balance, clock, disk and cache. Exit code 1 if there is a
    problem.

    The server is connected to and asked for its list of models, which costs nothing; each request
    is said before it is sent. With --ask one call is made as a run would make it, which costs a few
    tokens.
    """
    loaded = loaded_from(values)
    findings: list[Finding] = []

    async def look() -> None:
        async for finding in examine(loaded, SystemClock(), ask=ask):
            findings.append(finding)
            if not loaded.settings.json_output:
                _show(finding)

    anyio.run(look)
    if loaded.settings.json_output:
        say_json([asdict(finding) for finding in findings])
    if any(finding.verdict == "problem" for finding in findings):
        sys.exit(1)


def _show(finding: Finding) -> None:
    row = aligned_row((finding.verdict, finding.name, terminal_safe(finding.said)), _WIDTHS)
    verdict = click.style(finding.verdict, fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}{row.removeprefix(finding.verdict)}")
    if finding.advice:
        click.echo(aligned_row(("", "", f"→ {terminal_safe(finding.advice)}"), _WIDTHS))
