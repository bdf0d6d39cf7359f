"""Asking before money is spent: once, on a terminal, where no budget says how much is fine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import click

from harness.adapters.wall_clock import SystemClock
from harness.domain.wording import counted
from harness.estimating import Estimate, estimate_batch
from harness.settings import Loaded, Settings


def agreed(loaded: Loaded, source: str) -> bool:
    """Whether the run may begin. Asks a person who is there and has not said so; raises what a run would raise."""
    return confirmed(loaded, lambda: question_of(estimate_batch(loaded, source, SystemClock())))


def confirmed(loaded: Loaded, question: Callable[[], str | None]) -> bool:
    """The same with a question of one's own, which is made only where it is asked; None: there is nothing to ask."""
    if not asks(loaded.settings, someone_there=sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    loaded.endpoint()
    text = question()
    return text is None or click.confirm(text, default=True, err=True)


def exit_unsent() -> NoReturn:
    """End the command of a person who did not agree, with the code of an interrupted run."""
    click.echo("nothing was sent", err=True)
    sys.exit(130)


def asks(settings: Settings, *, someone_there: bool) -> bool:
    """Whether these settings call for a question: `--yes`, a budget, the mock and replay do not."""
    free = settings.is_mock or settings.cache_mode == "replay"
    decided = settings.yes or settings.quiet or settings.json_output
    capped = settings.budget is not None or settings.budget_tokens is not None
    return someone_there and not (free or decided or capped)


def question_of(found: Estimate) -> str | None:
    """What a person is asked, or None where no price is known, as on a server of one's own."""
    if found.cost is None or found.cost_at_most is None:
        return None
    return (
        f"{counted(found.topics, 'topic')}, about {counted(round(found.calls), 'call')}: "
        f"likely some ${found.cost:,.2f}, ${found.cost_at_most:,.2f} if each answer were as long as it may be. "
        "(--budget USD caps it, --yes does not ask.)\nBegin?"
    )
