"""Services that are known by name, and model names that their providers changed: as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from harness.domain.base_url import normalized_base_url
from harness.errors import SettingsError

Dialect = Literal["deepseek", "openai"]
CapField = Literal["max_tokens", "max_completion_tokens"]


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


def profile_of(base_url: str) -> Profile | None:
    """The profile whose service is reached at this base URL. Raises SettingsError if the URL is none."""
    normalized = normalized_base_url(base_url)
    return next((p for p in PROFILES.values() if normalized in (p.base_url, *p.equivalents)), None)
