"""The likelihoods of tokens, as servers tell them beside the pieces of an answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from harness.domain.logprobs import Alternative, TokenLogprob
from harness.endpoint.usages import number_of

_LEAST = -9999.0  # what OpenAI and vLLM write where the logarithm is minus infinity


class Likelihoods:
    """`take` what stands in the field `logprobs` of each choice.

    Then `answer` and `reasoning` are the tokens of both. Where a server does not tell reasoning
    apart, its tokens are among those of the answer. What is not of the form of a likelihood is left
    out.
    """

    def __init__(self) -> None:
        self.answer: list[TokenLogprob] = []
        self.reasoning: list[TokenLogprob] = []

    def take(self, fields: object, *, piece: str = "") -> None:
        """Take in the next.

        `piece` is the answer that came beside it: a bare number is that of the one token it is.
        """
        if not isinstance(fields, dict):
            alone = _alternative(piece, fields)
            if piece and alone is not None:
                self.answer.append(TokenLogprob(token=piece, logprob=alone.logprob))
            return
        self.answer.extend(_tokens_in(fields.get("content")))
        self.reasoning.extend(_tokens_in(fields.get("reasoning_content")))
        if "content" not in fields:
            self.answer.extend(_tokens_side_by_side(fields))


def _tokens_in(items: object) -> Iterator[TokenLogprob]:
    """A list of objects, as chat completions have it."""
    for item in _list(items):
        if not isinstance(item, dict):
            continue
        found = _alternative(item.get("token"), item.get("logprob"))
        if found is not None:
            top = tuple(_alternatives(item.get("top_logprobs")))
            yield TokenLogprob(
                token=found.token, logprob=found.logprob, top=top, raw=_raw(item, found.token)
            )


def _tokens_side_by_side(fields: dict[str, Any]) -> Iterator[TokenLogprob]:
    """Lists beside each other, as the older completions have them, and Together in chats."""
    tokens, numbers, tops = (
        _list(fields.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs")
    )
    for token, number, top in zip_longest(tokens, numbers, tops):
        found = _alternative(token, number)
        if found is not None:
            others = _pairs(top.items()) if isinstance(top, dict) else ()
            yield TokenLogprob(token=found.token, logprob=found.logprob, top=tuple(others))


def _alternatives(items: object) -> Iterator[Alternative]:
    for item in _list(items):
        if isinstance(item, dict):
            yield from _pairs([(item.get("token"), item.get("logprob"))])


def _pairs(pairs: Iterable[tuple[object, object]]) -> Iterator[Alternative]:
    for token, number in pairs:
        found = _alternative(token, number)
        if found is not None:
            yield found


def _alternative(token: object, number: object) -> Alternative | None:
    logprob = number_of(number)
    if not isinstance(token, str) or logprob is None or logprob == math.inf:
        return None
    return Alternative(token, max(logprob, _LEAST))


def _raw(item: dict[str, Any], token: str) -> bytes | None:
    """The token's bytes, where they are others than its text's."""
    numbers = item.get("bytes")
    if not isinstance(numbers, list):
        return None
    try:
        raw = bytes(numbers)
    except (TypeError, ValueError):
        return None
    if not raw or raw == token.encode(errors="replace"):
        return None
    return raw


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
