"""Settings that were brought together, and the endpoint and the one key that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.adapters.toml_lines import place
from harness.domain.base_url import normalized_base_url
from harness.domain.endpoint import GENERIC_KEY_ENV, Endpoint, base_url_endpoint, profile_endpoint
from harness.domain.extras import filled, variables_in
from harness.domain.profiles import Profile, owner_of_key
from harness.domain.request_form import Switch
from harness.domain.secret import Secret
from harness.errors import SettingsError
from harness.settings.model import Settings

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
    """Settings with the origin of each. `keys` holds at most the one key that belongs to their endpoint.

    `header_values` are the variables that its own headers name. `key_problem` is why a key that is there cannot be
    used. `ignored` are variables that begin like ours and are no settings. `user_id` keeps these calls apart from
    others of the same key, where the provider can.
    """

    settings: Settings
    origins: Mapping[str, str]
    keys: Mapping[str, Secret]
    header_values: Mapping[str, Secret] = field(default_factory=dict)
    key_problem: str | None = None
    ignored: tuple[str, ...] = ()
    user_id: str | None = None

    def step_places(self) -> dict[str, str]:
        """Where each table [steps.NAME] stands, for messages: `harness.toml:12`, or who else gave it."""
        origin = self.origins.get("steps", "settings")
        try:
            text = Path(origin).read_text(encoding="utf-8-sig")
        except (OSError, ValueError):  # no file; or one that is gone meanwhile
            return dict.fromkeys(self.settings.steps, origin)
        return {name: place(origin, text, ("steps", name)) for name in self.settings.steps}

    def endpoint(self, *, key_needed: bool = True) -> Endpoint:
        """Where calls go, with the key that belongs there. Raises SettingsError if it is needed and there is none."""
        if key_needed and self.key_problem is not None:
            raise SettingsError(self.key_problem)
        service = self.settings.service
        headers, hidden = self._headers(service, key_needed=key_needed)
        return replace(
            self._endpoint(service, key_needed=key_needed),
            user_id=self.user_id,
            extra_headers=headers,
            hidden=hidden,
            may_leave_out=self._may_leave_out(),
        )

    def _endpoint(self, service: Profile, *, key_needed: bool) -> Endpoint:
        settings = self.settings
        if settings.base_url is not None:
            name = settings.api_key_env or GENERIC_KEY_ENV
            key = self.keys.get(name)
            if key is None and settings.api_key_env is not None and key_needed:
                raise SettingsError(f"the variable {name} (from api_key_env) is not set, neither here nor in .env")
            return base_url_endpoint(settings.base_url, api_key=key, key_env=name, form=service.form)
        if service.name == "mock":
            return profile_endpoint(service, api_key=MOCK_KEY)
        key = self.keys.get(service.key_env) if service.key_env else None
        if key is None and service.key_env and service.hosted and key_needed:
            raise SettingsError(
                f"no key for {service.name}: set {service.key_env} in the environment or in a file .env here, "
                "or try --endpoint mock, which needs none"
            )
        return profile_endpoint(service, api_key=key)

    def _headers(self, service: Profile, *, key_needed: bool) -> tuple[dict[str, Secret], tuple[Secret, ...]]:
        """The endpoint's own headers. Where no key is needed, one whose variable is not set is left out."""
        values = {name: secret.reveal() for name, secret in self.header_values.items()}
        headers: dict[str, Secret] = {}
        for name, template in service.extra_headers.items():
            try:
                headers[name] = Secret(filled(template, values))
            except KeyError as missing:
                if key_needed:
                    variable = missing.args[0]
                    raise SettingsError(
                        f"the variable {variable} (from extra_headers.{name}) is not set, neither here nor in .env"
                    ) from None
        return headers, tuple(self.header_values.values())

    def _may_leave_out(self) -> frozenset[str]:
        """The fields that are left out where the server refuses them: what a user set himself is none of these."""
        fields = {"stream_options"}
        settings, switch = self.settings, self.settings.service.form.thinking
        chosen = [settings.thinking, settings.effort, *(table.thinking for table in settings.steps.values())]
        if switch in _LEFT_OUT and all(one is None for one in chosen):
            fields.add(_LEFT_OUT[switch])
        return frozenset(fields)


def key_variable(settings: Settings) -> str | None:
    """The variable of the one key that these settings may send, or None where none is sent."""
    if settings.base_url is not None:
        return settings.api_key_env or GENERIC_KEY_ENV
    return settings.service.key_env


def find_key(settings: Settings, env: Mapping[str, str]) -> tuple[Mapping[str, Secret], str | None]:
    """That key, by its variable, and what is wrong with it, which never shows it."""
    name = key_variable(settings)
    if name is None or not env.get(name, "").strip():
        return {}, None
    if (problem := _foreign(name, settings, "api_key_env")) is not None:
        return {}, problem
    return _secret(name, env)


def find_headers(settings: Settings, env: Mapping[str, str]) -> tuple[Mapping[str, Secret], str | None]:
    """The variables that the endpoint's headers name, as far as they are set, and what is wrong with one of them."""
    found: dict[str, Secret] = {}
    for template in settings.service.extra_headers.values():
        for name in variables_in(template):
            if not env.get(name, "").strip():
                continue
            problem = _foreign(name, settings, "extra_headers")
            secret, unusable = _secret(name, env)
            if problem is not None or unusable is not None:
                return {}, problem or unusable
            found |= secret
    return found, None


def _foreign(variable: str, settings: Settings, setting: str) -> str | None:
    """Why the key in this variable may not go where these settings lead: it is a known service's, at other hosts."""
    owner = owner_of_key(variable)
    if owner is None or normalized_base_url(settings.service.base_url) in owner.urls:
        return None
    return (
        f"{setting} = {variable}: that key is {owner.name}'s and is never sent to another host; use --endpoint "
        f"{owner.name}, or put the key of the server into a variable of its own"
    )


def _secret(variable: str, env: Mapping[str, str]) -> tuple[Mapping[str, Secret], str | None]:
    try:
        return {variable: Secret(env[variable])}, None
    except SettingsError as error:
        return {}, f"${variable}: {error}"
