"""An estimate of the tokens of a text, by classes of characters.

`domain/token_estimate.py` says where the numbers come from.
"""

from __future__ import annotations

LATIN_TOKENS_PER_CHAR = 0.25
OTHER_TOKENS_PER_CHAR = 0.6


def likely_tokens(text: str) -> int:
    """About how many tokens a text has."""
    if text.isascii():
        ascii_characters = len(text)
    else:
        ascii_characters = len(text.encode("ascii", "ignore"))
    other = len(text) - ascii_characters
    return round(ascii_characters * LATIN_TOKENS_PER_CHAR + other * OTHER_TOKENS_PER_CHAR)
