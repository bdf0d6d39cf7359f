"""Settings from flags, the environment and TOML files, checked, with the origin of each value.

A flag rules over the environment (`HARNESS_IN_FLIGHT=8`), which rules over the file (`--config FILE`, else
`harness.toml` in the working directory), which rules over the default. This is the only module that reads the
environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness.adapters.toml_tables import StepTable, complaint, read_toml, suggestion
from harness.domain.completion import Effort
from harness.domain.endpoint import (
    GENERIC_KEY_ENV,
    PROFILES,
    Endpoint,
    Profile,
    Secret,
    base_url_endpoint,
    profile_endpoint,
    resolve_model,
)
from harness.domain.options import StepOptions
from harness.domain.policy import Budget, CacheMode, CachePolicy, Limits, RetryPolicy, Timeouts
from harness.domain.pricing import DEEPSEEK_PRICES, Pricing, Rates, flat_price
from harness.errors import SettingsError

DEFAULT_FILE = "harness.toml"
ENV_PREFIX = "HARNESS_"
_OWN_VARIABLES = frozenset({GENERIC_KEY_ENV, "HARNESS_CONFIG"})
MOCK_KEY = Secret("sk-of-the-mock")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration_s(value: Any) -> Any:
    """Seconds from `90`, `90s`, `15m`, `12h`, `7d` or `2w`; anything else is left for the type check to refuse."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", value)):
        return float(match[1]) * _UNITS[match[2] or "s"]
    return value


def _on_off(value: Any) -> Any:
    return {"on": True, "off": False}.get(value.lower(), value) if isinstance(value, str) else value


Whole = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, BeforeValidator(duration_s), Field(gt=0, le=31_536_000)]
OnOff = Annotated[bool, BeforeValidator(_on_off)]


