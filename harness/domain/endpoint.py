"""An endpoint, its identity, and its keys.

A profile's key belongs to the profile's own hosts: whoever is reached by a bare base URL never sees
it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.domain.base_url import credentials, normalized_base_url
from harness.domain.profiles import Profile, profile_of
from harness.domain.redaction import PieceRedactor
from harness.domain.request_form import OPENAI_FORM, RequestForm
from harness.domain.secret import Secret

GENERIC_KEY_ENV = "HARNESS_API_KEY"
"""The variable that holds the key for a bare base URL, unless the user names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Everything needed to reach one endpoint.

    `identity` is what a request's cache key knows. `name` is what the settings call it, where it is
    not the run's own. `base_url` is normalized and free of credentials. `api_key` is sent as a
    bearer token; `basic_auth` (`user:password`, from the base URL) only where there is no key;
    neither: no Authorization header at all. `key_env` is named in the message when the key is
    refused. `form` is how requests are written for it. `extra_headers` are sent too, `hidden` is
    what of them must not be shown. DeepSeek keeps a prefix cache of its own for each `user_id`; in
    other dialects it is not sent. `may_leave_out` are the fields without which it is asked again
    where it refuses them.
    """

    identity: str
    base_url: str
    name: str | None = None
    api_key: Secret | None = None
    basic_auth: Secret | None = None
    form: RequestForm = OPENAI_FORM
    key_env: str | None = None
    user_id: str | None = None
    extra_headers: Mapping[str, Secret] = field(default_factory=dict)
    hidden: tuple[Secret, ...] = ()
    may_leave_out: frozenset[str] = frozenset({"stream_options"})

    @property
    def authorization(self) -> Secret | None:
        """The value of the Authorization header, or None for no header."""
        if self.api_key is not None:
            return Secret(f"Bearer {self.api_key.reveal()}")
        if self.basic_auth is not None:
            return Secret("Basic " + base64.b64encode(self.basic_auth.reveal().encode()).decode())
        return None

    def headers(self) -> dict[str, str]:
        """All headers that say who asks, revealed; a user's own Authorization rules over ours."""
        found: dict[str, str] = {}
        if self.authorization is not None:
            found["Authorization"] = self.authorization.reveal()
        for name, value in self.extra_headers.items():
            if name.lower() == "authorization":
                name = "Authorization"  # noqa: PLW2901 - one spelling, so that it takes the place of ours
            found[name] = value.reveal()
        return found

    def redact(self, text: str) -> str:
        """`text` without any of this endpoint's secrets."""
        for secret in self._secrets():
            text = secret.redact(text)
        return text

    def piece_redactor(self) -> PieceRedactor:
        """The same for a text that comes in pieces."""
        spellings: list[str] = []
        for secret in self._secrets():
            spellings += secret.spellings()
        return PieceRedactor(self.redact, spellings)

    def _secrets(self) -> tuple[Secret, ...]:
        return tuple(
            secret for secret in (self.api_key, self.basic_auth, *self.hidden) if secret is not None
        )


def profile_endpoint(profile: Profile, *, api_key: Secret | None) -> Endpoint:
    """An endpoint with a name, reached at its own base URL. Raises SettingsError if that is
    none.
    """
    return Endpoint(
        identity=endpoint_identity(profile),
        base_url=normalized_base_url(profile.base_url),
        api_key=api_key,
        form=profile.form,
        key_env=profile.key_env,
    )


def base_url_endpoint(
    base_url: str,
    *,
    api_key: Secret | None,
    key_env: str = GENERIC_KEY_ENV,
    form: RequestForm | None = None,
) -> Endpoint:
    """Any server that speaks the OpenAI protocol, in the form of a known service where it is one.

    Raises SettingsError if the URL is none.
    """
    if form is None:
        profile = profile_of(base_url)
        form = OPENAI_FORM if profile is None else profile.form
    return Endpoint(
        identity=endpoint_identity(base_url),
        base_url=normalized_base_url(base_url),
        api_key=api_key,
        basic_auth=credentials(base_url),
        form=form,
        key_env=key_env,
    )


def endpoint_identity(endpoint: Profile | str) -> str:
    """Return the identity of an endpoint: its normalized address, or the name that it is keyed by.

    Never holds a credential. Raises SettingsError if the URL is none.
    """
    base_url = endpoint.base_url if isinstance(endpoint, Profile) else endpoint
    profile = profile_of(base_url)
    if profile is not None and profile.keyed_by_name:
        return profile.name
    return normalized_base_url(base_url)
