"""Who answers: profiles and withdrawn model names as data, the identity of an endpoint, and its key as a secret.

A profile's key belongs to the profile's own hosts: whoever is reached by a bare base URL never sees it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from harness.domain.redaction import PieceRedactor
from harness.errors import SettingsError

Dialect = Literal["deepseek", "openai"]
CapField = Literal["max_tokens", "max_completion_tokens"]

GENERIC_KEY_ENV = "HARNESS_API_KEY"
"""The variable that holds the key for a bare base URL, unless the user names another."""

MASK = "***"
_SHORTEST_SECRET = 4  # shorter ones are dummies for local servers; masking them would only garble messages
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Secret:
    """A key that does not show: `str`, `repr` and format give `***`. Surrounding white space is not part of it.

    Raises SettingsError, without showing the value, if it is empty or holds what no HTTP header can carry.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        stripped = value.strip()
        if not stripped:
            raise SettingsError("the API key is blank: unset it, or give the whole key")
        if not (stripped.isascii() and stripped.isprintable()):
            raise SettingsError("the API key holds a character that no HTTP header can carry: copy it again")
        self._value = stripped

    def reveal(self) -> str:
        """The value itself, for the Authorization header and nothing else."""
        return self._value

    def redact(self, text: str) -> str:
        """`text` with every spelling of the secret (plain, JSON-escaped, percent-encoded, base64) masked."""
        for spelling in self.spellings():
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def spellings(self) -> tuple[str, ...]:
        """What `redact` masks, for who sees a text in pieces."""
        # "user:password" is also told by its password alone.
        told = (self._value, self._value.partition(":")[2])
        return tuple(spelling for value in told if len(value) >= _SHORTEST_SECRET for spelling in _spelled(value))

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not stored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An endpoint that is known by name.

    `key_env` names the variable of its key; None: it takes no key. `equivalents` are other base URLs of the same
    service. `default_model` None: the user must choose. `cap_field` is how it wants the cap on output tokens called.
    """

    name: str
    base_url: str
    key_env: str | None
    dialect: Dialect
    default_model: str | None = None
    equivalents: tuple[str, ...] = ()
    cap_field: CapField = "max_tokens"


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="deepseek",
            base_url="https://api.deepseek.com",
            equivalents=("https://api.deepseek.com/v1",),
            key_env="DEEPSEEK_API_KEY",
            dialect="deepseek",
            default_model="deepseek-flash",
        ),
        Profile(
            name="openai",
            base_url="https://api.openai.com/v1",
            key_env="OPENAI_API_KEY",
            dialect="openai",
            # OpenAI's reasoning models refuse `max_tokens`; other servers may not know the newer name.
            cap_field="max_completion_tokens",
        ),
        Profile(
            # In-process: the URL only has to look like one, and `.invalid` never resolves (RFC 2606).
            name="mock",
            base_url="http://mock.invalid",
            key_env=None,
            dialect="deepseek",
            default_model="deepseek-flash",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAlias:
    """A model name that its provider changed. `thinking` None: the alias says nothing about it."""

    dialect: Dialect
    name: str
    model: str
    thinking: bool | None
    since: date
    withdrawn: bool


MODEL_ALIASES: tuple[ModelAlias, ...] = (
    ModelAlias(
        dialect="deepseek",
        name="deepseek-reasoner",
        model="deepseek-flash",
        thinking=True,
        since=date(2026, 7, 24),
        withdrawn=True,
    ),
    ModelAlias(
        dialect="deepseek",
        name="deepseek-chat",
        model="deepseek-flash",
        thinking=False,
        since=date(2026, 7, 24),
        withdrawn=True,
    ),
    ModelAlias(
        dialect="deepseek",
        name="deepseek-v4-flash",
        model="deepseek-flash",
        thinking=None,
        since=date(2026, 9, 10),
        withdrawn=False,
    ),
)


class ResolvedModel(NamedTuple):
    """Today's name of a model. `note` is one line for the user, where the name is not what they wrote."""

    model: str
    thinking: bool | None = None
    note: str | None = None


def resolve_model(profile: Profile | None, name: str | None) -> ResolvedModel:
    """Today's name for what the user asked for. `profile` None: a bare base URL, whose names are taken as they are.

    Raises SettingsError if no name is given and the endpoint has no default.
    """
    if name is None:
        if profile is None or profile.default_model is None:
            where = f"endpoint {profile.name}" if profile else "a base URL"
            raise SettingsError(f"{where} has no default model: give one with --model NAME")
        return ResolvedModel(profile.default_model)
    alias = next((a for a in MODEL_ALIASES if profile and a.dialect == profile.dialect and a.name == name), None)
    if alias is None:
        return ResolvedModel(name)
    fate = "was withdrawn by the provider" if alias.withdrawn else "is served as a newer model"
    mode = {True: " with thinking on", False: " with thinking off", None: ""}[alias.thinking]
    return ResolvedModel(alias.model, alias.thinking, f"{name} {fate} ({alias.since}): using {alias.model}{mode}")


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
        basic_auth=_userinfo(base_url),
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


def profile_of(base_url: str) -> Profile | None:
    """The profile whose service is reached at this base URL. Raises SettingsError if the URL is none."""
    normalized = normalized_base_url(base_url)
    return next((p for p in PROFILES.values() if normalized in (p.base_url, *p.equivalents)), None)


def normalized_base_url(base_url: str) -> str:
    """One spelling per server: scheme and host in lower case, no default port, no trailing slash, no credentials.

    Raises SettingsError, which shows no credential, for what is not an http(s) URL of a server and a path.
    """
    parts = _split(base_url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _spelled(value: str) -> tuple[str, ...]:
    return (
        value,
        json.dumps(value)[1:-1],
        quote(value, safe=""),
        base64.b64encode(value.encode()).decode(),
    )


def _userinfo(base_url: str) -> Secret | None:
    parts = _split(base_url)
    if not (parts.username or parts.password):
        return None
    return Secret(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}")


def _split(base_url: str) -> SplitResult:
    # The messages never repeat the URL: a key may stand in it.
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        raise SettingsError("the base URL cannot be read: write it like https://host:8000/v1") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise SettingsError("the base URL must be like https://host:8000/v1, with http or https and a host")
    if parts.query or parts.fragment:
        raise SettingsError(f"the base URL of {parts.hostname} must end with its path: no `?…` and no `#…`")
    if any(character.isspace() or not character.isprintable() for character in parts.netloc + parts.path):
        raise SettingsError("the base URL holds white space or a control character")
    return parts