class PriceTable(BaseModel):
    """USD per million tokens of a model that the built-in table does not know."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached_input: Annotated[float, Field(ge=0)] | None = None

    def rates(self) -> Rates:
        cached = self.input if self.cached_input is None else self.cached_input
        return Rates(cached_input=cached, input=self.input, output=self.output)


class Settings(BaseModel):
    """Every setting of a run. The descriptions are the help texts of the flags."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    workflow: str = Field("research", description="Built-in name, module:function, or path.py:function.")
    prompts: Path | None = Field(None, description="TOML file of prompts, in place of the workflow's own.")

    endpoint: str | None = Field(None, description="Profile: deepseek, openai or mock.  [default: deepseek]")
    base_url: str | None = Field(None, description="Any OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
    api_key_env: str | None = Field(
        None, description="Variable with the key for --base-url.  [default: HARNESS_API_KEY]"
    )
    model: Annotated[str, Field(min_length=1)] | None = Field(None, description="Model name.  [default: the profile's]")
    thinking: OnOff | None = Field(None, description="Reasoning on or off, where a step does not say.")
    effort: Effort | None = Field(None, description="Reasoning effort: none, low, high, max.")
    stream: bool = Field(True, description="Stream answers, or take them whole.")

    topic_field: str = Field("topic", description="Field of the dataset that holds the topic.")
    id_field: str = Field("id", description="Field of the dataset that holds the id.")
    limit: Whole | None = Field(None, description="Only the first N topics (after --filter and --shuffle).")
    shuffle: Annotated[int, Field(ge=0)] | None = Field(None, description="Seed of a random order of the topics.")
    filter: tuple[str, ...] = Field((), description="Only topics with FIELD=VALUE, != or ~ (contains); may repeat.")
    skip_bad: bool = Field(False, description="Record bad lines as failed rows and go on.")

    cache: Path = Field(Path(".harness/cache.db"), description="Cache file.")
    cache_mode: CacheMode = Field("read_write", description="off, read_write, refresh or replay.")
    ttl: Seconds | None = Field(None, description="Cached answers older than this (90s, 12h, 7d) are asked again.")
    out: Path | None = Field(None, description="Results directory.  [default: results/<time>-<dataset>]")

    in_flight: Whole = Field(64, description="Calls in flight in all.")
    per_run: Whole = Field(8, description="Calls in flight of one workflow run.")
    runs: Whole = Field(32, description="Workflow runs open at once.")
    rpm: Whole | None = Field(None, description="Requests per minute.")
    tpm: Annotated[int, Field(ge=1)] | None = Field(None, description="Tokens per minute.")
    max_calls: Whole = Field(200, description="Calls that one topic may make.")
    attempts: Annotated[int, Field(ge=1, le=6)] = Field(5, description="Requests for one call, 1 to 6.")
    connect_timeout: Seconds = Field(10.0, description="Seconds to connect.")
    idle_timeout: Seconds = Field(300.0, description="Seconds of silence before a call is given up.")
    total_timeout: Seconds = Field(1800.0, description="Seconds for one request in all.")
    drain_timeout: Seconds = Field(8.0, description="Seconds for calls in flight to finish after Ctrl-C.")

    budget: Annotated[float, Field(gt=0)] | None = Field(None, description="Most USD the run may spend.")
    budget_tokens: Annotated[int, Field(ge=1)] | None = Field(None, description="Most tokens the run may use.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Seed of the mock and of backoff.")
    latency: str = Field("none", description="Latency of the mock, such as fixed:0.2 or uniform:8:12.")

    faults: str = Field("none", description="Faults of the mock: a share such as 0.05, or KIND=SHARE,….")

    yes: bool = Field(False, description="Do not ask.")
    json_output: bool = Field(False, alias="json", description="Print JSON for machines.")
    quiet: bool = Field(False, description="No progress.")
    verbose: bool = Field(False, description="Log each attempt.")

    steps: dict[str, StepTable] = Field(default_factory=dict)
    workflow_settings: dict[str, Any] = Field(default_factory=dict)
    prices: dict[str, PriceTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if self.base_url is not None and self.endpoint is not None:
            raise ValueError("endpoint and base_url exclude each other: a profile's key is never sent to another host")
        if self.api_key_env is not None and self.base_url is None:
            raise ValueError("api_key_env goes with base_url: a profile names its own variable")
        if self.endpoint is not None and self.endpoint not in PROFILES:
            raise ValueError(f"endpoint {self.endpoint!r} is not known{suggestion(self.endpoint, PROFILES)}")
        return self

    @property
    def profile(self) -> Profile | None:
        """The known service that answers, or None for a bare base URL."""
        return None if self.base_url is not None else PROFILES[self.endpoint or "deepseek"]

    @property
    def is_mock(self) -> bool:
        return self.profile is not None and self.profile.name == "mock"

    def limits(self) -> Limits:
        return Limits(
            in_flight=self.in_flight,
            per_run=self.per_run,
            runs=self.runs,
            requests_per_minute=self.rpm,
            tokens_per_minute=self.tpm,
            max_calls_per_topic=self.max_calls,
        )

    def retry(self) -> RetryPolicy:
        return RetryPolicy(attempts=self.attempts)

    def timeouts(self) -> Timeouts:
        return Timeouts(connect_s=self.connect_timeout, idle_s=self.idle_timeout, total_s=self.total_timeout)

    def cache_policy(self) -> CachePolicy:
        return CachePolicy(mode=self.cache_mode, ttl_s=self.ttl)

    def spending_cap(self) -> Budget:
        return Budget(cost=self.budget, tokens=self.budget_tokens)

    def defaults(self) -> StepOptions:
        """What rules where a step chooses nothing, withdrawn model names resolved. Raises SettingsError."""
        model = resolve_model(self.profile, self.model)
        thinking = self.thinking if self.thinking is not None else model.thinking
        return StepOptions(model=model.model, thinking=thinking, effort=self.effort, stream=self.stream)

    def model_note(self) -> str | None:
        """One line for the user where the model is not the one they named."""
        return resolve_model(self.profile, self.model).note if self.model is not None else None

    def pricing(self) -> Pricing:
        """The provider's table for DeepSeek and the mock, with what the user's table [prices] adds or replaces."""
        known = DEEPSEEK_PRICES if self.profile is not None and self.profile.dialect == "deepseek" else {}
        own = {model: flat_price(table.rates()) for model, table in self.prices.items()}
        return Pricing(prices={**known, **own})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings with the origin of each, and the keys that were found, which are no settings."""

    settings: Settings
    origins: Mapping[str, str]
    keys: Mapping[str, Secret]

    def endpoint(self, *, key_needed: bool = True) -> Endpoint:
        """Where calls go, with the key that belongs there. Raises SettingsError if a profile's key is missing."""
        settings = self.settings
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


def load_settings(
    flags: Mapping[str, Any],
    *,
    config: Path | None = None,
    base: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Bring all sources together. `flags` are those that were given; `base` is what a run that is continued began with.

    Raises SettingsError with one line for each thing wrong.
    """
    env = os.environ if environ is None else environ
    dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(field_names(), "default")

    def take(source: str, chosen: Mapping[str, Any]) -> None:
        for name, value in chosen.items():
            values[name] = value
            origins[name] = source

    if base is not None:
        take("the run", base)
    else:
        file = _settings_file(config, env)
        if file is not None:
            take(str(file), _from_file(file))
        take_env = _from_environment(env)
        for name, (variable, value) in take_env.items():
            take(f"${variable}", {name: value})
    for name, value in flags.items():
        take(f"--{name.replace('_', '-')}", {name: value})
    return Loaded(settings=_validated(values, origins), origins=origins, keys=_keys({**dotenv, **env}, values))


def field_names() -> tuple[str, ...]:
    """All settings as they are called in a file."""
    return tuple(field.alias or name for name, field in Settings.model_fields.items())


def _settings_file(config: Path | None, env: Mapping[str, str]) -> Path | None:
    named = config or (Path(env["HARNESS_CONFIG"]) if env.get("HARNESS_CONFIG") else None)
    if named is not None:
        return named
    default = Path(DEFAULT_FILE)
    return default if default.is_file() else None


def _from_file(path: Path) -> dict[str, Any]:
    tables, _ = read_toml(path, SettingsError)
    values: dict[str, Any] = {}
    for name, value in tables.items():
        plain = name.replace("-", "_")
        if plain == "workflow" and isinstance(value, dict):
            # In a file, `workflow = "…"` names it and [workflow] holds its settings; TOML allows one of the two.
            values.update({"workflow": value.pop("name")} if "name" in value else {})
            values["workflow_settings"] = value
        elif plain not in field_names() or plain == "workflow_settings":
            raise SettingsError(f"{path}: unknown setting {name!r}{suggestion(plain, field_names())}")
        else:
            values[plain] = value
    return values


def _from_environment(env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    scalars = [name for name in field_names() if name not in {"steps", "prices", "workflow_settings", "filter"}]
    for variable, value in env.items():
        if not variable.startswith(ENV_PREFIX) or variable in _OWN_VARIABLES:
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name in scalars:
            found[name] = (variable, value)
        elif near := difflib.get_close_matches(name, scalars, n=1, cutoff=0.8):
            # Others use this prefix too; only what looks like a slip of ours is an error.
            raise SettingsError(f"${variable}: unknown setting; did you mean ${ENV_PREFIX}{near[0].upper()}?")
    return found


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as invalid:
        raise SettingsError("\n".join(_finding(detail, origins) for detail in invalid.errors())) from None


def _finding(detail: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    if not detail["loc"]:
        return str(detail["ctx"]["error"])
    name = str(detail["loc"][0])
    known = StepTable.model_fields if name == "steps" else field_names()
    return complaint(origins.get(name, "settings"), detail, known)


def _keys(env: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Secret]:
    """The keys that a run could need, by the name of their variable; nothing else of the environment is kept."""
    names = {profile.key_env for profile in PROFILES.values() if profile.key_env} | {GENERIC_KEY_ENV}
    chosen = values.get("api_key_env")
    if isinstance(chosen, str):
        names.add(chosen)
    return {name: Secret(env[name]) for name in names if env.get(name, "").strip()}
