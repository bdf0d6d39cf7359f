"""Finish reasons in the words of any server: one table from their words to what they mean.

A reason is looked up by its letters and digits alone, in any case: `max_tokens`, `MaxTokens` and
`FINISH_REASON_MAX_TOKENS` are one, and `content_filter: PROHIBITED_CONTENT` is found, too. A
comment names who says so. One that is not in the table is judged by a telling word in it, such as
`error`. That way no reason is taken for a whole answer: one that only the table of the whole ones
could tell is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

Finish = Literal[
    "whole", "calls", "length", "filtered", "refused", "interrupted", "looping", "unknown", "untold"
]
"""`looping`: the server stopped a model that repeated itself; `unknown`: no word of this table;
`untold`: no reason.
"""

ACCEPTED_FINISH_REASONS = frozenset({"stop", "tool_calls"})
"""The reasons, in OpenAI's words, of an answer that is complete."""

_WORDS: Mapping[Finish, tuple[str, ...]] = {
    "whole": (
        *("stop", "stop_sequence"),  # OpenAI, DeepSeek; Hugging Face, Anthropic, Cohere
        # Together; Hugging Face; Anthropic, Bedrock; Cohere
        *("eos", "eos_token", "end_turn", "complete"),
        *("eosfound", "stopstringfound", "stop_token", "normal"),  # LM Studio; watsonx; Baidu
        *("completed", "finished", "end", "done"),  # OpenAI's Responses; neighbours of it
        *("stopped", "finish", "stop_criteria_met", "endoftext"),  # Azure; Bedrock's Titan; AI21
        *("end_id", "stop_words", "stop_word", "stop_str"),  # TensorRT-LLM; neighbours of it
        *("stop_token_id", "eos_token_id"),
    ),
    "calls": (
        *("tool_calls", "function_call"),  # OpenAI, DeepSeek
        *("tool_use", "tool_call", "toolcalls"),  # Anthropic, Bedrock; Cohere; LM Studio
    ),
    "length": (
        # OpenAI; Anthropic, Google; Mistral; Responses
        *("length", "max_tokens", "model_length", "max_output_tokens"),
        *("model_context_window_exceeded", "token_limit"),  # Anthropic, Zhipu; watsonx
        # LM Studio; llama.cpp's own API
        *("maxpredictedtokensreached", "contextlengthreached", "limit"),
    ),
    "filtered": (
        # OpenAI, DeepSeek; Bedrock
        *("content_filter", "content_filtered", "guardrail_intervened"),
        # Google
        *(
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "language",
            "image_safety",
        ),
        *("sensitive", "error_toxic"),  # Zhipu, Hunyuan; Cohere
    ),
    "refused": ("refusal",),  # Anthropic, OpenAI's Responses
    "interrupted": (
        *("insufficient_system_resource", "aborted"),  # DeepSeek
        *("abort", "error", "network_error"),  # vLLM, SGLang; OpenRouter, Mistral, Cohere; Zhipu
        *("cancelled", "canceled", "user_cancel", "time_limit", "timeout"),  # watsonx, Cohere
        *("not_finished", "incomplete", "failed"),  # watsonx; Responses; LM Studio
        # LM Studio; Ollama, before its model is there
        *("userstopped", "modelunloaded", "load", "unload"),
        *("pause_turn", "malformed_function_call", "unexpected_tool_call"),  # Anthropic; Google
        # Neighbours of these.
        *("network", "disconnected", "connection_error", "interrupted", "server_error"),
    ),
    "looping": ("repetition",),  # vLLM's loop detector
    "untold": ("null", "none", "unspecified", "finish_reason_unspecified"),  # Alibaba; Google
}
_MEANINGS: Mapping[str, Finish] = {
    word.replace("_", ""): finish for finish, words in _WORDS.items() for word in words
}
# Telling words of a reason that is not in the table, in this order.
_TELLING: Mapping[Finish, re.Pattern[str]] = {
    "filtered": re.compile(
        r"filter|guardrail|moderat|prohibited|safety|unsafe|sensitive|blocked|flagged|violat|harmful|toxic"
    ),
    "looping": re.compile(r"repetit|\bloop"),
    "length": re.compile(
        r"\bmax(?:imum)?(?: \w+){0,2}"
        r" (?:tokens?|len|length|context)\b|\blength\b|\b(?:tokens?|output|context) limit\b"
        r"|\bcontext(?: window| size)?$|^error limit$"  # SenseNova's `context`, Cohere's `ERROR_LIMIT`
    ),
    "interrupted": re.compile(
        r"error|abort|cancel|timed? ?out|time limit|disconnect|interrupt|unavailable|overload|shut"
        r" ?down|preempt|evict"
        r"|fail(?:ed|ure)\b|malformed|connection closed|\bdied\b|killed|rate limit"
    ),
}
_PLAIN: Mapping[Finish, str] = {
    "whole": "stop",
    "calls": "tool_calls",
    "length": "length",
    "filtered": "content_filter",
    "refused": "refusal",
}
_PREFIX = re.compile(r"^(?:finish ?)?reason (?=.)")  # Google's names of its own words, and xAI's
_CAPITAL_INSIDE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
REMEMBERED_LENGTH = 64
"""Longer reasons are told anew each time: a server that makes one up for each answer fills no
memory.
"""
_WORSE: frozenset[Finish] = frozenset({"length", "filtered", "refused", "interrupted", "looping"})


def finish_of(reason: str) -> Finish:
    """Return the meaning of a server's finish reason."""
    # Several fields of each answer are looked at, and they nearly always say the same few words.
    if len(reason) <= REMEMBERED_LENGTH:
        return _remembered(reason)
    return _meaning_of(reason)


def _meaning_of(reason: str) -> Finish:
    words = _words_of(reason)
    if not words:
        return "untold"
    before_colon = _words_of(reason.partition(":")[0])
    for known in (words, before_colon):
        found = _MEANINGS.get(known.replace(" ", ""))
        if found is not None:
            return found
    for finish, telling in _TELLING.items():
        if telling.search(words):
            return finish
    return "unknown"


_remembered = lru_cache(maxsize=256)(_meaning_of)


def plain_reason(reason: str) -> str:
    """The reason in OpenAI's word for it, where there is one; else as the server wrote it."""
    return _PLAIN.get(finish_of(reason), reason.strip())


def truer_reason(told: str, native: str) -> str:
    """Return the one to believe, of a gateway's reason and that of the server behind it.

    A gateway turns a reason that it does not know into `stop`. The server's own counts where it
    says that the answer is not whole.
    """
    hidden = (
        finish_of(told) in ("whole", "calls", "untold", "unknown") and finish_of(native) in _WORSE
    )
    return native if hidden else told


def doubt_of(reason: str | None) -> str | None:
    """Return why an answer that ended so may not be whole, or None if there is no doubt.

    It is kept all the same.
    """
    if reason is None or finish_of(reason) != "unknown":
        return None
    return f"an answer ended for a reason that is not known here ({reason!r}): it may not be whole"


def _words_of(reason: str) -> str:
    """Return a reason as small words, without what only says that it is a reason."""
    spaced = re.sub(r"[\W_]+", " ", _CAPITAL_INSIDE.sub(" ", reason)).strip().lower()
    return _PREFIX.sub("", spaced)
