"""Which texts an error blames: those of answers that somebody tried to read, and could not."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.errors import ParseError

_LONGEST_CHAIN = 16


def blamed_texts(error: BaseException) -> frozenset[str]:
    """The texts that could not be read, told by the error or by one that it was raised from."""
    return frozenset(text for one in _chain(error) for text in _text_of(one))


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _text_of(error: BaseException) -> Iterator[str]:
    if isinstance(error, ParseError) and error.text is not None:
        yield error.text
    if isinstance(error, json.JSONDecodeError):
        yield error.doc
