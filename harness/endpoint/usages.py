"""Tokens and cost as servers tell them, wherever they put them.

What is read, and who has it so: docs/servers.md. A count that is no number is not told.
"""

from __future__ import annotations

import math
from dataclasses import replace

from harness.domain.completion import Usage
from harness.endpoint.error_report import plain_name
from harness.endpoint.fields import object_of
from harness.endpoint.foreign_json import JsonObject

# Names are read as words: `promptTokenCount` is `prompt_token_count`.
_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count", "input_token_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count", "output_token_count")
_TOTAL = ("total_tokens", "total_token_count")
_INPUT_DETAILS = (
    *(
        "prompt_tokens_details",
        "input_tokens_details",
        "prompt_token_details",
        "input_token_details",
    ),
)
_OUTPUT_DETAILS = (
    *(
        "completion_tokens_details",
        "output_tokens_details",
        "completion_token_details",
        "output_token_details",
    ),
)
_CACHED = (
    *("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
    *("num_cached_tokens", "cached_content_token_count"),  # Mistral, Google
)
_CACHED_DETAILS = ("cached_tokens", "cache_read")
_REASONING = ("reasoning_tokens", "thoughts_token_count")
_REASONING_DETAILS = ("reasoning_tokens", "thinking_tokens", "reasoning")
_COST = ("cost", "total_cost", "estimated_cost", "cost_usd")
_DOLLARS = frozenset({"usd", "$", "us$"})
_TICKS_A_DOLLAR = 10_000_000_000  # xAI's `cost_in_usd_ticks`


def usage_of(fields: object) -> Usage | None:
    """The tokens of a usage object, or None where it tells none."""
    if not isinstance(fields, dict) or not fields:
        return None
    if "prompt_tokens" not in fields:
        fields = {plain_name(name): value for name, value in fields.items()}
    given, written, total = _first(fields, _INPUT), _first(fields, _OUTPUT), _first(fields, _TOTAL)
    cached = (
        _first(fields, _CACHED[:1])
        or _detail(fields, _INPUT_DETAILS, _CACHED_DETAILS)
        or _first(fields, _CACHED)
    )
    reasoning = _detail(fields, _OUTPUT_DETAILS, _REASONING_DETAILS) or _first(fields, _REASONING)
    if _counts_its_cache_apart(fields):
        given += cached + _first(fields, ("cache_creation_input_tokens",))
    if written and not given:
        given = max(total - written, 0)
    written += _beside(given, written, reasoning, total=total)
    return Usage(
        input_tokens=given,
        output_tokens=written,
        reasoning_tokens=min(reasoning, written),
        cached_tokens=min(cached, given),
    )


def is_of_the_gateway(fields: JsonObject) -> bool:
    """Return whether litellm counted by itself.

    Then it tells the text of the answer apart, and of the prompt nothing.
    """
    written = object_of(fields, "completion_tokens_details")
    return "text_tokens" in written and not fields.get("prompt_tokens_details")


def timings_of(fields: object) -> Usage | None:
    """Return the tokens that llama.cpp's server tells with its times, or None.

    It sends the times whether or not it is asked for usage.
    """
    if not isinstance(fields, dict):
        return None
    cached, written = _first(fields, ("cache_n",)), _first(fields, ("predicted_n",))
    if not written:
        return None
    given = _first(fields, ("prompt_n",)) + cached
    return Usage(input_tokens=given, output_tokens=written, cached_tokens=cached)


def merged(earlier: Usage | None, later: Usage) -> Usage:
    """Merge two usages of one answer: the later rules, but a zero takes nothing back."""
    if earlier is None:
        return later
    return replace(
        earlier,
        input_tokens=later.input_tokens or earlier.input_tokens,
        output_tokens=later.output_tokens or earlier.output_tokens,
        reasoning_tokens=later.reasoning_tokens or earlier.reasoning_tokens,
        cached_tokens=later.cached_tokens or earlier.cached_tokens,
    )


def cost_of(fields: object) -> float | None:
    """Return the cost of the answer in USD, as the server tells it, or None."""
    if not isinstance(fields, dict):
        return None
    ticks = amount_of(fields.get("cost_in_usd_ticks"))
    if ticks is not None:
        return ticks / _TICKS_A_DOLLAR
    for name in _COST:
        value: object = fields.get(name)
        told_in = fields  # the object in which its currency stands
        if isinstance(value, dict):  # Perplexity's costs are an object
            told_in = value
            value = value.get("total_cost")
        cost = amount_of(value)
        if cost is not None and _in_dollars(told_in):
            return cost + _paid_elsewhere(fields)
    return None


def _in_dollars(fields: JsonObject) -> bool:
    """Return whether a cost is one in USD, as all are that do not name another currency."""
    currency = fields.get("currency")
    return not isinstance(currency, str) or currency.strip().lower() in _DOLLARS


def amount_of(value: object) -> float | None:
    """A number that is no less than zero; None for anything else."""
    amount = number_of(value)
    if amount is None or amount < 0 or math.isinf(amount):
        return None
    return amount


def number_of(value: object) -> float | None:
    """A number, which may be infinite or written as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return None if math.isnan(number) else number


def _paid_elsewhere(usage: JsonObject) -> float:
    """Return what OpenRouter's `cost` leaves out with a key of one's own.

    The cost is then its fee, and the provider's bill comes on top.
    """
    if usage.get("is_byok") is not True:
        return 0.0
    return amount_of(object_of(usage, "cost_details").get("upstream_inference_cost")) or 0.0


def _counts_its_cache_apart(usage: JsonObject) -> bool:
    """Return whether the input tokens leave out what was read from the cache, as Anthropic
    counts.
    """
    return "prompt_tokens" not in usage and "cache_read_input_tokens" in usage


def _beside(given: int, written: int, reasoning: int, *, total: int) -> int:
    """Output tokens that are told apart from the completion's, and belong to it.

    xAI counts reasoning beside the completion, and only the total says so. Google's total holds
    thinking that no other field names. Reasoning that is more than the completion cannot be a part
    of it (Perplexity).
    """
    rest = 0
    if total and given:
        rest = total - given - written
    if reasoning:
        if rest == reasoning or reasoning > written:
            return reasoning
        return 0
    return max(rest, 0)


def _detail(usage: JsonObject, objects: tuple[str, ...], names: tuple[str, ...]) -> int:
    for details in objects:
        count = _first(object_of(usage, details), names)
        if count:
            return count
    return 0


def _first(usage: JsonObject, names: tuple[str, ...]) -> int:
    """Return the first of these counts that is more than nothing, or 0."""
    for name in names:
        value = usage.get(name)
        count = _count(value) if value else 0
        if count:
            return count
    return 0


def _count(value: object) -> int:
    """A count of tokens; a whole number may be written as 100.0."""
    if type(value) is int:
        return value if 0 <= value < 2**53 else 0
    amount = amount_of(value)
    if amount is None or amount >= 2**53:
        return 0
    return int(amount)
