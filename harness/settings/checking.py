"""Checks of what settings say of their endpoint, before anything is sent.

A message names who gave it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.domain.base_url import note_on
from harness.domain.profiles import PROFILES, Profile
from harness.domain.request_form import RequestForm, Unsent, advice_elsewhere, unsent
from harness.errors import SettingsError
from harness.settings.endpoints import EndpointTable, named, parse_overrides
from harness.settings.given import Given
from harness.settings.model import Settings
from harness.settings.toml_lines import place
from harness.settings.toml_tables import StepTable, suggestion

FROM_THE_RUN = 0


def check_endpoints(settings: Settings, ruling: Mapping[str, Given]) -> None:
    """Raise SettingsError where an endpoint is not known, or would not be sent a setting.

    The message has one line for each.
    """
    wrong = [*_tables(settings, ruling), *_chosen(settings, ruling)]
    if not wrong:
        wrong = list(_of_steps(settings, ruling))
    if not wrong:
        wrong = list(_never_sent(settings, ruling))
    if wrong:
        raise SettingsError("\n".join(dict.fromkeys(wrong)))


def _tables(settings: Settings, ruling: Mapping[str, Given]) -> Iterator[str]:
    for name in settings.endpoints:
        try:
            named(name, settings.endpoints)
        except SettingsError as error:
            yield f"{_place(ruling, 'endpoints', name)}: {error}"


def _of_steps(settings: Settings, ruling: Mapping[str, Given]) -> Iterator[str]:
    """The endpoints that steps ask, where they are not known."""
    for name, table in settings.steps.items():
        if table.endpoint is None:
            continue
        try:
            settings.service_at(table.endpoint)
        except SettingsError as error:
            yield f"{_place(ruling, 'steps', name, 'endpoint')}: step {name}: {error}"


def _chosen(settings: Settings, ruling: Mapping[str, Given]) -> Iterator[str]:
    given, name = ruling.get("endpoint"), settings.endpoint
    if (
        given is not None
        and name is not None
        and name not in PROFILES
        and name not in settings.endpoints
    ):
        near = suggestion(name, [*PROFILES, *settings.endpoints])
        yield f"{given.told(name)}: no such profile{near}; any other server goes by its base_url"
    try:
        overrides = parse_overrides(settings.overrides)
    except SettingsError as error:  # each alone is right, together they are not
        yield f"{ruling['set'].where}: {error}"
        return
    if settings.base_url is not None:
        for field, flag in (("base_url", "base_url"), ("api_key_env", "api_key_env")):
            if getattr(overrides, field) is not None:
                yield (
                    f"{ruling['set'].where}: endpoint.{field}: a base URL is given already; mend"
                    f" {flag} itself"
                )
    elif name == "mock" and overrides.base_url is not None:
        yield (
            f"{ruling['set'].where}: endpoint.base_url: the mock answers in this process, at no"
            " address"
        )


def _never_sent(settings: Settings, ruling: Mapping[str, Given]) -> Iterator[str]:
    """Yield what the user asks for and the endpoint would not be told.

    A run that goes on is only warned, elsewhere.
    """
    services = [settings.service_at(table.endpoint or "") for table in settings.steps.values()]
    for service in (settings.service, *services):
        for one in unsent(thinking=settings.thinking, effort=settings.effort, form=service.form):
            given = ruling.get(one.name)
            if given is not None and given.rank > FROM_THE_RUN:
                yield f"{given.where}: {_words(one, service, settings)}"
    steps = ruling.get("steps")
    if steps is not None and steps.rank > FROM_THE_RUN:
        for (name, table), service in zip(settings.steps.items(), services, strict=True):
            for one in _unsent_of(table, settings, service.form):
                yield f"{_place(ruling, 'steps', name, one.name)}: {_words(one, service, settings)}"


def _unsent_of(table: StepTable, settings: Settings, form: RequestForm) -> tuple[Unsent, ...]:
    effort = table.effort or (settings.effort if table.thinking is not None else None)
    return tuple(
        one
        for one in unsent(thinking=table.thinking, effort=effort, form=form)
        if getattr(table, one.name) is not None
    )


def _words(one: Unsent, service: Profile, settings: Settings) -> str:
    if service.name == settings.service.name:
        advice = one.advice
    else:
        advice = advice_elsewhere(one.advice, service.name)
    return f"{one.name} {one.value} would not be sent to {service.name}: {advice}"


def _place(ruling: Mapping[str, Given], *path: str) -> str:
    given = ruling[path[0]]
    if given.raw is None:
        return given.where
    return place(given.origin, given.raw, path)


def notes_on(settings: Settings) -> tuple[str, ...]:
    """Lines for the user before the first call: what was understood otherwise than it was
    written.
    """
    notes = [settings.model_note()]
    if settings.base_url is not None:
        notes.append(note_on(settings.base_url))
    return tuple(note for note in notes if note is not None)


def endpoint_defaults(settings: Settings) -> dict[str, int]:
    """The limits that the endpoint's table has for runs that do not set any."""
    sources: list[EndpointTable | None] = [parse_overrides(settings.overrides)]
    if settings.base_url is None:
        sources.insert(0, settings.endpoints.get(settings.endpoint or ""))
    found: dict[str, int] = {}
    for source in sources:
        for name in ("in_flight", "rpm", "tpm"):
            value = getattr(source, name, None)
            if value is not None:
                found[name] = value
    return found
