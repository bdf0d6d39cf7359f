"""The settings as keyword arguments of `harness.run`, `harness.ask` and the fixture `replay`.

Each has its type. Written by `python -m harness.settings.write_keywords >
harness/settings/keywords.py`; a test checks that it is current. None stands for a setting that is
not given.
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
    Its words for our efforts in `reasoning_effort`; `on` is its word for thinking that is on where
    that field is the switch.
    """
    cap: Literal["max_tokens", "max_completion_tokens"] | None
    """How it calls the cap on output tokens."""
    seed: Literal["seed", "random_seed"] | None
    """How it calls the seed of a request."""
    stream_options: bool | None
    """Whether it may be asked to count the tokens of a stream (`stream_options`)."""
    structured: Literal["json_schema", "json_object", "text"] | None
    """
    The strictest way to ask it for JSON. Where it knows no schema, the schema is put into words.
    """
    reasoning_back: Literal["reasoning_content", "reasoning", "none"] | None
    """The field in which a request with tools brings the reasoning of earlier turns back."""
    logprobs: Literal["flag", "number"] | None
    """
    How it is asked for likelihoods of tokens: `flag`, `logprobs: true` beside `top_logprobs`; or
    `number`, `logprobs: 3`.
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
    Headers of each request: `$NAME` in a value stands for a variable, and a secret must be one.
    They are no part of its key.
    """
    aliases: dict[str, str] | None
    """
    Names of models with the name that answers to them, where it is another: those of a proxy, or of
    a deployment.
    """
    prices: dict[str, PriceSettings] | None
    """USD per million tokens by model, as in [prices]."""


class CallSettings(TypedDict, total=False):
    """Settings of one call."""

    endpoint: str | None
    """
    Ask this endpoint: a known one, such as deepseek, openai, openrouter, vllm, ollama or mock, or
    one of your tables [endpoints.NAME]; docs/endpoints.md lists the known ones. [default: deepseek]
    """
    base_url: str | None
    """Ask any other OpenAI-compatible server, such as http://127.0.0.1:8000/v1."""
    api_key_env: str | None
    """Take the key for --base-url from this environment variable. [default: HARNESS_API_KEY]"""
    dialect: Literal["deepseek", "openai"] | None
    """Write requests in this dialect: deepseek or openai. [default: the endpoint's, else openai]"""
    set: str | list[str] | tuple[str, ...] | None
    """
    Change a field of the endpoint's description, such as endpoint.cap=max_tokens or
    endpoint.thinking=enable_thinking; repeatable.
    """
    model: str | None
    """Ask this model. [default: the endpoint's]"""
    thinking: bool | None
    """Turn the model's reasoning on or off, unless a step says otherwise."""
    effort: Literal["none", "low", "high", "max"] | None
    """Set how much the model reasons, unless a step says otherwise."""
    stream: bool | None
    """Receive answers while they are written; --no-stream receives each as a whole."""
    cache: str | Path | None
    """Keep answers in this cache file."""
    cache_mode: Literal["off", "read_write", "refresh", "replay"] | None
    """
    Use the cache so: read_write reads and stores, refresh asks anew and stores, replay only reads
    and fails on a miss, off does neither.
    """
    ttl: float | str | None
    """Ask again if the stored answer is older than this, such as 90s, 15m, 12h, 7d or 2w."""
    attempts: int | None
    """Try each call at most N times, the first included, 1 to 6."""
    patience: float | str | None
    """
    Wait so long for one outage of the provider to end: 90s, 15m, 6h. Then the run stops and can be
    resumed. With 0 it does not wait, and each call fails after its attempts. [default: 6h]
    """
    connect_timeout: float | str | None
    """Wait at most S seconds for a connection."""
    first_token_timeout: float | str | None
    """
    Wait at most S seconds for the first token of an answer; signs of life from the server start the
    time anew.
    """
    idle_timeout: float | str | None
    """
    Wait at most S seconds between two tokens of an answer; keep-alives do not count as tokens.
    """
    total_timeout: float | str | None
    """Let one request take at most S seconds in all."""
    budget: float | None
    """Spend at most this many US dollars in the run."""
    budget_tokens: int | None
    """Use at most N tokens in the run."""
    latency: str | None
    """
    Let the mock's answers take this many seconds: fixed:S, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA
    or per-token:FIRST:EACH.
    """
    faults: str | None
    """
    Let the mock fail: a share of all requests (0.05), a share for one fault (429-tpm=0.1), or a
    manner in which it answers every request (think-tags); `harness mock forms` lists the names.
    """
    seed: int | None
    """Draw the mock's answers and faults, and the jitter between attempts, from this seed."""
    json: bool | None
    """Print the result as JSON, for other programs."""
    quiet: bool | None
    """Show no progress."""
    verbose: bool | None
    """Log each topic and each failed attempt."""
    log_format: Literal["text", "json"] | None
    """Write log lines as text or as JSON. [default: text on a terminal, else json]"""
    log_level: str | list[str] | tuple[str, ...] | None
    """
    Log at this level, or with CONCERN=LEVEL only one of run, call, retry, limit, cache and
    telemetry; repeatable.
    """
    log_file: str | Path | None
    """Append the log lines to FILE, as JSON; warnings are still shown."""
    transport: Literal["aiohttp", "httpx2", "openai"] | None
    """
    Send requests with this library: aiohttp; httpx2, which is slower and can be intercepted by
    respx; or the openai SDK, which is slower still and can be watched by what instruments it.
    """
    prices: dict[str, PriceSettings] | None
    endpoints: dict[str, EndpointSettings] | None


