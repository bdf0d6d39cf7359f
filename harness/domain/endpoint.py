"""Who answers: an endpoint, its identity, and its keys.

A profile's key belongs to the profile's own hosts: whoever is reached by a bare base URL never sees it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from harness.domain.base_url import credentials, normalized_base_url
from harness.domain.profiles import CapField, Dialect, Profile, profile_of
from harness.domain.redaction import PieceRedactor
from harness.domain.secret import Secret

GENERIC_KEY_ENV = "HARNESS_API_KEY"
"""The variable that holds the key for a bare base URL, unless the user names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Everything needed to reach one endpoint.

    `identity` is what a request's cache key knows. `base_url` is normalized and free of credentials. `api_key` is sent
    as a bearer token; `basic_auth` (`user:password`, from the base URL) only where there is no key; neither: no
    Authorization header at all. `key_env` is named in the message when the key is refused. DeepSeek keeps a prefix
    cache of its own for each `user_id`; in other dialects it is not sent.
    """

    identity: str
    base_url: str
    api_key: Secret | None = None
    basic_auth: Secret | None = None
    dialect: Dialect = "openai"
    cap_field: CapField = "max_tokens"
    key_env: str | None = None
    user_id: str | None = None

    @property
    def authorization(self) -> Secret | None:
        """The value of the Authorization header, or None for no header."""
        if self.api_key is not None:
            return Secret(f"Bearer {self.api_key.reveal()}")
        if self.basic_auth is not None:
            return Secret("Basic " + base64.b64encode(self.basic_auth.reveal().encode()).decode())
        return None

    def redact(self, text: str) -> str:
        """`text` without any of this endpoint's secrets."""
        for secret in self._secrets():
            text = secret.redact(text)
        return text

    def piece_redactor(self) -> PieceRedactor:
        """The same for a text that comes in pieces."""
        return PieceRedactor(self.redact, [spelling for secret in self._secrets() for spelling in secret.spellings()])

    def _secrets(self) -> tuple[Secret, ...]:
        return tuple(secret for secret in (self.api_key, self.basic_auth) if secret is not None)


def profile_endpoint(profile: Profile, *, api_key: Secret | None) -> Endpoint:
    """A known service, reached at its own base URL."""
    return Endpoint(
        identity=profile.name,
        base_url=profile.base_url,
        api_key=api_key,
        dialect=profile.dialect,
        cap_field=profile.cap_field,
        key_env=profile.key_env,
    )


def base_url_endpoint(base_url: str, *, api_key: Secret | None, key_env: str = GENERIC_KEY_ENV) -> Endpoint:
    """Any server that speaks the OpenAI protocol. Raises SettingsError if the URL is none."""
    profile = profile_of(base_url)
    return Endpoint(
        identity=endpoint_identity(base_url),
        base_url=normalized_base_url(base_url),
        api_key=api_key,
        basic_auth=credentials(base_url),
        dialect=profile.dialect if profile else "openai",
        cap_field=profile.cap_field if profile else "max_tokens",
        key_env=key_env,
    )


def endpoint_identity(endpoint: Profile | str) -> str:
    """A profile's name, also where its base URL is given; else the normalized base URL. Never holds a credential.

    Raises SettingsError if the URL is none.
    """
    if isinstance(endpoint, Profile):
        return endpoint.name
    profile = profile_of(endpoint)
    return profile.name if profile else normalized_base_url(endpoint)
