"""Tokens before they are counted: a likely number, and one that is never passed.

The likely number goes by classes of characters, measured on DeepSeek's V4 tokenizer: English prose
0.21 tokens a character, Chinese 0.58, Python code 0.36, random words 0.50. The provider's own rule
of thumb (0.3 and 0.6) is 45 % too high for prose. What the provider reports as usage is the truth;
these only rule before it is known.
"""

from __future__ import annotations

import json

from harness.domain.completion import Request
from harness.domain.key import canonical_request, request_fields
from harness.domain.text_tokens import likely_tokens

MESSAGE_OVERHEAD_TOKENS = 8

# An image is billed by its size, in a way of each model's own. The first is a guess at a common
# one; the second is more than OpenAI's dearest counting comes to (2,833 and 5,667 for each of eight
# tiles).
IMAGE_TOKENS = 1_000
IMAGE_TOKENS_AT_MOST = 50_000

# DeepSeek's defaults where max_tokens is not sent; reasoning counts inside them.
DEFAULT_OUTPUT_TOKENS = 8 * 1024
DEFAULT_OUTPUT_TOKENS_THINKING = 64 * 1024
DEFAULT_OUTPUT_TOKENS_MAX_EFFORT = 128 * 1024


def likely_input_tokens(request: Request) -> int:
    """About how many input tokens a request has."""
    tokens = sum(
        likely_tokens(message.content) + MESSAGE_OVERHEAD_TOKENS for message in request.messages
    )
    tokens += IMAGE_TOKENS * _images(request)
    if request.tools:
        tokens += likely_tokens(json.dumps(request_fields(request)["tools"], ensure_ascii=False))
    return tokens


def input_tokens_at_most(request: Request) -> int:
    """Return a number of input tokens that is not passed.

    No token of a byte-level vocabulary is shorter than one byte. The bytes are those of the
    canonical request, which holds every message and tool, and a little more.
    """
    payload = canonical_request(request).encode("utf-8", "surrogatepass")
    text = len(payload) + MESSAGE_OVERHEAD_TOKENS * len(request.messages)
    return text + IMAGE_TOKENS_AT_MOST * _images(request)


def _images(request: Request) -> int:
    return sum(len(message.images) for message in request.messages)


def output_tokens_at_most(request: Request) -> int:
    """The cap that the request sets, else the provider's default for its way of thinking."""
    if request.max_tokens is not None:
        return request.max_tokens
    if request.effort == "max":
        return DEFAULT_OUTPUT_TOKENS_MAX_EFFORT
    if request.thinking is False or request.effort == "none":
        return DEFAULT_OUTPUT_TOKENS
    return DEFAULT_OUTPUT_TOKENS_THINKING
