"""The settings as keyword arguments of `harness.run`, `harness.ask` and the fixture `replay`, with their types.

Written by `python -m harness.settings.write_keywords > harness/settings/keywords.py`; a test checks that it
is current. None stands for a setting that is not given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Required, TypedDict


class PriceSettings(TypedDict, total=False):
    """Prices of one model, in USD per million tokens."""

    input: Required[float]
    output: Required[float]
    cached_input: float | None


class StepSettings(TypedDict, total=False):
    """Options of one step of the workflow."""

    endpoint: str | None
    model: str | None
    thinking: bool | None
    effort: Literal["none", "low", "high", "max"] | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stream: bool | None
    seed: int | None
    logprobs: int | None
    service_tier: str | None
    presence_penalty: float | None
    frequency_penalty: float | None
    extra_body: dict[str, Any] | None


class EndpointSettings(TypedDict, total=False):
    """One endpoint of your own, or a known one with changes."""

    like: str | None
    """The known endpoint whose fields rule where this table says nothing."""
    base_url: str | None
    """Where it is reached, such as http://gpu1:8000/v1."""
    api_key_env: str | None
    """The variable that holds its key."""
    model: str | None
    """The model where no setting names one."""
    dialect: Literal["deepseek", "openai"] | None
    """`deepseek` or `openai`: what the other fields begin with, and whether a `user_id` is sent."""
    thinking: (
        Literal[
            "thinking",
            "reasoning_effort",
            "enable_thinking",
            "reasoning",
            "chat_template_kwargs",
            "chat_template_kwargs.thinking",
            "none",
        ]
        | None
    )
    """The field that turns reasoning on and off; `none`: there is none."""
    efforts: dict[Literal["none", "low", "high", "max", "on"], str] | None
    """
    Its words for our efforts in `reasoning_effort`; `on` is its word for thinking that is on where that field is the
    switch.
    """
    cap: Literal["max_tokens", "max_completion_tokens"] | None
    """How it calls the cap on output tokens."""
    seed: Literal["seed", "random_seed"] | None
    """How it calls the seed of a request."""
    stream_options: bool | None
    """Whether it may be asked to count the tokens of a stream (`stream_options`)."""
    structured: Literal["json_schema", "json_object", "text"] | None
    """The strictest way to ask it for JSON. Where it knows no schema, the schema is put into words."""
    reasoning_back: Literal["reasoning_content", "reasoning", "none"] | None
    """The field in which a request with tools brings the reasoning of earlier turns back."""
    logprobs: Literal["flag", "number"] | None
    """
    How it is asked for likelihoods of tokens: `flag`, `logprobs: true` beside `top_logprobs`; or `number`, `logprobs:
    3`.
    """
    in_flight: int | None
    """Calls in flight, where no setting says how many."""
    rpm: int | None
    """Requests per minute, where no setting says how many."""
    tpm: int | None
    """Tokens per minute, where no setting says how many."""
    extra_body: dict[str, Any] | None
    """Fields that are added to each request. They are part of its key."""
    extra_headers: dict[str, str] | None
    """
    Headers of each request: `$NAME` in a value stands for a variable, and a secret must be one. They are no part of its
    key.
    """
    aliases: dict[str, str] | None
    """Names of models with the name that answers to them, where it is another: those of a proxy, or of a deployment."""
    prices: dict[str, PriceSettings] | None
    """USD per million tokens by model, as in [prices]."""


