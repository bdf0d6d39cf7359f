"""Settings that were brought together, and the endpoint and the one key that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.adapters.toml_lines import place
from harness.domain.endpoint import GENERIC_KEY_ENV, Endpoint, base_url_endpoint, profile_endpoint
from harness.domain.profiles import PROFILES, profile_of
from harness.domain.secret import Secret
from harness.errors import SettingsError
from harness.settings.model import Settings

MOCK_KEY = Secret("sk-of-the-mock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings with the origin of each. `keys` holds at most the one key that belongs to their endpoint.

    `key_problem` is why the key that is there cannot be used. `ignored` are variables that begin like ours and are no
    settings. `user_id` keeps these calls apart from others of the same key, where the provider can.
    """

    settings: Settings
    origins: Mapping[str, str]
    keys: Mapping[str, Secret]
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
        return replace(self._endpoint(key_needed=key_needed), user_id=self.user_id)

    def _endpoint(self, *, key_needed: bool) -> Endpoint:
        settings = self.settings
        if key_needed and self.key_problem is not None:
            raise SettingsError(self.key_problem)
        profile = settings.profile
        if profile is None:
            name = settings.api_key_env or GENERIC_KEY_ENV
            key = self.keys.get(name)
            if key is None and settings.api_key_env is not None and key_needed:
                raise SettingsError(f"the variable {name} (from api_key_env) is not set, neither here nor in .env")
            return base_url_endpoint(settings.base_url or "", api_key=key, key_env=name)
        if profile.name == "mock":
            return profile_endpoint(profile, api_key=MOCK_KEY)
        key = self.keys.get(profile.key_env) if profile.key_env else None
        if key is None and profile.key_env and key_needed:
            raise SettingsError(
                f"no key for {profile.name}: set {profile.key_env} in the environment or in a file .env here, "
                "or try --endpoint mock, which needs none"
            )
        return profile_endpoint(profile, api_key=key)


def key_variable(settings: Settings) -> str | None:
    """The variable of the one key that these settings may send, or None where none is sent."""
    profile = settings.profile
    return settings.api_key_env or GENERIC_KEY_ENV if profile is None else profile.key_env


def find_key(settings: Settings, env: Mapping[str, str]) -> tuple[Mapping[str, Secret], str | None]:
    """That key, by its variable, and what is wrong with it, which never shows it."""
    name = key_variable(settings)
    if name is None or not env.get(name, "").strip():
        return {}, None
    owner = next((profile for profile in PROFILES.values() if profile.key_env == name), None)
    if settings.base_url is not None and owner is not None and profile_of(settings.base_url) is not owner:
        return {}, (
            f"api_key_env = {name}: that key is {owner.name}'s and is never sent to another host; use --endpoint "
            f"{owner.name}, or put the key of the server into a variable of its own"
        )
    try:
        return {name: Secret(env[name])}, None
    except SettingsError as error:
        return {}, f"${name}: {error}"
