"""Settings that were brought together, and the endpoints that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.domain.endpoint import (
    GENERIC_KEY_ENV,
    Endpoint,
    base_url_endpoint,
    endpoint_identity,
    profile_endpoint,
)
from harness.domain.policy import Limits
from harness.domain.profiles import MOCK, Profile
from harness.domain.request_form import Switch
from harness.domain.secret import Secret
from harness.errors import SettingsError
from harness.settings.access import Access, Keyring
from harness.settings.endpoints import parse_overrides
from harness.settings.model import Settings
from harness.settings.toml_lines import place

MOCK_KEY = Secret("sk-of-the-mock")

_LEFT_OUT: Mapping[Switch | None, str] = {
    "reasoning_effort": "reasoning_effort",
    "enable_thinking": "enable_thinking",
    "chat_template_kwargs": "chat_template_kwargs",
    "chat_template_kwargs.thinking": "chat_template_kwargs",
}
"""The switches that not every model has: their names are in no refusal of anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings with the origin of each, and the `keyring` with the keys of the endpoints.

    `ignored` are variables that begin like ours and are no settings. `user_id` keeps these calls
    apart from others of the same key, where the provider can. `own_in_flight` is the number of
    calls in flight that the table of the run's endpoint brought, where nobody gave one. `also`
    names endpoints that are asked by others than the workflow's steps.
    """

    settings: Settings
    origins: Mapping[str, str]
    keyring: Keyring = field(default_factory=Keyring)
    ignored: tuple[str, ...] = ()
    user_id: str | None = None
    own_in_flight: int | None = None
    also: tuple[str, ...] = ()

    def step_places(self) -> dict[str, str]:
        """Return the place of each table [steps.NAME], for messages.

        It is `harness.toml:12`, or who else gave it.
        """
        origin = self.origins.get("steps", "settings")
        try:
            text = Path(origin).read_text(encoding="utf-8-sig")
        except (OSError, ValueError):  # no file; or one that is gone meanwhile
            return dict.fromkeys(self.settings.steps, origin)
        return {name: place(origin, text, ("steps", name)) for name in self.settings.steps}

    @property
    def keys(self) -> Mapping[str, Secret]:
        """The key of the run's own endpoint by its variable, if there is one."""
        return self._access(self.settings.service).keys

    @property
    def key_problem(self) -> str | None:
        """Return why the key of the run's own endpoint, though it is there, cannot be used."""
        return self._access(self.settings.service).problem

    def endpoint(
        self, name: str = "", *, key_needed: bool = True, steps: Sequence[str] = ()
    ) -> Endpoint:
        """Return this endpoint, "" for the run's own, with the key that belongs there.

        Raises SettingsError for a name that is not known, and if the key is needed and there is
        none; `steps` are those that need it, for the message.
        """
        service = self.settings.service_at(name)
        access = self._access(service)
        is_own = service.name == self.settings.service.name
        if is_own:
            steps = ()
        try:
            if key_needed and access.problem is not None:
                raise SettingsError(access.problem)
            headers, hidden = access.headers(service, needed=key_needed)
        except SettingsError as error:
            if is_own:
                raise
            raise SettingsError(f"{service.name}{_asked_by(steps)}: {error}") from None
        return replace(
            self._endpoint(service, access, key_needed=key_needed, steps=steps),
            name=None if is_own else service.name,
            user_id=self.user_id,
            extra_headers=headers,
            hidden=hidden,
            may_leave_out=self._may_leave_out(service),
        )

    def _access(self, service: Profile) -> Access:
        settings = self.settings
        if settings.base_url is not None and service.name == settings.service.name:
            return self.keyring.of(service, settings.api_key_env or GENERIC_KEY_ENV)
        return self.keyring.of(service, service.key_env)

    def _endpoint(
        self, service: Profile, access: Access, *, key_needed: bool, steps: Sequence[str]
    ) -> Endpoint:
        settings = self.settings
        if settings.base_url is not None and service.name == settings.service.name:
            name = settings.api_key_env or GENERIC_KEY_ENV
            key = access.keys.get(name)
            if key is None and settings.api_key_env is not None and key_needed:
                raise SettingsError(
                    f"the variable {name} (from api_key_env) is not set, neither here nor in .env"
                )
            return base_url_endpoint(
                settings.base_url, api_key=key, key_env=name, form=service.form
            )
        if endpoint_identity(service) == MOCK.name:
            return profile_endpoint(service, api_key=MOCK_KEY)
        key = access.keys.get(service.key_env) if service.key_env else None
        if key is None and service.key_env and key_needed and self._wants_key(service):
            raise SettingsError(_no_key(service, steps))
        return profile_endpoint(service, api_key=key)

    def _wants_key(self, service: Profile) -> bool:
        """Return whether a key is missed where there is none.

        It is at a hosted service, and at a server of one's own for which the user names a variable.
        """
        table = self.settings.endpoints.get(service.name)
        is_named = table is not None and table.api_key_env is not None
        if service.name == self.settings.service.name:
            is_named = is_named or parse_overrides(self.settings.overrides).api_key_env is not None
        return service.hosted or is_named

    def _may_leave_out(self, service: Profile) -> frozenset[str]:
        """Return the fields that are left out where the server refuses them.

        What a user set himself is none of these.
        """
        settings, switch = self.settings, service.form.thinking
        chosen = [
            settings.thinking,
            settings.effort,
            *(table.thinking for table in settings.steps.values()),
        ]
        if switch in _LEFT_OUT and all(one is None for one in chosen):
            return frozenset({"stream_options", _LEFT_OUT[switch]})
        return frozenset({"stream_options"})

    def among_several(self) -> Loaded:
        """Return the same for a run that asks several endpoints.

        The limits of the own one's table are then not the run's.
        """
        if self.own_in_flight is None:
            return self
        everywhere = Settings.model_fields["in_flight"].default
        return replace(self, settings=self.settings.model_copy(update={"in_flight": everywhere}))

    def limits_at(self, name: str = "") -> Limits:
        """Return the limits of one endpoint of several.

        They are those of its table, within the run's calls in flight.
        """
        settings = self.settings
        run = settings.limits()
        if settings.service_at(name).name == settings.service.name:
            return replace(run, in_flight=_least(run.in_flight, self.own_in_flight))
        limits = replace(run, requests_per_minute=None, tokens_per_minute=None)
        table = settings.endpoints.get(name)
        if table is None:
            return limits
        return replace(
            limits,
            in_flight=_least(run.in_flight, table.in_flight),
            requests_per_minute=table.rpm,
            tokens_per_minute=table.tpm,
        )


def _no_key(service: Profile, steps: Sequence[str]) -> str:
    if not steps:
        return (
            f"no key for {service.name}: set {service.key_env} in the environment or in a file .env"
            " here, or try --endpoint mock, which needs none"
        )
    where = f"{service.name}{_asked_by(steps)}"
    return f"no key for {where}: set {service.key_env} in the environment or in a file .env here"


def _asked_by(steps: Sequence[str]) -> str:
    """`, which step decompose asks`."""
    if not steps:
        return ""
    if len(steps) == 1:
        return f", which step {steps[0]} asks"
    return f", which the steps {', '.join(steps)} ask"


def _least(most: int, own: int | None) -> int:
    return most if own is None else min(most, own)
