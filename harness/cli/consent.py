"""Consent before money is spent: a person is asked once; where nobody is there, somebody must have
said so before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

import click

from harness.cli.terminal import someone_answers
from harness.domain.endpoint import endpoint_identity
from harness.domain.profiles import profile_of
from harness.errors import SettingsError
from harness.machine.wall_clock import SystemClock
from harness.runs.estimating import Estimate, estimate_batch
from harness.settings import Loaded, Settings
from harness.text.amounts import counted, money
from harness.workflows.in_use import InUse, check_access, endpoints_in_use
from harness.workflows.loading import LoadedWorkflow

Consent = Literal["given", "to be asked for", "missing"]


def agreed(loaded: Loaded, workflow: LoadedWorkflow, source: str) -> bool:
    """Return whether the run may begin. Asks a person who is there and has not said so yet.

    Raises SettingsError where a run would spend money and nobody is there to agree to it, and else
    what a run would raise for its file and settings.
    """
    return confirmed(
        loaded, workflow, lambda: question_of(estimate_batch(loaded, source, SystemClock()))
    )


def confirmed(loaded: Loaded, workflow: LoadedWorkflow, question: Callable[[], str]) -> bool:
    """Do the same with another question, which is made only where it is asked."""
    settings = loaded.settings
    if _is_agreed_to(settings):
        return True
    used = endpoints_in_use(loaded, workflow)
    consent = consent_of(settings, used, someone_there=someone_answers())
    if consent == "given":
        return True
    check_access(loaded, used)
    name = " and ".join(
        loaded.endpoint(one.name).identity for one in used if is_paid(settings, one)
    )
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


def consent_of(settings: Settings, used: Sequence[InUse] = (), *, someone_there: bool) -> Consent:
    """Return whether these settings say that money may be spent: `--yes` and a budget do, and
    nothing is spent on the mock.

    `used` are the endpoints that are asked; where none are named, the run's own.

    Words for machines only (`--quiet`, `--json`) put off a question, and so agree for a person who
    is there; they say nothing where nobody is.
    """
    used = used or (InUse(service=settings.service),)
    if _is_agreed_to(settings) or not any(is_paid(settings, one) for one in used):
        return "given"
    if not someone_there:
        return "missing"
    return "given" if settings.quiet or settings.json_output else "to be asked for"


def _is_agreed_to(settings: Settings) -> bool:
    capped = (
        settings.budget is not None
        or settings.budget_tokens is not None
        or settings.run_calls is not None
    )
    return settings.yes or capped or settings.cache_mode == "replay"


def is_paid(settings: Settings, one: InUse) -> bool:
    """Return whether calls to this endpoint are paid for, as far as can be known: a known service
    that takes a key, or a known price.

    A server of one's own, without a price in [prices] or in its own table, costs no money that we
    know of.
    """
    if settings.cache_mode == "replay" or not one.key_needed:
        return False
    service = profile_of(one.service.base_url) or one.service
    if service.hosted:
        return service.key_env is not None
    is_own = one.name == settings.service.name
    default = (settings.model if is_own else None) or service.default_model
    models = {default}
    for name, table in settings.steps.items():
        if name in one.steps or (is_own and table.endpoint in (None, one.name)):
            models.add(table.model)
    return not models.isdisjoint(settings.pricing().at(endpoint_identity(one.service)).prices)


def question_of(found: Estimate) -> str:
    """Say what a person is asked."""
    likely = "at prices that are not known"
    if found.cost is not None and found.cost_at_most is not None:
        likely = (
            f"likely some {money(found.cost)}, {money(found.cost_at_most)} if each answer were as"
            " long as it may be"
        )
    return (
        f"{counted(found.topics, 'topic')}, about {counted(round(found.calls), 'call')}: {likely}. "
        "(--budget USD caps it, --yes does not ask.)\nBegin?"
    )
