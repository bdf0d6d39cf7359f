"""The part of the environment that belongs to one endpoint: its key, and variables in headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.domain.base_url import normalized_base_url
from harness.domain.extras import filled, variables_in
from harness.domain.profiles import Profile, owner_of_key
from harness.domain.secret import Secret
from harness.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The secrets of one endpoint.

    `keys` holds at most the one key that belongs to it, `header_values` the variables of its
    headers.

    `problem` is why one that is there cannot be used; it never shows it.
    """

    keys: Mapping[str, Secret] = field(default_factory=dict)
    header_values: Mapping[str, Secret] = field(default_factory=dict)
    problem: str | None = None

    def headers(
        self, service: Profile, *, needed: bool
    ) -> tuple[dict[str, Secret], tuple[Secret, ...]]:
        """The endpoint's own headers, and what of them is hidden.

        One whose variable is not set is left out, or where all are `needed` a SettingsError.
        """
        values = {name: secret.reveal() for name, secret in self.header_values.items()}
        found: dict[str, Secret] = {}
        for name, template in service.extra_headers.items():
            try:
                found[name] = Secret(filled(template, values))
            except KeyError as missing:
                if needed:
                    variable = missing.args[0]
                    raise SettingsError(
                        f"the variable {variable} (from extra_headers.{name}) is not set, neither"
                        " here nor in .env"
                    ) from None
        return found, tuple(self.header_values.values())


class Keyring:
    """The variables of the environment, and of .env.

    Each endpoint is shown its own, and none of them is printed.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = variables or {}
        self._given: dict[str, Secret] = {}

    def of(self, service: Profile, variable: str | None) -> Access:
        """Return what belongs to this endpoint, whose key is in `variable`."""
        keys, key_problem = self._key(service, variable)
        values, header_problem = self._header_values(service)
        self._given |= {**keys, **values}
        return Access(keys=keys, header_values=values, problem=key_problem or header_problem)

    def redact(self, text: str) -> str:
        """The text without what was given to any endpoint."""
        for secret in self._given.values():
            text = secret.redact(text)
        return text

    def _key(
        self, service: Profile, variable: str | None
    ) -> tuple[Mapping[str, Secret], str | None]:
        if variable is None or not self._is_set(variable):
            return {}, None
        if (problem := _foreign(variable, service, "api_key_env")) is not None:
            return {}, problem
        return self._secret(variable)

    def _header_values(self, service: Profile) -> tuple[Mapping[str, Secret], str | None]:
        found: dict[str, Secret] = {}
        for template in service.extra_headers.values():
            for name in variables_in(template):
                if not self._is_set(name):
                    continue
                problem = _foreign(name, service, "extra_headers")
                secret, unusable = self._secret(name)
                if problem is not None or unusable is not None:
                    return {}, problem or unusable
                found |= secret
        return found, None

    def _is_set(self, variable: str) -> bool:
        return bool(self._variables.get(variable, "").strip())

    def _secret(self, variable: str) -> tuple[Mapping[str, Secret], str | None]:
        try:
            return {variable: Secret(self._variables[variable])}, None
        except SettingsError as error:
            return {}, f"${variable}: {error}"


def _foreign(variable: str, service: Profile, setting: str) -> str | None:
    """Return why the key in this variable may not go to this endpoint, if so.

    Then it is a known service's, at other hosts.
    """
    owner = owner_of_key(variable)
    if owner is None or normalized_base_url(service.base_url) in owner.urls:
        return None
    return (
        f"{setting} = {variable}: that key is {owner.name}'s and is never sent to another host; use"
        f" --endpoint {owner.name}, or put the key of the server into a variable of its own"
    )
