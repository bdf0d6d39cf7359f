"""The probability of each token of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Alternative(NamedTuple):
    """A token that might have stood there, with the natural logarithm of its probability."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token that was chosen.

    `logprob` is the natural logarithm of its probability, -9999.0 for all but impossible. `top` are
    the likeliest tokens at its place, as many as were asked for; the chosen one is mostly among
    them. `raw` are the token's bytes where they are a part of a character, so that `token` cannot
    hold them; else None.
    """

    token: str
    logprob: float
    top: tuple[Alternative, ...] = ()
    raw: bytes | None = None
