"""Every setting, with its kind, its default, its meaning and its section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from harness.domain.completion import Effort
from harness.domain.endpoint import endpoint_identity
from harness.domain.policy import (
    EQUAL_FAILURES,
    Budget,
    CacheMode,
    CachePolicy,
    Carrier,
    Limits,
    OutagePolicy,
    Reserve,
    RetryPolicy,
    Timeouts,
)
from harness.domain.pricing import DEEPSEEK_PRICES, Price, Pricing, flat_price
from harness.domain.profiles import PROFILES, Profile, ResolvedModel, resolve_model
from harness.domain.request_form import Dialect
from harness.domain.step_options import StepOptions
from harness.errors import SettingsError
from harness.settings.endpoints import EndpointTable, PriceTable, named, parse_overrides, service_of
from harness.settings.kinds import (
    Attempts,
    BaseUrl,
    CollectorUrl,
    Dollars,
    FaultRates,
    LatencyModel,
    LogFormat,
    LogLevels,
    OnOff,
    Overrides,
    Seconds,
    SecondsOrZero,
    Seed,
    Texts,
    WholeOrOff,
)
from harness.settings.scalars import Many, Name, Whole
from harness.settings.toml_tables import StepTable, suggestion

SECTIONS = (
    "Workflow",
    "Endpoint",
    "Dataset",
    "Cache",
    "Limits",
    "Time-outs",
    "Budget",
    "Mock",
    "Output",
    "Telemetry",
)


def _setting(
    default: Any, section: str, description: str, *, metavar: str = "N", alias: str | None = None
) -> Any:
    return Field(
        default,
        description=description,
        alias=alias,
        json_schema_extra={"section": section, "metavar": metavar},
    )


class Settings(BaseModel):
    """Every setting of a run.

    The descriptions are the help texts of the flags and of docs/settings.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    workflow: Name = _setting(
        "research",
        "Workflow",
        "Run this workflow: research, or your own as module:function or path.py:function.",
        metavar="NAME",
    )
    prompts: Path | None = _setting(
        None,
        "Workflow",
        "Read the prompts from this TOML file in place of the workflow's own.",
        metavar="FILE",
    )

    endpoint: Name | None = _setting(
        None,
        "Endpoint",
        "Ask this endpoint: a known one, such as deepseek, openai, openrouter, vllm, ollama or "
        "mock, or one of your "
        "tables [endpoints.NAME]; docs/endpoints.md lists the known ones.  [default: deepseek]",
        metavar="NAME",
    )
    base_url: BaseUrl | None = _setting(
        None,
        "Endpoint",
        "Ask any other OpenAI-compatible server, such as http://127.0.0.1:8000/v1.",
        metavar="URL",
    )
    api_key_env: Name | None = _setting(
        None,
        "Endpoint",
        "Take the key for --base-url from this environment variable.  [default: HARNESS_API_KEY]",
        metavar="VAR",
    )
    dialect: Dialect | None = _setting(
        None,
        "Endpoint",
        "Write requests in this dialect: deepseek or openai.  [default: the endpoint's, else"
        " openai]",
    )
    overrides: Overrides = _setting(
        (),
        "Endpoint",
        "Change a field of the endpoint's description, such as endpoint.cap=max_tokens or "
        "endpoint.thinking=enable_thinking; "
        "repeatable.",
        metavar="endpoint.FIELD=VALUE",
        alias="set",
    )
    model: Name | None = _setting(
        None, "Endpoint", "Ask this model.  [default: the endpoint's]", metavar="NAME"
    )
    thinking: OnOff | None = _setting(
        None,
        "Endpoint",
        "Turn the model's reasoning on or off, unless a step says otherwise.",
        metavar="[on|off]",
    )
    effort: Effort | None = _setting(
        None, "Endpoint", "Set how much the model reasons, unless a step says otherwise."
    )
    stream: OnOff = _setting(
        True,
        "Endpoint",
        "Receive answers while they are written; --no-stream receives each as a whole.",
    )
    transport: Carrier = _setting(
        "aiohttp",
        "Endpoint",
        "Send requests with this library: aiohttp; httpx2, which is slower and can be intercepted"
        " by respx; or the openai SDK, which is slower still and can be watched by what"
        " instruments it.",
    )

    topic_field: Name = _setting(
        "topic", "Dataset", "Read the topic from this field of each line.", metavar="FIELD"
    )
    id_field: Name = _setting(
        "id", "Dataset", "Read the id of a topic from this field of each line.", metavar="FIELD"
    )
    filter: Texts = _setting(
        (),
        "Dataset",
        "Run only topics with FIELD=VALUE, FIELD!=VALUE or FIELD~PART (contains); repeatable.",
        metavar="EXPR",
    )
    shuffle: Seed | None = _setting(
        None,
        "Dataset",
        "Run the topics in a random order, which is the same for the same seed.",
        metavar="SEED",
    )
    limit: Many | None = _setting(
        None, "Dataset", "Run only the first N topics, after filters and shuffling."
    )
    samples: Whole = _setting(
        1, "Dataset", "Run each topic N times, with answers of its own each time."
    )
    skip_bad: OnOff = _setting(False, "Dataset", "Skip bad lines instead of refusing the file.")

    cache: Path = _setting(
        Path(".harness/cache.db"), "Cache", "Keep answers in this cache file.", metavar="FILE"
    )
    cache_mode: CacheMode = _setting(
        "read_write",
        "Cache",
        "Use the cache so: read_write reads and stores, refresh asks anew and stores, replay only "
        "reads and fails on a "
        "miss, off does neither.",
    )
    ttl: Seconds | None = _setting(
        None,
        "Cache",
        "Ask again if the stored answer is older than this, such as 90s, 15m, 12h, 7d or 2w.",
        metavar="AGE",
    )

    in_flight: Whole = _setting(64, "Limits", "Have at most N calls in flight at once.")
    per_run: Whole = _setting(8, "Limits", "Have at most N calls of one topic in flight at once.")
    runs: Whole | None = _setting(
        None, "Limits", "Work on at most N topics at once.  [default: twice --in-flight]"
    )
    rpm: Whole | None = _setting(None, "Limits", "Send at most N requests a minute.")
    tpm: Many | None = _setting(None, "Limits", "Use at most N tokens a minute.")
    max_calls: Whole = _setting(200, "Limits", "Let one topic make at most N calls.")
    max_depth: Whole = _setting(
        8, "Limits", "Let a workflow nest steps within steps at most N deep."
    )
    attempts: Attempts = _setting(
        5, "Limits", "Try each call at most N times, the first included, 1 to 6."
    )

    patience: SecondsOrZero = _setting(
        6 * 3600.0,
        "Limits",
        "Wait so long for one outage of the provider to end: 90s, 15m, 6h. Then the run stops and "
        "can be resumed. "
        "With 0 it does not wait, and each call fails after its attempts.  [default: 6h]",
        metavar="AGE",
    )
    max_failures: WholeOrOff = _setting(
        EQUAL_FAILURES,
        "Limits",
        "Stop after N failures of one kind in a row if nothing has succeeded yet: the same "
        "exception of the workflow, "
        "or the same refusal of the provider; off never stops for this.",
        metavar="[N|off]",
    )

    connect_timeout: Seconds = _setting(
        10.0, "Time-outs", "Wait at most S seconds for a connection.", metavar="S"
    )
    first_token_timeout: Seconds = _setting(
        600.0,
        "Time-outs",
        "Wait at most S seconds for the first token of an answer; signs of life from the server"
        " start the time anew.",
        metavar="S",
    )
    idle_timeout: Seconds = _setting(
        90.0,
        "Time-outs",
        "Wait at most S seconds between two tokens of an answer; keep-alives do not count as"
        " tokens.",
        metavar="S",
    )
    total_timeout: Seconds = _setting(
        1800.0, "Time-outs", "Let one request take at most S seconds in all.", metavar="S"
    )
    drain_timeout: Seconds = _setting(
        8.0,
        "Time-outs",
        "After Ctrl-C, wait at most S seconds for calls in flight to finish and be stored.",
        metavar="S",
    )

    budget: Dollars | None = _setting(
        None, "Budget", "Spend at most this many US dollars in the run.", metavar="USD"
    )
    budget_tokens: Many | None = _setting(None, "Budget", "Use at most N tokens in the run.")
    budget_reserve: Reserve = _setting(
        "strict",
        "Budget",
        "Reserve this much of the budget for a call in flight: strict, the most that it can cost, "
        "so that the budget is "
        "never passed; or likely, what almost all answers of its step have cost so far and half "
        "as much again, which "
        "keeps more calls in flight.",
    )
    run_calls: Many | None = _setting(
        None, "Budget", "Send at most N requests in the run, retries included."
    )
    topic_budget: Dollars | None = _setting(
        None,
        "Budget",
        "Spend at most this many US dollars on one topic in a session; then the topic fails.",
        metavar="USD",
    )
    topic_budget_tokens: Many | None = _setting(
        None, "Budget", "Use at most N tokens on one topic in a session; then the topic fails."
    )

    latency: LatencyModel = _setting(
        "none",
        "Mock",
        "Let the mock's answers take this many seconds: fixed:S, uniform:LOW:HIGH, "
        "lognormal:MEDIAN:SIGMA or "
        "per-token:FIRST:EACH.",
        metavar="MODEL",
    )
    faults: FaultRates = _setting(
        "none",
        "Mock",
        "Let the mock fail: a share of all requests (0.05), a share for one fault (429-tpm=0.1), "
        "or a manner in which "
        "it answers every request (think-tags); `harness mock forms` lists the names.",
        metavar="WHAT",
    )
    seed: Seed = _setting(
        0,
        "Mock",
        "Draw the mock's answers and faults, and the jitter between attempts, from this seed.",
    )

    out: Path | None = _setting(
        None,
        "Output",
        "Write the results into this directory; given again, it continues the run there.  [default:"
        " results/<time>]",
        metavar="DIR",
    )
    yes: OnOff = _setting(
        False,
        "Output",
        "Begin without asking, even if the run costs money; needed where there is no terminal and"
        " no budget.",
    )
    json_output: OnOff = _setting(
        False, "Output", "Print the result as JSON, for other programs.", alias="json"
    )
    quiet: OnOff = _setting(False, "Output", "Show no progress.")
    verbose: OnOff = _setting(False, "Output", "Log each topic and each failed attempt.")

    otlp: CollectorUrl | None = _setting(
        None,
        "Telemetry",
        "Send OpenTelemetry spans and metrics to this collector, such as http://127.0.0.1:4318.",
        metavar="URL",
    )
    otlp_content: OnOff = _setting(
        False,
        "Telemetry",
        "Send the texts of prompts, reasoning, answers and messages to the collector as well.",
    )
    log_format: LogFormat | None = _setting(
        None,
        "Telemetry",
        "Write log lines as text or as JSON.  [default: text on a terminal, else json]",
    )
    log_level: LogLevels = _setting(
        (),
        "Telemetry",
        "Log at this level, or with CONCERN=LEVEL only one of run, call, retry, limit, cache and "
        "telemetry; repeatable.",
        metavar="LEVEL",
    )
    log_file: Path | None = _setting(
        None,
        "Telemetry",
        "Append the log lines to FILE, as JSON; warnings are still shown.",
        metavar="FILE",
    )

    steps: dict[str, StepTable] = Field(default_factory=dict)
    workflow_settings: dict[str, Any] = Field(default_factory=dict)
    prices: dict[Annotated[str, Field(min_length=1)], PriceTable] = Field(default_factory=dict)
    endpoints: dict[
        Annotated[str, Field(min_length=1, pattern="^[A-Za-z0-9_.-]+$")], EndpointTable
    ] = Field(default_factory=dict)

    @property
    def service(self) -> Profile:
        """Return the profile of the endpoint that answers, with the user's changes to it.

        Raises SettingsError for an endpoint that is not known.
        """
        return service_of(
            self.endpoint,
            self.base_url,
            tables=self.endpoints,
            dialect=self.dialect,
            overrides=parse_overrides(self.overrides),
        )

    @property
    def aliases(self) -> Mapping[str, str]:
        """Names of models at any of the endpoints, with what answers to them.

        Those of the run's own rule.
        """
        found: dict[str, str] = {}
        for name in self.endpoints:
            found.update(named(name, self.endpoints).aliases)
        return {**found, **self.service.aliases}

    def service_at(self, name: str) -> Profile:
        """Return the endpoint of this name, "" for the run's own.

        Only the run's own may be changed by the command line. Raises SettingsError, with the
        nearest name, for one that is not known.
        """
        own = self.service
        if name in ("", own.name):
            return own
        if name not in PROFILES and name not in self.endpoints:
            raise SettingsError(
                f"no such endpoint: {name}{suggestion(name, [*PROFILES, *self.endpoints])}"
            )
        return named(name, self.endpoints)

    @property
    def profile(self) -> Profile | None:
        """The endpoint that was chosen by its name, or None for a bare base URL."""
        if self.base_url is not None:
            return None
        return self.service

    @property
    def is_mock(self) -> bool:
        return self.profile is not None and endpoint_identity(self.profile) == "mock"

    def limits(self) -> Limits:
        return Limits(
            in_flight=self.in_flight,
            per_run=self.per_run,
            runs=self.runs,
            requests_per_minute=self.rpm,
            tokens_per_minute=self.tpm,
            max_calls_per_topic=self.max_calls,
            max_depth=self.max_depth,
        )

    def equal_failures(self) -> int | None:
        """After how many equal failures in a row, with no success before, the run is stopped.

        None: never.
        """
        if isinstance(self.max_failures, int):
            return self.max_failures
        return None

    def retry(self) -> RetryPolicy:
        return RetryPolicy(attempts=self.attempts)

    def outages(self) -> OutagePolicy:
        return OutagePolicy(patience_s=self.patience, alike_at_most=self.equal_failures())

    def timeouts(self) -> Timeouts:
        return Timeouts(
            connect_s=self.connect_timeout,
            first_token_s=self.first_token_timeout,
            idle_s=self.idle_timeout,
            total_s=self.total_timeout,
        )

    def cache_policy(self) -> CachePolicy:
        return CachePolicy(mode=self.cache_mode, ttl_s=self.ttl)

    def spending_cap(self) -> Budget:
        return Budget(cost=self.budget, tokens=self.budget_tokens, calls=self.run_calls)

    def topic_cap(self) -> Budget:
        return Budget(cost=self.topic_budget, tokens=self.topic_budget_tokens)

    def defaults(self, endpoint: str = "") -> StepOptions:
        """Return the options of a step that chooses none and asks this endpoint.

        Withdrawn model names are resolved. Only the run's own endpoint, "", must have a model:
        elsewhere a step may name its own. Raises SettingsError.
        """
        service = self.service_at(endpoint)
        resolved = self._default_model(service)
        model = thinking = None
        if resolved is not None:
            model, thinking = resolved.model, resolved.thinking
        if self.thinking is not None:
            thinking = self.thinking
        return StepOptions(
            endpoint=service.name,
            model=model,
            thinking=thinking,
            effort=self.effort,
            stream=self.stream,
            extra_body=service.extra_body,
        )

    def _default_model(self, service: Profile) -> ResolvedModel | None:
        """Return the model that is asked of an endpoint by default, or None where it may have
        none.
        """
        if service.name == self.service.name:
            profile = service if self.base_url is None else None
            return resolve_model(profile, self.model or service.default_model)
        if service.default_model is None:
            return None
        return resolve_model(service, service.default_model)

    def model_note(self) -> str | None:
        """One line for the user where the model is not the one they named."""
        if self.model is None:
            return None
        return resolve_model(self.profile, self.model).note

    def pricing(self) -> Pricing:
        """Return the prices at all endpoints: the provider's table, with the user's tables over it.

        [prices] are those of the run's own endpoint; another has those of its table.
        """
        identity = endpoint_identity(self.base_url or self.service)
        prices: dict[str, tuple[Price, ...]] = {}
        if self.profile is not None:
            prices |= _known_rows(identity)
            prices |= self._own_rows(self.endpoint or "")
        for model, table in self.prices.items():
            prices[model] = flat_price(table.rates())
        elsewhere: dict[str, Pricing] = {}
        for name in (*PROFILES, *self.endpoints):
            there = endpoint_identity(named(name, self.endpoints))
            if there != identity:
                elsewhere[there] = self._prices_at(name, there, elsewhere.get(there, Pricing()))
        return Pricing(prices=prices, aliases=self.service.aliases, elsewhere=elsewhere)

    def _prices_at(self, name: str, identity: str, others: Pricing) -> Pricing:
        """The prices of an endpoint of this name, with those of others that are the same server."""
        return Pricing(
            prices={**_known_rows(identity), **others.prices, **self._own_rows(name)},
            aliases={**others.aliases, **named(name, self.endpoints).aliases},
        )

    def _own_rows(self, name: str) -> dict[str, tuple[Price, ...]]:
        """The prices in the table of the endpoint of this name."""
        table = self.endpoints.get(name)
        return {} if table is None else table.price_rows()


