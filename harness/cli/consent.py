"""Consent before money is spent: a person is asked once; where nobody is there, somebody must have said so before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal, NoReturn

import click

from harness.adapters.wall_clock import SystemClock
from harness.cli.money_words import usd
from harness.cli.terminal import someone_answers
from harness.domain.profiles import profile_of
from harness.domain.wording import counted
from harness.errors import SettingsError
from harness.estimating import Estimate, estimate_batch
from harness.settings import Loaded, Settings

Consent = Literal["given", "to be asked for", "missing"]


def agreed(loaded: Loaded, source: str) -> bool:
    """Whether the run may begin. Asks a person who is there and has not said so; raises what a run would raise.

    Raises SettingsError where a run would spend money and nobody is there to agree to it.
    """
    return confirmed(loaded, lambda: question_of(estimate_batch(loaded, source, SystemClock())))


def confirmed(loaded: Loaded, question: Callable[[], str]) -> bool:
    """The same with a question of one's own, which is made only where it is asked."""
    consent = consent_of(loaded.settings, someone_there=someone_answers())
    if consent == "given":
        return True
    name = loaded.endpoint().identity
    if consent == "missing":
        raise SettingsError(
            f"this would spend money at {name}, and there is no terminal on which to ask: "
            "say --yes to agree to it, or --budget USD to cap it"
        )
    try:
        return click.confirm(question(), default=False, err=True)
    except click.Abort:  # Ctrl-C, or the end of what is typed
        click.echo(err=True)
        return False


def exit_unsent() -> NoReturn:
    """End the command of a person who did not agree, with the code of an interrupted run."""
    click.echo("nothing was sent", err=True)
    sys.exit(130)


def consent_of(settings: Settings, *, someone_there: bool) -> Consent:
    """Whether these settings say that money may be spent: `--yes` and a budget do, and nothing is spent on the mock.

    Words for machines only (`--quiet`, `--json`) put off a question, and so agree for a person who is there; they say
    nothing where nobody is.
    """
    capped = settings.budget is not None or settings.budget_tokens is not None or settings.run_calls is not None
    if settings.yes or capped or not costs_money(settings):
        return "given"
    if not someone_there:
        return "missing"
    return "given" if settings.quiet or settings.json_output else "to be asked for"


def costs_money(settings: Settings) -> bool:
    """Whether calls are paid for, as far as can be known: at a known service that takes a key, or at a known price.

    A server of one's own, without a price in [prices] or in its own table, costs no money that we know of.
    """
    if settings.cache_mode == "replay":
        return False
    service = settings.profile or profile_of(settings.base_url or "")
    if service is not None and service.hosted:
        return service.key_env is not None
    models = {settings.model or settings.service.default_model, *(table.model for table in settings.steps.values())}
    return not models.isdisjoint(settings.pricing().prices)


def question_of(found: Estimate) -> str:
    """What a person is asked."""
    money = "at prices that are not known"
    if found.cost is not None and found.cost_at_most is not None:
        money = f"likely some {usd(found.cost)}, {usd(found.cost_at_most)} if each answer were as long as it may be"
    return (
        f"{counted(found.topics, 'topic')}, about {counted(round(found.calls), 'call')}: {money}. "
        "(--budget USD caps it, --yes does not ask.)\nBegin?"
    )
