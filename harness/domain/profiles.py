"""Services that are known by name, and model names that their providers changed: as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from harness.domain.base_url import normalized_base_url
from harness.domain.completion import Json
from harness.domain.known_endpoints import KNOWN, Known
from harness.domain.request_form import DEEPSEEK_FORM, OPENAI_FORM, Dialect, RequestForm
from harness.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An endpoint with a name: a known service, a known kind of server, or one of the user's own.

    `key_env` names the variable of its key; None: it takes no key. `form` is how requests are
    written for it, `form_of` the known endpoint whose form that was before it was changed; None:
    that of any server. `hosted`: it has hosts of its own, which are those of `base_url` and of
    `equivalents`, it wants its key, and its key is sent nowhere else. `default_model` None: the
    user must choose. `keyed_by_name`: its name, and not its address, stands in the keys of its
    answers. `aliases` are names of models with what answers to them. `extra_body` is added to each
    request, `extra_headers` are sent with it; in their values `$NAME` stands for a variable.
    """

    name: str
    base_url: str
    key_env: str | None
    form: RequestForm = OPENAI_FORM
    form_of: str | None = None
    hosted: bool = True
    default_model: str | None = None
    equivalents: tuple[str, ...] = ()
    keyed_by_name: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.base_url, *self.equivalents)


_FORM_FIELDS = (
    "thinking",
    "efforts",
    "cap",
    "seed",
    "stream_options",
    "structured",
    "reasoning_back",
    "logprobs",
)


def _profile_from(known: Known) -> Profile:
    facts: dict[str, Any] = {name: value for name, (value, _) in known.facts.items()}
    form_fields = {name: facts[name] for name in _FORM_FIELDS if name in facts}
    dialect: Dialect = facts.get("dialect", "openai")
    # Efforts that no source names are not known: better an error than a word that the server does
    # not have.
    form = RequestForm(**{"dialect": dialect, "efforts": {}, **form_fields})
    return Profile(
        name=known.name,
        base_url=normalized_base_url(facts["base_url"]),
        key_env=facts["api_key_env"],
        form=form,
        form_of=known.name,
        hosted=known.hosted,
        default_model=known.default_model,
        equivalents=known.hosts,
        keyed_by_name=known.keyed_by_name,
        aliases=facts.get("aliases", {}),
    )


MOCK = Profile(
    # In-process: the URL only has to look like one, and `.invalid` never resolves (RFC 2606).
    name="mock",
    base_url="http://mock.invalid",
    key_env=None,
    form=DEEPSEEK_FORM,
    form_of="mock",
    default_model="deepseek-flash",
    keyed_by_name=True,
)
PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (*map(_profile_from, KNOWN), MOCK)
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
    """Today's name of a model.

    `note` is one line for the user, where the name is not what they wrote.
    """

    model: str
    thinking: bool | None = None
    note: str | None = None


def resolve_model(profile: Profile | None, name: str | None) -> ResolvedModel:
    """Today's name for what the user asked for.

    `profile` None: a bare base URL, whose names are taken as they are. Raises SettingsError if no
    name is given and the endpoint has no default.
    """
    if name is None:
        if profile is None:
            raise SettingsError("a base URL has no default model: give one with --model NAME")
        if profile.default_model is None:
            raise SettingsError(
                f"endpoint {profile.name} has no default model: give one with --model NAME"
            )
        return ResolvedModel(profile.default_model)
    # Another server may serve a model of that very name.
    if profile is not None and profile.keyed_by_name:
        dialect = profile.form.dialect
    else:
        dialect = None
    for alias in MODEL_ALIASES:
        if alias.dialect == dialect and alias.name == name:
            return _renamed(alias)
    return ResolvedModel(name)


def _renamed(alias: ModelAlias) -> ResolvedModel:
    if alias.withdrawn:
        fate = "was withdrawn by the provider"
    else:
        fate = "is served as a newer model"
    mode = {True: " with thinking on", False: " with thinking off", None: ""}[alias.thinking]
    note = f"{alias.name} {fate} ({alias.since}): using {alias.model}{mode}"
    return ResolvedModel(alias.model, alias.thinking, note)


def profile_of(base_url: str) -> Profile | None:
    """Return the profile whose service is reached at this base URL.

    A server of one's own, which may be anything, has none. Raises SettingsError if the URL is none.
    """
    normalized = normalized_base_url(base_url)
    return next((one for one in PROFILES.values() if one.hosted and normalized in one.urls), None)


def form_mark(service: Profile) -> Mapping[str, Json]:
    """Return what of an endpoint's form differs from that of its address; mostly nothing.

    Its answers depend on it, so it is a part of their keys. The standard is the form of the service
    at that address, or for any other address OpenAI's. How a stream's tokens are asked for changes
    no answer, so it is not in it.
    """
    at_its_address = profile_of(service.base_url)
    standard = None if at_its_address is None else at_its_address.name
    if service.form_of is None:
        base = OPENAI_FORM
    else:
        base = PROFILES[service.form_of].form
    mark: dict[str, Json] = {}
    if service.form_of != standard:
        mark["like"] = service.form_of or "any"
    for name in ("dialect", *_FORM_FIELDS):
        value = getattr(service.form, name)
        if name != "stream_options" and value != getattr(base, name):
            mark[name] = dict(value) if isinstance(value, Mapping) else value
    return mark


def owner_of_key(variable: str) -> Profile | None:
    """The service whose key is in this variable."""
    return next((one for one in PROFILES.values() if one.hosted and one.key_env == variable), None)
