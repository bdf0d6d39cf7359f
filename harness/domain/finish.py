"""Why an answer ended, in the words of any server: one table from their reasons to what they mean.

A reason is looked up without letter case and with `_` for `-` and for spaces; `FINISH_REASON_STOP` and
`content_filter: PROHIBITED_CONTENT` are found, too. A comment names who says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Finish = Literal["whole", "calls", "length", "filtered", "refused", "interrupted", "looping", "unknown", "untold"]
"""`looping`: the server stopped a model that repeated itself; `unknown`: no word of this table; `untold`: no reason."""

ACCEPTED_FINISH_REASONS = frozenset({"stop", "tool_calls"})
"""How an answer that there is no doubt about can have ended, once its reason is put in OpenAI's words."""

_WORDS: Mapping[Finish, tuple[str, ...]] = {
    "whole": (
        *("stop", "stop_sequence"),  # OpenAI, DeepSeek; Hugging Face, Anthropic, Cohere
        *("eos", "eos_token", "end_turn", "complete"),  # Together; Hugging Face; Anthropic, Bedrock; Cohere
        *("eosfound", "stopstringfound", "stop_token", "normal"),  # LM Studio; watsonx; Baidu
        *("completed", "finished", "end", "done"),  # OpenAI's Responses; neighbours of it
    ),
    "calls": (
        *("tool_calls", "function_call"),  # OpenAI, DeepSeek
        *("tool_use", "tool_call", "toolcalls"),  # Anthropic, Bedrock; Cohere; LM Studio
    ),
    "length": (
        *("length", "max_tokens", "model_length", "max_output_tokens"),  # OpenAI; Anthropic, Google; Mistral; Responses
        *("model_context_window_exceeded", "token_limit"),  # Anthropic, Zhipu; watsonx
        *("maxpredictedtokensreached", "contextlengthreached", "limit"),  # LM Studio; llama.cpp's own API
    ),
    "filtered": (
        *("content_filter", "content_filtered", "guardrail_intervened"),  # OpenAI, DeepSeek; Bedrock
        *("safety", "recitation", "blocklist", "prohibited_content", "spii", "language", "image_safety"),  # Google
        *("sensitive", "error_toxic"),  # Zhipu, Hunyuan; Cohere
    ),
    "refused": ("refusal",),  # Anthropic, OpenAI's Responses
    "interrupted": (
        *("insufficient_system_resource", "aborted"),  # DeepSeek
        *("abort", "error", "network_error"),  # vLLM, SGLang; OpenRouter, Mistral, Cohere; Zhipu
        *("cancelled", "canceled", "user_cancel", "time_limit", "timeout"),  # watsonx, Cohere
        *("not_finished", "incomplete", "failed"),  # watsonx; Responses; LM Studio
        *("userstopped", "modelunloaded", "load", "unload"),  # LM Studio; Ollama, before its model is there
        *("pause_turn", "malformed_function_call", "unexpected_tool_call"),  # Anthropic; Google
        *("network", "disconnected", "connection_error", "interrupted", "server_error"),  # neighbours of these
    ),
    "looping": ("repetition",),  # vLLM's loop detector
    "untold": ("null", "none", "unspecified", "finish_reason_unspecified"),  # Alibaba; Google
}
_MEANINGS: Mapping[str, Finish] = {word: finish for finish, words in _WORDS.items() for word in words}
_PLAIN: Mapping[Finish, str] = {
    "whole": "stop",
    "calls": "tool_calls",
    "length": "length",
    "filtered": "content_filter",
    "refused": "refusal",
}
_PREFIX = re.compile(r"^finish_?reason[_.]+")
_WORSE: frozenset[Finish] = frozenset({"length", "filtered", "refused", "interrupted", "looping"})


def finish_of(reason: str) -> Finish:
    """What a finish reason means."""
    word = _PREFIX.sub("", re.sub(r"[\s-]+", "_", reason.strip().lower()))
    if not word:
        return "untold"
    found = _MEANINGS.get(word) or _MEANINGS.get(word.partition(":")[0])
    return found or "unknown"


def plain_reason(reason: str) -> str:
    """The reason in OpenAI's word for it, where there is one; else as the server wrote it."""
    return _PLAIN.get(finish_of(reason), reason.strip())


def truer_reason(told: str, native: str) -> str:
    """Of a gateway's reason and that of the server behind it, which it passes on: the one to believe.

    A gateway turns a reason that it does not know into `stop`. The server's own counts where it says that the answer is
    not whole.
    """
    hidden = finish_of(told) in ("whole", "calls", "untold", "unknown") and finish_of(native) in _WORSE
    return native if hidden else told


def doubt_of(reason: str | None) -> str | None:
    """Why an answer that ended so may not be whole, though it is kept; None: there is no doubt."""
    if reason is None or finish_of(reason) != "unknown":
        return None
    return f"an answer ended for a reason that is not known here ({reason!r}): it may not be whole"