class CallSettings(TypedDict, total=False):
    """Settings of one call."""

    endpoint: str | None
    """
    A known endpoint, such as deepseek, openai, openrouter, vllm, ollama or mock, or one of your tables
    [endpoints.NAME]; docs/endpoints.md has them all. [default: deepseek]
    """
    base_url: str | None
    """Any other OpenAI-compatible server, such as http://127.0.0.1:8000/v1."""
    api_key_env: str | None
    """Variable that holds the key for --base-url. [default: HARNESS_API_KEY]"""
    dialect: Literal["deepseek", "openai"] | None
    """How requests are written: deepseek or openai. [default: the endpoint's, else openai]"""
    set: str | list[str] | tuple[str, ...] | None
    """
    Mend a field of the endpoint, such as endpoint.cap=max_tokens or endpoint.thinking=enable_thinking; repeatable.
    """
    model: str | None
    """Model. [default: the endpoint's]"""
    thinking: bool | None
    """Reasoning, where a step does not say."""
    effort: Literal["none", "low", "high", "max"] | None
    """How much reasoning, where a step does not say."""
    stream: bool | None
    """Answers as they are written, or with --no-stream each as a whole."""
    cache: str | Path | None
    """The cache file."""
    cache_mode: Literal["off", "read_write", "refresh", "replay"] | None
    """refresh asks again, replay answers from the cache or fails, off does neither."""
    ttl: float | str | None
    """Ask again what was answered longer ago than 90s, 15m, 12h, 7d or 2w."""
    attempts: int | None
    """Requests for one call, the first included, 1 to 6."""
    patience: float | str | None
    """
    How long one outage of the provider is waited out: 90s, 15m, 6h. After that the run stops and can be resumed. 0 does
    not wait: each call then fails after its attempts. [default: 6h]
    """
    connect_timeout: float | str | None
    """To connect."""
    first_token_timeout: float | str | None
    """For a server to begin its answer; signs of life start this time anew."""
    idle_timeout: float | str | None
    """Between two tokens of an answer that has begun; keep-alives do not count."""
    total_timeout: float | str | None
    """For one request in all."""
    budget: float | None
    """The most that the run may spend, in USD."""
    budget_tokens: int | None
    """The most tokens that the run may use."""
    latency: str | None
    """fixed:S, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA or per-token:FIRST:EACH."""
    faults: str | None
    """
    Share of requests that fail, 0.05; or by name, 429-tpm=0.1; or how a server answers them all, think-tags: `harness
    mock forms` lists the names.
    """
    seed: int | None
    """Seed of its answers and faults, and of the jitter between attempts."""
    json: bool | None
    """Print JSON for machines."""
    quiet: bool | None
    """Show no progress."""
    verbose: bool | None
    """Log each topic, and each attempt that failed."""
    log_format: Literal["text", "json"] | None
    """Of log lines. [default: text on a terminal, else json]"""
    log_level: str | list[str] | tuple[str, ...] | None
    """LEVEL, or CONCERN=LEVEL for run, call, retry, limit, cache or telemetry; repeatable."""
    log_file: str | Path | None
    """Append the log lines to FILE, as JSON; warnings are still shown."""
    transport: Literal["aiohttp", "httpx2"] | None
    """What sends requests: aiohttp, or httpx2, which is slower and which respx can intercept."""
    prices: dict[str, PriceSettings] | None
    endpoints: dict[str, EndpointSettings] | None


class RunSettings(CallSettings, total=False):
    """Settings of a run: all but its workflow."""

    prompts: str | Path | None
    """Prompts (TOML) in place of the workflow's own."""
    topic_field: str | None
    """Field that holds the topic."""
    id_field: str | None
    """Field that holds the id."""
    filter: str | list[str] | tuple[str, ...] | None
    """Only topics with FIELD=VALUE, FIELD!=VALUE or FIELD~PART; repeatable."""
    shuffle: int | None
    """Random order, the same for the same seed."""
    limit: int | None
    """Only the first N of the topics that are left."""
    samples: int | None
    """Draws of each topic, each asked anew."""
    skip_bad: bool | None
    """Skip bad lines instead of refusing the file."""
    in_flight: int | None
    """Calls in flight in all."""
    per_run: int | None
    """Calls in flight of one topic."""
    runs: int | None
    """Topics worked on at once. [default: twice --in-flight]"""
    rpm: int | None
    """Requests per minute."""
    tpm: int | None
    """Tokens per minute."""
    max_calls: int | None
    """Calls that one topic may make."""
    max_depth: int | None
    """How deep a workflow may nest steps within steps."""
    max_failures: int | Literal["off"] | None
    """
    Stop after N failures of one kind in a row before anything succeeded: the same exception of the workflow, or the
    same refusal of the provider; or off.
    """
    drain_timeout: float | str | None
    """After Ctrl-C, for calls in flight to finish and be stored."""
    budget_reserve: Literal["strict", "likely"] | None
    """
    What is held back for a call in flight: the most that it can cost, so that no cap is ever passed; or, likely, what
    its step's answers have cost so far and half as much again, which is faster.
    """
    run_calls: int | None
    """The most requests that the run may send, retries included."""
    topic_budget: float | None
    """The most that one topic may spend in a session, in USD; beyond it the topic fails."""
    topic_budget_tokens: int | None
    """The most tokens that one topic may use in a session."""
    out: str | Path | None
    """Results directory; the same again continues it. [default: results/<time>]"""
    yes: bool | None
    """Do not ask before a run that costs money; needed where there is no terminal and no budget."""
    otlp: str | None
    """Send OpenTelemetry spans and metrics to http://127.0.0.1:4318, say."""
    otlp_content: bool | None
    """Send prompts, reasoning, answers and messages, too."""
    steps: dict[str, StepSettings] | None
    workflow_settings: dict[str, Any] | None