_PRICED = ("deepseek", "mock")


def _known_rows(identity: str) -> Mapping[str, tuple[Price, ...]]:
    """The provider's own prices, where this is its server or the mock of it."""
    return DEEPSEEK_PRICES if identity in _PRICED else {}


TABLES = ("steps", "workflow_settings", "prices", "endpoints")
"""The settings that are tables: a file has them, a flag and a variable do not."""

CALL_FLAGS = (
    *(
        "endpoint",
        "base_url",
        "api_key_env",
        "dialect",
        "overrides",
        "model",
        "thinking",
        "effort",
        "stream",
    ),
    *("cache", "cache_mode", "ttl", "attempts", "patience"),
    *("connect_timeout", "first_token_timeout", "idle_timeout", "total_timeout"),
    *("budget", "budget_tokens", "latency", "faults", "seed", "json_output", "quiet", "verbose"),
    *("log_format", "log_level", "log_file"),
)
"""The settings that `harness ask` has as flags, by the names of their fields."""

CALL_SETTINGS = (*CALL_FLAGS, "transport", "prices", "endpoints")
"""All settings that mean something for one call."""


def field_names() -> tuple[str, ...]:
    """All settings as they are called in a file."""
    return tuple(field.alias or name for name, field in Settings.model_fields.items())


def scalar_names() -> tuple[str, ...]:
    """Those that are one value, and so have a flag and a variable."""
    return tuple(name for name in field_names() if name not in TABLES)


_HINTS = get_type_hints(Settings, include_extras=True)
_KINDS = {field.alias or name: _HINTS[name] for name, field in Settings.model_fields.items()}


def kind_of(name: str) -> Any:
    """The annotation of a setting, by its name in a file."""
    return _KINDS[name]
