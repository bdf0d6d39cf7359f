"""The mock's tokens: a token is five bytes of UTF-8.

That is 0.2 tokens per English character and 0.6 per Chinese one, the ratios measured on DeepSeek's
own tokenizer, at the price of one division. Prompts, answers, caps, deltas and prefix blocks all
count by this one rule.
"""

from __future__ import annotations

from itertools import pairwise

BYTES_PER_TOKEN = 5


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate, which JSON can carry and UTF-8 cannot, becomes a question mark."""
    return text.encode("utf-8", "replace")


def count_tokens(data: bytes) -> int:
    return -(-len(data) // BYTES_PER_TOKEN)


def split_tokens(text: str, size: int = 1) -> list[str]:
    """The text in pieces of `size` tokens, never cut inside a character."""
    step = BYTES_PER_TOKEN * size
    if text.isascii():
        return [text[start : start + step] for start in range(0, len(text), step)]
    data = encoded(text)
    cuts = [_boundary(data, place) for place in range(0, len(data), step)] + [len(data)]
    return [data[start:end].decode() for start, end in pairwise(cuts)]


def first_tokens(text: str, limit: int) -> str:
    """The longest beginning of the text that is no longer than `limit` tokens."""
    data = encoded(text)
    if count_tokens(data) <= limit:
        return text
    return data[: _boundary(data, BYTES_PER_TOKEN * limit)].decode()


def _boundary(data: bytes, place: int) -> int:
    """The last start of a character at or before `place`."""
    while place < len(data) and 0x80 <= data[place] < 0xC0:
        place -= 1
    return place
