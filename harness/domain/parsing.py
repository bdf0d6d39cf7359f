"""JSON out of a model's text: fenced, in prose, wrapped in an object, or not there at all.

Every error is a clause about the text ("it held 2 items, 3 to 5 are needed"), so that it can be
sent back to the model. The cost is linear in the text, whatever the text is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from harness.domain.completion import Json
from harness.domain.strict_json import NotJson, kind_of, loads, loads_prefix
from harness.errors import ParseError

MAX_TEXT_CHARS = 1_000_000
MAX_ITEM_CHARS = 2_000

# How often a value is looked for again further on in prose; each look costs at most one pass over
# the text.
_MAX_LOOKS = 32
_MAX_FENCES = 32

_OPENING = re.compile(r"[\[{]")
_TEXT_FIELDS = ("question", "sub_question", "text")


def parse_json(text: str) -> Json:
    """Return the JSON value in a model's text.

    It is all of it, or the first fenced block that is JSON, or the longest in prose. What stands
    before a closing `</think>` is no part of the answer. Raises ParseError.
    """
    with _blaming(text):
        return _json_in(text)


def parse_string_list(text: str, *, at_least: int, at_most: int) -> tuple[str, ...]:
    """The strings of the JSON array in a model's text, stripped, without blanks and repetitions.

    An object that holds one array stands for it, and an object that holds one text stands for that
    text. Up to twice `at_most` items are cut to the first `at_most`; more than that was not meant
    as an answer. Raises ParseError.
    """
    with _blaming(text):
        return _strings_in(_array_in(_json_in(text)), at_least=at_least, at_most=at_most)


@contextmanager
def _blaming(text: str) -> Iterator[None]:
    """Have an error say which text it is about."""
    try:
        yield
    except ParseError as error:
        error.text = text
        raise


def _json_in(text: str) -> Json:
    if len(text) > MAX_TEXT_CHARS:
        raise ParseError(f"it was {len(text):,} characters long, far more than was asked for")
    if not text.strip():
        raise ParseError("it was blank")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("it held half of a surrogate pair, which is no character") from error
    answer = text.rpartition("</think>")[2]
    for candidate in (text, *_fenced(answer)):
        with suppress(NotJson):
            return loads(candidate, raw_controls=True)
    return _longest_in_prose(answer)


def _strings_in(items: list[Json], *, at_least: int, at_most: int) -> tuple[str, ...]:
    wanted = f"{at_least} to {at_most}" if at_least < at_most else f"{at_least}"
    if len(items) > 2 * at_most:
        raise ParseError(f"it held {len(items):,} items, {wanted} are needed")
    texts = (_text_of(item, number) for number, item in enumerate(items, start=1))
    different = tuple(dict.fromkeys(text for text in texts if text))
    if len(different) < at_least:
        if len(different) < len(items):
            raise ParseError(
                f"only {len(different)} of its {len(items)} items are distinct texts, {wanted} are"
                " needed"
            )
        raise ParseError(
            f"it held {len(items)} {'item' if len(items) == 1 else 'items'}, {wanted} are needed"
        )
    return different[:at_most]


def _fenced(text: str) -> Iterator[str]:
    """Yield the texts between fences of three backticks, each without its language."""
    parts = text.split("```", 2 * _MAX_FENCES)
    for block in parts[1::2]:
        body = block.lstrip("`")
        language, line_break, rest = body.partition("\n")
        yield rest if line_break and language.strip().isalnum() else body


def _longest_in_prose(text: str) -> Json:
    """The longest array or object in the text.

    Raises ParseError, with the reason why the first one is none.
    """
    found: list[tuple[int, Json]] = []
    reason: NotJson | None = None
    position = 0
    for _ in range(_MAX_LOOKS):
        opening = _OPENING.search(text, position)
        if opening is None:
            break
        start = opening.start()
        try:
            value, position = loads_prefix(text, start, raw_controls=True)
            found.append((position - start, value))
        except NotJson as error:
            reason = reason or error
            position = start + 1
    if found:
        return max(found, key=lambda one: one[0])[1]
    if reason is None:
        raise ParseError("it held no JSON array or object")
    raise ParseError(f"it was not valid JSON: {reason}")


def _array_in(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        arrays = [item for item in value.values() if isinstance(item, list)]
        if len(arrays) == 1:
            return arrays[0]
        raise ParseError(f"it was an object with {len(arrays) or 'no'} arrays in it, not an array")
    raise ParseError(f"it was {kind_of(value)}, not an array")


def _text_of(item: Json, number: int) -> str:
    if isinstance(item, Mapping):
        texts = {name: text for name, text in item.items() if isinstance(text, str)}
        named = [texts[name] for name in _TEXT_FIELDS if name in texts]
        if named or len(texts) == 1:
            item = named[0] if named else next(iter(texts.values()))
    if not isinstance(item, str):
        raise ParseError(f"item {number} is {kind_of(item)}, not a string")
    if len(item) > MAX_ITEM_CHARS:
        raise ParseError(
            f"item {number} is {len(item):,} characters long, at most {MAX_ITEM_CHARS:,} are"
            " allowed"
        )
    return item.strip()


_LONGEST_CHAIN = 16


def blamed_texts(error: BaseException) -> frozenset[str]:
    """Return the texts that somebody tried to read and could not.

    The error tells them, or one that it was raised from.
    """
    texts: set[str] = set()
    for one in _chain(error):
        texts.update(_unread_in(one))
    return frozenset(texts)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _unread_in(error: BaseException) -> Iterator[str]:
    if isinstance(error, ParseError) and error.text is not None:
        yield error.text
    if isinstance(error, json.JSONDecodeError):
        yield error.doc