class RunSettings(CallSettings, total=False):
    """Settings of a run: all but its workflow."""

    prompts: str | Path | None
    """Read the prompts from this TOML file in place of the workflow's own."""
    topic_field: str | None
    """Read the topic from this field of each line."""
    id_field: str | None
    """Read the id of a topic from this field of each line."""
    filter: str | list[str] | tuple[str, ...] | None
    """Run only topics with FIELD=VALUE, FIELD!=VALUE or FIELD~PART (contains); repeatable."""
    shuffle: int | None
    """Run the topics in a random order, which is the same for the same seed."""
    limit: int | None
    """Run only the first N topics, after filters and shuffling."""
    samples: int | None
    """Run each topic N times, with answers of its own each time."""
    skip_bad: bool | None
    """Skip bad lines instead of refusing the file."""
    in_flight: int | None
    """Have at most N calls in flight at once."""
    per_run: int | None
    """Have at most N calls of one topic in flight at once."""
    runs: int | None
    """Work on at most N topics at once. [default: twice --in-flight]"""
    rpm: int | None
    """Send at most N requests a minute."""
    tpm: int | None
    """Use at most N tokens a minute."""
    max_calls: int | None
    """Let one topic make at most N calls."""
    max_depth: int | None
    """Let a workflow nest steps within steps at most N deep."""
    max_failures: int | Literal["off"] | None
    """
    Stop after N failures of one kind in a row if nothing has succeeded yet: the same exception of
    the workflow, or the same refusal of the provider; off never stops for this.
    """
    drain_timeout: float | str | None
    """After Ctrl-C, wait at most S seconds for calls in flight to finish and be stored."""
    budget_reserve: Literal["strict", "likely"] | None
    """
    Reserve this much of the budget for a call in flight: strict, the most that it can cost, so that
    the budget is never passed; or likely, what almost all answers of its step have cost so far and
    half as much again, which keeps more calls in flight.
    """
    run_calls: int | None
    """Send at most N requests in the run, retries included."""
    topic_budget: float | None
    """Spend at most this many US dollars on one topic in a session; then the topic fails."""
    topic_budget_tokens: int | None
    """Use at most N tokens on one topic in a session; then the topic fails."""
    out: str | Path | None
    """
    Write the results into this directory; given again, it continues the run there. [default:
    results/<time>]
    """
    yes: bool | None
    """
    Begin without asking, even if the run costs money; needed where there is no terminal and no
    budget.
    """
    otlp: str | None
    """Send OpenTelemetry spans and metrics to this collector, such as http://127.0.0.1:4318."""
    otlp_content: bool | None
    """Send the texts of prompts, reasoning, answers and messages to the collector as well."""
    steps: dict[str, StepSettings] | None
    workflow_settings: dict[str, Any] | None
